"""Syncs on demand and at changes. No test here waits: nothing happens but what a test lets be."""

import operator
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from adapters.lease.memory import OwnLease
from application.duty import Duty
from application.scheduler import Scheduler
from application.source_task import Pace
from application.sync import SyncedSource, SyncOutcome
from domain.errors import SourceNotFoundError, StorageUnavailableError, SyncedElsewhereError
from domain.events import SyncCompleted, SyncCounts, SyncFailed, SyncStage
from domain.identifiers import SourceName
from domain.ports.source import WatchPort
from tests.harness.clock import START, SteppingClock
from tests.harness.sync_world import MAIN, HeldSource, loaded_world, synced_source

OTHER = SourceName("other")
FULL = StorageUnavailableError("the disk is full")
FAILED = SyncOutcome(
    source=MAIN, position=1, failed=SyncFailed(stage=SyncStage.FETCH, reason="gone")
)


@attrs.define
class HeldSync:
    """One sync that has begun and ends when the test says how."""

    source: SyncedSource
    may_end: anyio.Event = attrs.field(factory=anyio.Event)
    how: SyncOutcome | Exception | None = None
    was_cut_off: bool = False

    def end(self, how: SyncOutcome | Exception) -> None:
        self.how = how
        self.may_end.set()


class HeldSyncs:
    """Syncs that begin when the scheduler says so, and end when the test says so."""

    def __init__(self) -> None:
        self.begun: list[HeldSync] = []
        self.cut_off_slowly = anyio.Event()
        self.cut_off_slowly.set()

    async def __call__(self, source: SyncedSource) -> SyncOutcome:
        sync = HeldSync(source)
        assert source.name not in self.under_way()
        self.begun.append(sync)
        try:
            await sync.may_end.wait()
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self.cut_off_slowly.wait()
            sync.was_cut_off = True
            raise
        if isinstance(sync.how, Exception):
            raise sync.how
        assert sync.how
        return sync.how

    def under_way(self) -> set[SourceName]:
        """The names of the sources that are being synced."""
        open_ = [s for s in self.begun if not s.may_end.is_set() and not s.was_cut_off]
        return {sync.source.name for sync in open_}

    async def next(self, number: int) -> HeldSync:
        """The sync of that number, counted from 1, when it has begun."""
        await until(lambda: len(self.begun) >= number)
        return self.begun[number - 1]


@attrs.define
class WatchedSource:
    """A source that tells of changes when the test says so, and whose watch can break."""

    send: Any = None
    watches: int = 0

    async def fetch(self, _known_revision: str | None) -> Any:
        raise AssertionError("no test here reads it")

    async def changes(self) -> AsyncIterator[None]:
        self.watches += 1
        self.send, receive = anyio.create_memory_object_stream[Exception | None](100)
        with self.send, receive:
            async for change in receive:
                if change:
                    raise change
                yield


@attrs.define
class World:
    """A scheduler at work. `naps` are the sleeps of sources; each lasts until it is let go.

    `pauses` are those of a second, which come behind each sync.
    """

    scheduler: Scheduler
    syncs: HeldSyncs
    naps: list[float]
    nap_over: list[anyio.Event]
    pauses: list[anyio.Event]

    async def pass_a_second(self) -> None:
        """Let all pauses that have begun be over."""
        await settled()
        while self.pauses:
            self.pauses.pop().set()
        await settled()


@asynccontextmanager
async def at_work(*sources: SyncedSource, duty: Duty | None = None) -> AsyncIterator[World]:
    """A scheduler that syncs *sources*, alone or as soon as it is its duty."""
    syncs, naps = HeldSyncs(), list[float]()
    overs, pauses = list[anyio.Event](), list[anyio.Event]()

    async def sleep(seconds: float) -> None:
        over = anyio.Event()
        if seconds == 1.0:
            pauses.append(over)
        else:
            naps.append(seconds)
            overs.append(over)
        await over.wait()

    clock, duty = SteppingClock(step=timedelta()), duty or Duty.alone()
    pace = Pace(clock=clock, sleep=sleep, chance=lambda: 0.5, duty=duty)
    world = await loaded_world()
    scheduler = Scheduler(syncs, world.projector, world.storage, pace)
    async with anyio.create_task_group() as tasks:
        await tasks.start(scheduler.run, sources)
        yield World(scheduler, syncs, naps, overs, pauses)
        tasks.cancel_scope.cancel()


async def until(happens: Callable[[], object]) -> None:
    """Let all others go on until it is so."""
    with anyio.fail_after(10):
        while not happens():
            await anyio.lowlevel.checkpoint()


async def settled() -> None:
    """Let all others go on for as long as they can without the test."""
    for _ in range(50):
        await anyio.lowlevel.checkpoint()


