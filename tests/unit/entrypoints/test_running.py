"""Whether requests should come to this process."""

from collections.abc import Callable

import anyio

from application.scheduler import Scheduler
from application.source_task import Pace
from application.sync import SyncedSource, SyncOutcome
from domain.identifiers import SourceName
from entrypoints.running import Readiness
from tests.harness.sync_world import MAIN, HeldSource, SyncWorld, loaded_world, synced_source

OTHER = SourceName("other")
HANGING = SourceName("hanging")


def scheduler_of(world: SyncWorld) -> Scheduler:
    """A scheduler whose source `hanging` never answers."""

    async def sync(source: SyncedSource) -> SyncOutcome:
        if source.name == HANGING:
            await anyio.sleep_forever()
        return await world.syncer.sync(source)

    return Scheduler(sync, world.projector, world.storage, Pace(clock=world.clock))


def source(name: SourceName) -> SyncedSource:
    """A source that offers nothing."""
    return synced_source(HeldSource(), name)


async def until(happens: Callable[[], object]) -> None:
    """Let all others go on until it is so."""
    with anyio.fail_after(10):
        while not happens():  # noqa: ASYNC110  # a thread may have to go on
            await anyio.sleep(0.001)


async def nothing() -> None:
    """What happens meanwhile."""


async def test_a_process_is_ready_when_every_source_was_tried() -> None:
    """It names those it waits for; of a source that is gone by now nothing is expected."""
    world = await loaded_world()
    scheduler = scheduler_of(world)
    readiness = Readiness(world.projector, scheduler)
    async with anyio.create_task_group() as tasks:
        await tasks.start(scheduler.run, [source(MAIN), source(HANGING)])
        assert readiness.reason() == "waiting for the first sync of main, hanging"
        await until(lambda: readiness.reason() == "waiting for the first sync of hanging")
        await scheduler.replace([source(OTHER)], nothing)
        await until(lambda: readiness.reason() is None)
        tasks.cancel_scope.cancel()


async def test_a_source_that_is_added_takes_no_readiness_away() -> None:
    """It may hang, and all processes get it at the same time."""
    world = await loaded_world()
    scheduler = scheduler_of(world)
    readiness = Readiness(world.projector, scheduler)
    async with anyio.create_task_group() as tasks:
        main = source(MAIN)
        await tasks.start(scheduler.run, [main])
        await until(lambda: readiness.reason() is None)
        await scheduler.replace([main, source(HANGING)], nothing)
        assert scheduler.unattempted() == (HANGING,)
        assert readiness.reason() is None
        readiness.stop()
        assert readiness.reason() == "stopping"
        tasks.cancel_scope.cancel()


async def test_what_was_synced_before_is_not_waited_for() -> None:
    """A process that starts again serves what its log has."""
    world = await loaded_world()
    await world.configure({"default": ("hanging",)})
    await world.syncer.sync(source(HANGING))
    scheduler = scheduler_of(world)
    async with anyio.create_task_group() as tasks:
        await tasks.start(scheduler.run, [source(HANGING)])
        assert Readiness(world.projector, scheduler).reason() is None
        tasks.cancel_scope.cancel()
