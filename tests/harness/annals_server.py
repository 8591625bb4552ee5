"""The application itself behind a real socket, which counts requests and can misbehave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.harness.hostile_server import Answer, HostileServer, Request, hostile_server
from tests.harness.registry_world import RegistryWorld


@asynccontextmanager
async def annals_server(world: RegistryWorld) -> AsyncIterator[HostileServer]:
    """A running server of the registries of *world*."""

    async def answer(request: Request) -> Answer:
        response = await world.client.request(
            request.method, request.target, headers=dict(request.headers)
        )
        headers = {
            name: text for name, text in response.headers.items() if name != "content-length"
        }
        return Answer(status=response.status_code, headers=headers, body=response.content)

    async with hostile_server() as server:
        server.answer = answer
        yield server
