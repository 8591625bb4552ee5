"""What is told of each configured source."""

import anyio

from application.scheduler import Scheduler
from application.source_overview import outcome_members, overviews
from application.source_task import Pace
from domain.errors import SourceUnreachableError
from domain.events import RejectedEntry
from domain.identifiers import SourceName
from domain.ports.status import SyncPhase
from tests.harness.sync_world import MAIN, HeldSource, SyncWorld, loaded_world, synced_source

BAD = {"name": "io.example/bad", "version": "1.0.0", "description": 5}


async def _rejected(world: SyncWorld) -> tuple[RejectedEntry, ...]:
    (overview,) = overviews(await world.projector.catch_up(), {})
    return overview.rejected


async def test_there_is_one_overview_per_configured_source() -> None:
    """A source that was never synced has an overview without a status; others have theirs."""
    world = await loaded_world()
    await world.configure({"default": ("main", "other")})
    await world.syncer.sync(synced_source(HeldSource()))
    main, other = overviews(await world.projector.catch_up(), await world.status.load())
    assert (main.name, other.name) == (main.definition.name, other.definition.name)
    assert (main.name, other.name) == (MAIN, SourceName("other"))
    assert main.status
    assert main.status.phase is SyncPhase.COMPLETE
    assert (other.status, other.rejected) == (None, ())


async def test_a_source_that_is_no_longer_configured_has_no_overview() -> None:
    """A status that was left over is not told."""
    world = await loaded_world()
    await world.configure({"default": ("main",)})
    await world.syncer.sync(synced_source(HeldSource()))
    await world.configure({})
    assert overviews(await world.projector.catch_up(), await world.status.load()) == []


async def test_rejected_entries_are_told_until_the_source_is_mended() -> None:
    """Neither a sync that read nothing nor a failed one makes a bad entry good."""
    world, port = await loaded_world(), HeldSource(BAD)
    await world.configure({"default": ("main",)})
    for port.failure in (None, None, SourceUnreachableError("nobody is there")):
        await world.syncer.sync(synced_source(port))
        assert [rejected.name for rejected in await _rejected(world)] == ["io.example/bad"]
    port.failure = None
    port.offer({**BAD, "description": "Does things."})
    await world.syncer.sync(synced_source(port))
    assert await _rejected(world) == ()


async def test_a_process_tells_of_the_sources_it_syncs() -> None:
    """How they are configured, and when their next sync is due; of others it knows the log."""
    world = await loaded_world()
    await world.configure({"default": ("main", "other")})
    source, rested = synced_source(HeldSource()), anyio.Event()

    async def sleep(seconds: float) -> None:
        if seconds == source.interval_seconds:
            rested.set()
        await anyio.sleep_forever()

    pace = Pace(clock=world.clock, sleep=sleep, chance=lambda: 0.5)
    scheduler = Scheduler(world.syncer.sync, world.projector, world.storage, pace)
    async with anyio.create_task_group() as tasks:
        await tasks.start(scheduler.run, [source])
        await rested.wait()
        main, other = overviews(world.projector.live, {}, scheduler)
        assert (main.synced, main.next_run) == (source, scheduler.next_run(MAIN))
        assert main.next_run
        assert (other.synced, other.next_run) == (None, None)
        tasks.cancel_scope.cancel()


async def test_how_a_sync_ended_is_told_in_json() -> None:
    """The members of its event beside where it is in the log."""
    world, port = await loaded_world(), HeldSource(BAD)
    completed = outcome_members(await world.syncer.sync(synced_source(port)))
    assert (completed["source"], completed["failed"], completed["position"]) == ("main", False, 1)
    assert [rejected["name"] for rejected in completed["rejected"]] == ["io.example/bad"]
    port.failure = SourceUnreachableError("nobody is there")
    failed = outcome_members(await world.syncer.sync(synced_source(port)))
    assert (failed["failed"], failed["stage"], failed["reason"]) == (
        True,
        "fetch",
        "nobody is there",
    )
