"""Registries that lie about their log: seen by a verifier as a real registry is."""

import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import attrs
import httpx

from adapters.remote import HttpRemote
from adapters.scratch.memory import MemoryScratch
from adapters.storage.memory import MemoryStorage
from application.documents import Documents
from application.projector import Projector
from application.registries import Registries
from application.transparency import Transparency
from domain.merkle import root_of
from entrypoints.http.app import create_app
from entrypoints.http.services import Services
from tests.harness.clock import SteppingClock
from tests.harness.registry_world import RegistryWorld

Alter: TypeAlias = Callable[[str, bytes], bytes]
"""From a path and what an honest registry answers there to what a hostile one does."""


class Altering(httpx.AsyncBaseTransport):
    """Passes on what another transport answers, altered. `bodies` has what was honest, by URL."""

    def __init__(self, honest: httpx.AsyncBaseTransport, alter: Alter) -> None:
        self._honest = honest
        self._alter = alter
        self.bodies: dict[str, bytes] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._honest.handle_async_request(request)
        body = await answer.aread()
        target = request.url.raw_path.decode()
        self.bodies[target] = body
        headers = [
            (name, value) for name, value in answer.headers.items() if name[:8] != "content-"
        ]
        return httpx.Response(
            answer.status_code, headers=headers, content=self._alter(target, body)
        )


@asynccontextmanager
async def remote_of(
    services: Services, alter: Alter = lambda _target, body: body
) -> AsyncIterator[tuple[HttpRemote, dict[str, bytes]]]:
    """A registry as a verifier sees it, and what it would have answered if it were honest."""
    transport = Altering(httpx.ASGITransport(create_app(services)), alter)
    async with httpx.AsyncClient(transport=transport) as client:
        yield HttpRemote("http://registry.test", client), transport.bodies


def kept(world: RegistryWorld) -> MemoryStorage:
    """The log as it is now, whatever becomes of it."""
    return copy.deepcopy(world.storage)


async def served(world: RegistryWorld, storage: MemoryStorage) -> Services:
    """Another log under the name and the key of this world's."""
    projector = Projector(storage, world.log.__class__(storage))
    await projector.load()
    documents = Documents(storage)
    return attrs.evolve(
        world.services,
        registries=Registries(projector, storage, documents, SteppingClock(), MemoryScratch()),
        documents=documents,
        transparency=Transparency(storage, world.signer, world.cosignatures),
    )


def swapped(storage: MemoryStorage, one: int, other: int) -> MemoryStorage:
    """The log with two events in each other's place, and signed as if that were the truth."""
    events = storage._events
    events[one - 1], events[other - 1] = events[other - 1], events[one - 1]
    root = root_of([event.leaf_hash for event in events])
    storage._head = attrs.evolve(storage._head, root=root)
    return storage
