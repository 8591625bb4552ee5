"""The application itself behind a real socket, which counts requests and can misbehave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.harness.hostile_server import Answer, HostileServer, Request, hostile_server
from tests.harness.registry_world import RegistryWorld


@asynccontextmanager
async def annals_server(world: RegistryWorld) -> AsyncIterator[HostileServer]:
    """A running server of the registries of *world*."""

    async def answer(request: Request) -> Answer:
        asked = world.client.stream(request.method, request.target, headers=dict(request.headers))
        async with asked as response:
            body = b"".join([chunk async for chunk in response.aiter_raw()])  # packed as it is
        headers = {
            name: text for name, text in response.headers.items() if name != "content-length"
        }
        return Answer(status=response.status_code, headers=headers, body=body)

    async with hostile_server() as server:
        server.answer = answer
        yield server