def source(name: SourceName = MAIN, port: Any = None, **changes: Any) -> SyncedSource:
    """A source that is read every minute."""
    return synced_source(port or HeldSource(), name, **changes)


def completed(position: int) -> SyncOutcome:
    """A sync that went well."""
    event = SyncCompleted(
        revision="",
        unread=True,
        filter_hash="",
        settings_hash="",
        counts=SyncCounts(),
        rejected=(),
        notes=(),
    )
    return SyncOutcome(source=MAIN, position=position, completed=event)


async def nothing() -> None:
    """What happens meanwhile."""


class Asking:
    """Somebody who waits for a sync: `got` is the outcome, or the error."""

    def __init__(self, scheduler: Scheduler, tasks: Any, name: str = MAIN) -> None:
        self.got: SyncOutcome | Exception | None = None
        tasks.start_soon(self._ask, scheduler, name)

    async def _ask(self, scheduler: Scheduler, name: str) -> None:
        try:
            self.got = await scheduler.sync_now(name)
        except (SourceNotFoundError, StorageUnavailableError) as error:
            self.got = error


async def test_a_request_while_nothing_runs_is_met_at_once() -> None:
    """The interval is cut short, and begins anew afterwards."""
    async with at_work(source()) as world, anyio.create_task_group() as tasks:
        (await world.syncs.next(1)).end(completed(1))
        await until(lambda: world.naps == [60.0])
        asking = Asking(world.scheduler, tasks)
        (await world.syncs.next(2)).end(completed(2))
        await until(lambda: asking.got == completed(2))
        await until(lambda: world.naps == [60.0, 60.0])


async def test_a_request_gets_a_sync_that_began_after_it() -> None:
    """What one that is under way has read may be older than what is asked for; and all who ask
    meanwhile share the next one."""
    async with at_work(source()) as world, anyio.create_task_group() as tasks:
        first = await world.syncs.next(1)
        asking = [Asking(world.scheduler, tasks) for _ in range(3)]
        await settled()
        first.end(completed(1))
        second = await world.syncs.next(2)
        assert [one.got for one in asking] == [None] * 3
        second.end(completed(2))
        await until(lambda: [one.got for one in asking] == [completed(2)] * 3)
        await settled()
        assert len(world.syncs.begun) == 2


async def test_requests_nobody_waits_for_make_one_sync() -> None:
    """However many they are."""
    async with at_work(source()) as world:
        first = await world.syncs.next(1)
        for _ in range(5):
            world.scheduler.request(MAIN)
        first.end(completed(1))
        (await world.syncs.next(2)).end(completed(2))
        await settled()
        assert len(world.syncs.begun) == 2


async def test_what_cannot_be_recorded_is_told_to_all_who_asked() -> None:
    """And the task goes on."""
    async with at_work(source()) as world, anyio.create_task_group() as tasks:
        (await world.syncs.next(1)).end(FULL)
        asking = [Asking(world.scheduler, tasks) for _ in range(2)]
        (await world.syncs.next(2)).end(FULL)
        await until(lambda: [one.got for one in asking] == [FULL] * 2)
        await until(lambda: world.naps[-1] == 10.0)


async def test_a_failed_sync_is_an_outcome() -> None:
    """Whoever asked hears how it failed."""
    async with at_work(source()) as world, anyio.create_task_group() as tasks:
        (await world.syncs.next(1)).end(completed(1))
        asking = Asking(world.scheduler, tasks)
        (await world.syncs.next(2)).end(FAILED)
        await until(lambda: asking.got == FAILED)


async def test_an_unknown_source_is_told() -> None:
    """With the names there are."""
    async with at_work(source()) as world:
        with pytest.raises(SourceNotFoundError, match="'nobody' is synced here: there is main"):
            await world.scheduler.sync_now("nobody")
        with pytest.raises(SourceNotFoundError):
            world.scheduler.request(OTHER)


async def test_the_next_run_is_known_while_a_source_rests() -> None:
    """Not while it is synced, and not of sources there are not."""
    async with at_work(source()) as world:
        first = await world.syncs.next(1)
        assert world.scheduler.next_run(MAIN) is None
        first.end(completed(1))
        await until(lambda: world.naps)
        assert world.scheduler.next_run(MAIN) == START + timedelta(seconds=60)
        assert world.scheduler.next_run(OTHER) is None
        world.nap_over[0].set()
        await world.syncs.next(2)
        assert world.scheduler.next_run(MAIN) is None


async def test_an_interval_of_an_age_has_a_next_run() -> None:
    """Also where it would lie beyond the year 9999."""
    async with at_work(source(interval_seconds=1e12)) as world:
        (await world.syncs.next(1)).end(completed(1))
        await until(lambda: world.naps == [1e12])
        assert world.scheduler.next_run(MAIN)


