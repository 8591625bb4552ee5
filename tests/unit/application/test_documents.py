"""Documents by hash, the ones asked for lately from memory."""

from collections.abc import Iterable, Mapping
from typing import Any

import anyio
import attrs
import pytest
from anyio.lowlevel import checkpoint

from application.documents import Documents
from application.registry_version import RegistryVersion
from domain.errors import CorruptLogError
from domain.identifiers import DocumentHash
from domain.ports.storage import StoragePort
from tests.harness.live_view import live_version
from tests.harness.sync_world import HeldSource, SyncWorld, loaded_world, server, synced_source


@attrs.define
class Watched:
    """A storage that counts the bodies it gives out, and has lost those in `lost`."""

    storage: StoragePort
    given: int = 0
    lost: frozenset[DocumentHash] = frozenset()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    async def packed(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        await checkpoint()
        bodies = await self.storage.packed(set(hashes) - self.lost)
        self.given += len(bodies)
        return bodies


async def synced(world: SyncWorld, *names: str) -> RegistryVersion:
    """The registry when its source offers servers of those names: documents of one size."""
    await world.syncer.sync(synced_source(HeldSource(*map(server, names))))
    return await live_version(world.projector, world.storage)


@pytest.fixture
async def world() -> SyncWorld:
    """A registry of one source."""
    world = await loaded_world()
    await world.configure({"default": ["main"]})
    return world


async def test_bodies_come_in_the_order_asked_for(world: SyncWorld) -> None:
    """Each as it was stored, also where one is asked for twice, or half are in memory."""
    servers = (await synced(world, "a", "b", "c")).servers
    documents = Documents(world.storage)
    await documents.bodies(servers[1:2])
    asked = [servers[2], servers[0], servers[1], servers[2]]
    hashes = [served.entry.document_hash for served in asked]
    stored = await world.storage.documents(hashes)
    assert await documents.bodies(asked) == [stored[known] for known in hashes]
    assert await documents.bodies([]) == []


async def test_memory_is_bounded_and_the_longest_unasked_goes_first(world: SyncWorld) -> None:
    """With room for two of three bodies, the two asked for last are not read again."""
    a, b, c = (await synced(world, "a", "b", "c")).servers
    watched = Watched(world.storage)
    (body,) = await Documents(world.storage).bodies([a])
    documents = Documents(watched, most_bytes=2 * len(body))
    reads = []
    for asked in ([a, b], [a, b], [a], [c], [a], [b], [a], [c]):
        before = watched.given
        await documents.bodies(asked)
        reads.append(watched.given - before)
    assert reads == [2, 0, 0, 1, 0, 1, 0, 1]


async def test_a_body_that_was_read_twice_at_once_takes_its_room_once(world: SyncWorld) -> None:
    """Two who ask for the same at one time both read it, and it is kept once."""
    a, b = (await synced(world, "a", "b")).servers
    watched = Watched(world.storage)
    (body,) = await Documents(world.storage).bodies([a])
    documents = Documents(watched, most_bytes=2 * len(body))
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(documents.bodies, [a])
    await documents.bodies([b])
    assert watched.given == 3
    await documents.bodies([a, b])
    assert watched.given == 3


async def test_more_than_there_is_room_for_is_answered_all_the_same(world: SyncWorld) -> None:
    """Without any room each answer reads, and is whole."""
    servers = (await synced(world, "a", "b", "c")).servers
    watched = Watched(world.storage)
    documents = Documents(watched, most_bytes=0)
    for _ in range(2):
        assert len(await documents.bodies(servers)) == 3
    assert watched.given == 6


async def test_a_missing_body_is_a_corrupt_log(world: SyncWorld) -> None:
    """The error names the document and what to run."""
    registry = await synced(world, "a", "b")
    lost = registry.servers[1].entry.document_hash
    documents = Documents(Watched(world.storage, lost=frozenset({lost})))
    with pytest.raises(CorruptLogError, match=f"{lost} is not in the log: run registry verify"):
        await documents.bodies(registry.servers)
    assert len(await documents.bodies(registry.servers[:1])) == 1
