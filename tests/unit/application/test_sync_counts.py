"""Counting syncs by how they ended."""

import attrs
import pytest

from application.sync import SyncedSource, SyncOutcome
from application.sync_counts import CountedSyncs, SyncCount, SyncEnd
from domain.events import SyncFailed, SyncStage
from domain.identifiers import Position, SourceName
from tests.harness.registry_world import RegistryWorld, registry_world, server


@attrs.frozen
class Named:
    """All of a source that is needed to count its syncs."""

    name: SourceName


async def outcome_of(world: RegistryWorld) -> SyncOutcome:
    """A sync that completed."""
    world.offer("main", [server("com.example/one")])
    return await world.sync_now("main")


async def test_syncs_are_counted_by_source_and_end():
    """With the time they took, and what they said is passed on."""
    failed = SyncOutcome(
        source=SourceName("main"),
        position=Position(1),
        failed=SyncFailed(stage=SyncStage.FETCH, reason="r"),
    )
    async with registry_world() as world:
        completed = await outcome_of(world)
    assert completed.completed
    unread = attrs.evolve(completed, completed=attrs.evolve(completed.completed, unread=True))
    ends = [completed, failed, completed, unread]
    times = iter(range(100))

    async def sync(_source: SyncedSource) -> SyncOutcome:
        return ends.pop(0) if ends else pytest.fail("one too many")

    syncs = CountedSyncs(sync, now=lambda: float(next(times)))
    expected = list(ends)

    assert [await syncs.sync(Named(SourceName("main"))) for _ in range(4)] == expected
    assert syncs.counts() == [
        SyncCount(source=SourceName("main"), end=end, syncs=number, seconds=float(number))
        for end, number in ((SyncEnd.COMPLETED, 2), (SyncEnd.FAILED, 1), (SyncEnd.UNREAD, 1))
    ]


async def test_a_sync_that_could_not_be_recorded_is_counted_too():
    """The error goes on to who asked for it."""

    async def sync(_source: SyncedSource) -> SyncOutcome:
        raise OSError

    syncs = CountedSyncs(sync)

    with pytest.raises(OSError):
        await syncs.sync(Named(SourceName("main")))

    assert [(count.end, count.syncs) for count in syncs.counts()] == [(SyncEnd.UNRECORDED, 1)]