@pytest.mark.parametrize("end", [completed(1), FULL, ZeroDivisionError("oops")])
async def test_a_source_was_attempted_once_its_first_sync_ended(
    end: SyncOutcome | Exception,
) -> None:
    """Well or badly: readiness is about having tried."""
    async with at_work(source()) as world:
        first = await world.syncs.next(1)
        assert world.scheduler.unattempted() == (MAIN,)
        first.end(end)
        await until(lambda: world.scheduler.unattempted() == ())


async def test_sources_are_replaced_while_others_go_on() -> None:
    """What is equal is not disturbed in its sync; what has changed begins anew at once; what is
    gone ends, and what is new begins."""
    kept, changed, gone = source(), source(OTHER), source(SourceName("gone"))
    async with at_work(kept, changed, gone) as world:
        await world.syncs.next(3)
        new, other = source(SourceName("new")), attrs.evolve(changed, interval_seconds=7.0)
        await world.scheduler.replace([new, kept, other], nothing)
        await world.syncs.next(5)
        assert world.scheduler.sources == {s.name: s for s in (kept, new, other)}
        first, *rest = world.syncs.begun
        assert [sync.was_cut_off for sync in world.syncs.begun] == [False, True, True, False, False]
        assert {sync.source.name for sync in rest} == {OTHER, "gone", "new"}
        first.end(completed(1))
        await until(lambda: world.naps == [60.0])


async def test_a_stopped_sync_has_really_ended() -> None:
    """What happens meanwhile begins when nothing of the old sources can write any more, and the
    new ones begin afterwards."""
    seen: list[Any] = []
    async with at_work(source()) as world, anyio.create_task_group() as tasks:
        await world.syncs.next(1)
        world.syncs.cut_off_slowly = anyio.Event()

        async def meanwhile() -> None:
            await settled()
            seen.append([sync.was_cut_off for sync in world.syncs.begun])

        tasks.start_soon(world.scheduler.replace, [source()], meanwhile)
        await settled()
        assert seen == []
        world.syncs.cut_off_slowly.set()
        await world.syncs.next(2)
        assert seen == [[True]]


async def test_a_replacement_that_fails_leaves_the_sources_as_they_were() -> None:
    """Those that were stopped begin anew; the caller hears of it."""
    kept, changed = source(), source(OTHER)

    async def meanwhile() -> None:
        raise FULL

    async with at_work(kept, changed) as world:
        await world.syncs.next(2)
        with pytest.raises(StorageUnavailableError):
            await world.scheduler.replace([kept], meanwhile)
        await world.syncs.next(3)
        assert world.scheduler.sources == {MAIN: kept, OTHER: changed}
        assert world.syncs.begun[2].source is changed


async def test_who_waits_for_a_replaced_source_gets_a_sync_of_the_new_one() -> None:
    """And of a source that is gone, that it is gone."""
    first, other = source(), source(OTHER)
    async with at_work(first, other) as world, anyio.create_task_group() as tasks:
        await world.syncs.next(2)
        asking = Asking(world.scheduler, tasks)
        disappointed = Asking(world.scheduler, tasks, OTHER)
        await settled()
        await world.scheduler.replace([attrs.evolve(first, settings_hash="new")], nothing)
        third = await world.syncs.next(3)
        third.end(completed(3))
        await until(lambda: len(world.syncs.begun) == 4 or asking.got)
        if asking.got is None:
            world.syncs.begun[3].end(completed(4))
        await until(lambda: isinstance(asking.got, SyncOutcome))
        await until(lambda: isinstance(disappointed.got, SyncOutcome | SourceNotFoundError))
        assert isinstance(disappointed.got, SourceNotFoundError)


async def test_a_burst_of_changes_makes_one_further_sync() -> None:
    """The one that is under way may have read what was before."""
    port = WatchedSource()
    assert isinstance(port, WatchPort)
    async with at_work(source(port=port)) as world:
        first = await world.syncs.next(1)
        await until(lambda: port.send)
        for _ in range(10):
            port.send.send_nowait(None)
        await settled()
        first.end(completed(1))
        await world.pass_a_second()
        (await world.syncs.next(2)).end(completed(2))
        await world.pass_a_second()
        assert len(world.syncs.begun) == 2


async def test_a_change_in_quiet_times_is_synced_at_once() -> None:
    """However long the interval, and also while a source is left alone after a failure."""
    port = WatchedSource()
    async with at_work(source(port=port)) as world:
        for number, end in enumerate([completed(1), FAILED], 1):
            (await world.syncs.next(number)).end(end)
            await world.pass_a_second()
            assert len(world.syncs.begun) == number
            port.send.send_nowait(None)
            await world.syncs.next(number + 1)


@pytest.mark.parametrize("end", [completed(1), FAILED], ids=["completed", "failed"])
async def test_changes_without_end_make_one_sync_a_second(end: SyncOutcome) -> None:
    """However a sync ends, the next begins a second later: each leaves events in the log."""
    port = WatchedSource()
    async with at_work(source(port=port)) as world:
        for number in range(1, 6):
            sync = await world.syncs.next(number)
            await until(lambda: port.send)
            port.send.send_nowait(None)
            await settled()
            sync.end(end)
            for _ in range(3):
                await settled()
                port.send.send_nowait(None)
            await settled()
            assert len(world.syncs.begun) == number
            await world.pass_a_second()


async def test_who_asks_need_not_wait_behind_a_change() -> None:
    """The pause is for changes alone; the sync that was asked for is also for them."""
    port = WatchedSource()
    async with at_work(source(port=port)) as world, anyio.create_task_group() as tasks:
        first = await world.syncs.next(1)
        await until(lambda: port.send)
        port.send.send_nowait(None)
        await settled()
        first.end(completed(1))
        await settled()
        asking = Asking(world.scheduler, tasks)
        (await world.syncs.next(2)).end(completed(2))
        await until(lambda: asking.got == completed(2))
        await world.pass_a_second()
        assert len(world.syncs.begun) == 2


async def test_a_watch_that_breaks_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    """Later each time; the source is synced on its interval meanwhile."""
    port = WatchedSource()
    async with at_work(source(port=port)) as world:
        (await world.syncs.next(1)).end(completed(1))
        await until(lambda: port.send and world.naps == [60.0])
        for naps in ([60.0, 5.0], [60.0, 5.0, 10.0]):
            port.send.send_nowait(ZeroDivisionError("oops"))
            await until(partial(operator.eq, world.naps, naps))
            assert port.watches == len(naps) - 1
            world.nap_over[-1].set()
            await until(lambda: port.watches == len(world.naps))
        assert "its watch broke" in caplog.text
        world.nap_over[0].set()
        await world.syncs.next(2)


async def test_a_watch_ends_with_its_source() -> None:
    """What a source that was replaced tells is heard by nobody."""
    port = WatchedSource()
    async with at_work(source(port=port)) as world:
        await until(lambda: port.send)
        await world.scheduler.replace([], nothing)
        with pytest.raises(anyio.ClosedResourceError):
            port.send.send_nowait(None)


async def test_a_source_is_left_to_the_process_whose_duty_it_is() -> None:
    """Neither its interval nor its changes begin a sync here, until that duty comes to this one."""
    port, duty = WatchedSource(), Duty()
    async with at_work(source(port=port), duty=duty) as world, anyio.create_task_group() as tasks:
        await world.pass_a_second()
        assert (world.syncs.begun, world.naps, port.send) == ([], [], None)
        assert world.scheduler.next_run(MAIN) is None
        tasks.start_soon(duty.run, OwnLease(), nothing)
        (await world.syncs.next(1)).end(completed(1))
        await until(lambda: world.naps == [60.0] and port.send)
        tasks.cancel_scope.cancel()


async def test_a_first_sync_is_left_to_the_process_whose_duty_it_is() -> None:
    """Whoever asks for it elsewhere is told to ask again."""
    async with at_work(source(), duty=Duty()) as world:
        with pytest.raises(SyncedElsewhereError, match="ask again"):
            await world.scheduler.sync_now(MAIN)
        assert world.syncs.begun == []


async def test_who_asks_for_a_sync_gets_one_wherever_it_is_asked_for() -> None:
    """One, and no other follows, until the duty comes to this process: then it syncs at once."""
    duty, world, port = Duty(), await loaded_world(), HeldSource()
    await world.syncer.sync(source(port=port))
    pace = Pace(clock=world.clock, sleep=sleep_forever, duty=duty)
    scheduler = Scheduler(world.syncer.sync, world.projector, world.storage, pace)
    async with anyio.create_task_group() as tasks:
        await tasks.start(scheduler.run, [source(port=port)])
        assert (await scheduler.sync_now(MAIN)).completed
        await settled()
        assert (len(port.asked), scheduler.next_run(MAIN)) == (2, None)
        tasks.start_soon(duty.run, OwnLease(), nothing)
        await until(lambda: len(port.asked) == 3 and scheduler.next_run(MAIN))
        tasks.cancel_scope.cancel()


async def sleep_forever(_seconds: float) -> None:
    """A nap that nobody ends."""
    await anyio.sleep_forever()


async def test_nothing_is_replaced_before_the_start() -> None:
    """There is nothing that the tasks could run in."""
    world = await loaded_world()
    scheduler = Scheduler(HeldSyncs(), world.projector, world.storage, Pace(clock=world.clock))
    with pytest.raises(RuntimeError, match="start it first"):
        await scheduler.replace([], nothing)
