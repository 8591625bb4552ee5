"""When each source is synced. No test here waits: sleep is what the test makes of it."""

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.storage.memory import MemoryStorage
from application.scheduler import Scheduler
from application.source_task import Pace, delay_seconds
from application.sync import SyncedSource, SyncOutcome
from domain.errors import SourceUnreachableError, StorageUnavailableError
from domain.events import SyncCompleted, SyncCounts, SyncFailed, SyncStage
from domain.identifiers import SourceName
from domain.log import Head
from tests.harness.clock import SteppingClock
from tests.harness.live_view import stored_catalogs
from tests.harness.sync_world import (
    MAIN,
    HeldSource,
    SyncWorld,
    loaded_world,
    server,
    synced_source,
)

OTHER = SourceName("other")
PAUSE_SECONDS = 1.0
COMPLETED = SyncOutcome(
    source=MAIN,
    position=1,
    completed=SyncCompleted(
        revision="",
        unread=True,
        filter_hash="",
        settings_hash="",
        counts=SyncCounts(),
        rejected=(),
        notes=(),
    ),
)
FAILED = SyncOutcome(
    source=MAIN, position=1, failed=SyncFailed(stage=SyncStage.FETCH, reason="nobody is there")
)
FULL = StorageUnavailableError("the disk is full")
DEFECT = ZeroDivisionError("oops")
FAILURES = [FAILED, FULL, DEFECT]


class Naps:
    """A sleep that takes no time. After `count` naps of sources all comes to its end."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken: list[float] = []
        self.scope = anyio.CancelScope()

    async def __call__(self, seconds: float) -> None:
        if seconds == PAUSE_SECONDS:
            await anyio.sleep_forever()
        self.taken.append(seconds)
        if len(self.taken) >= self.count:
            self.scope.cancel()
        await anyio.lowlevel.checkpoint()


class GrowingLog:
    """A log as one sees it who follows it: it grows by one step at a time, then all ends."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.scope = anyio.CancelScope()

    async def grown(self) -> None:
        if self.steps:
            await self.steps.pop(0)()
        else:
            self.scope.cancel()
            await anyio.lowlevel.checkpoint()


class ScriptedSync:
    """A sync that ends as the test says, one end after the other, the last one for ever."""

    def __init__(self, *ends: SyncOutcome | Exception) -> None:
        self.ends: Iterator[SyncOutcome | Exception] = itertools.chain(
            ends, itertools.repeat(ends[-1])
        )

    async def __call__(self, _source: SyncedSource) -> SyncOutcome:
        end = next(self.ends)
        if isinstance(end, Exception):
            raise end
        return end


class UnreachableStorage:
    """A storage whose head cannot be read while it has a failure."""

    def __init__(self) -> None:
        self.storage = MemoryStorage(SteppingClock())
        self.failure: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    async def head(self) -> Head:
        if self.failure:
            raise self.failure
        return await self.storage.head()


def _source(name: SourceName = MAIN, interval_seconds: float = 60.0) -> SyncedSource:
    return synced_source(HeldSource(), name, interval_seconds=interval_seconds)


async def _no_nap(_seconds: float) -> None:
    await anyio.lowlevel.checkpoint()


def _scheduler(
    world: SyncWorld, sync: Any, sleep: Any = _no_nap, chance: float = 0.5, log: Any = None
) -> Scheduler:
    pace = Pace(clock=world.clock, sleep=sleep, chance=lambda: chance)
    return Scheduler(sync, world.projector, log or world.storage, pace)


async def _naps(
    *ends: SyncOutcome | Exception, count: int, interval_seconds: float = 60.0, chance: float = 0.5
) -> list[float]:
    """The first sleeps of a source whose syncs end like this."""
    naps = Naps(count)
    scheduler = _scheduler(await loaded_world(), ScriptedSync(*ends), naps, chance)
    with naps.scope:
        await scheduler.run([_source(interval_seconds=interval_seconds)])
    return naps.taken


async def test_a_source_is_synced_at_once_and_then_on_its_interval() -> None:
    """Successes are one interval apart."""
    assert await _naps(COMPLETED, count=3, interval_seconds=90.0) == [90.0] * 3


@pytest.mark.parametrize("failure", FAILURES, ids=["failed", "not recorded", "defect"])
async def test_failures_are_tried_again_ever_later(failure: SyncOutcome | Exception) -> None:
    """After 5, 10, 20 ... seconds, and never later than a success would be."""
    assert await _naps(failure, count=6) == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


async def test_a_success_ends_the_backing_off() -> None:
    """The next failure is one after no failure."""
    naps = await _naps(FAILED, DEFECT, COMPLETED, FULL, COMPLETED, count=5)
    assert naps == [5.0, 10.0, 60.0, 5.0, 60.0]


async def test_a_short_interval_is_shorter_than_the_first_retry() -> None:
    """Failing does not make a source rarer, but it does not make it more frequent either."""
    assert await _naps(FAILED, COMPLETED, count=2, interval_seconds=2.0) == [2.0, 2.0]


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 54.0), (0.5, 60.0), (1.0, 66.0)])
async def test_chance_spreads_the_syncs(chance: float, seconds: float) -> None:
    """A tenth earlier or later, so that many do not come at once."""
    (nap,) = await _naps(COMPLETED, count=1, chance=chance)
    assert nap == pytest.approx(seconds)


@given(
    st.floats(0.001, 1e9), st.integers(0, 100_000), st.floats(0, 1, exclude_max=True), st.booleans()
)
def test_a_delay_is_near_its_interval_or_below(
    interval: float, failures: int, chance: float, once_more: bool
) -> None:
    """No number of failures makes a delay longer than the interval and a tenth, or shorter."""
    delay = delay_seconds(interval, failures, chance)
    assert 0.9 * min(interval, 5.0) <= delay * 1.000001
    assert delay <= 1.1 * interval * 1.000001
    if failures:
        assert delay_seconds(interval, failures + once_more, chance) >= delay


@pytest.mark.parametrize("failure", FAILURES, ids=["failed", "not recorded", "defect"])
async def test_a_failing_source_does_not_delay_another(failure: SyncOutcome | Exception) -> None:
    """Each source has its own back-off."""
    ends = {MAIN: ScriptedSync(COMPLETED), OTHER: ScriptedSync(failure)}
    naps = Naps(count=6)
    scheduler = _scheduler(await loaded_world(), lambda source: ends[source.name](source), naps)
    with naps.scope:
        await scheduler.run([_source(), _source(OTHER, interval_seconds=7.0)])
    assert sorted(naps.taken) == [5.0, 7.0, 7.0, 60.0, 60.0, 60.0]


async def test_a_hanging_source_does_not_delay_another() -> None:
    """A source that never answers keeps only itself from being synced."""

    async def sync(source: SyncedSource) -> SyncOutcome:
        if source.name == OTHER:
            await anyio.sleep_forever()
        return COMPLETED

    naps = Naps(count=3)
    scheduler = _scheduler(await loaded_world(), sync, naps)
    with naps.scope:
        await scheduler.run([_source(OTHER), _source()])
    assert naps.taken == [60.0] * 3


@pytest.mark.parametrize(
    ("end", "level", "words"),
    [
        (FAILED, logging.WARNING, "source main: nobody is there"),
        (FULL, logging.ERROR, "nothing could be recorded: the disk is full"),
        (DEFECT, logging.ERROR, "please report this"),
    ],
)
async def test_a_failure_is_logged(
    end: SyncOutcome | Exception, level: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator learns which source it is, and a defect comes with its traceback."""
    await _naps(end, count=1)
    (record,) = caplog.records
    assert record.levelno == level
    assert words in record.getMessage()
    assert bool(record.exc_info) == (end is DEFECT)


async def test_real_syncs_go_on_after_a_failure() -> None:
    """A source that was unreachable is in the log as soon as it answers."""
    world, port = await loaded_world(), HeldSource(server("a"))
    port.failure = SourceUnreachableError("nobody is there")
    naps = Naps(count=2)

    async def sleep(seconds: float) -> None:
        if seconds == 5.0:
            port.failure = None
        await naps(seconds)

    with naps.scope:
        await _scheduler(world, world.syncer.sync, sleep).run([synced_source(port)])
    assert naps.taken == [5.0, 60.0]
    assert await world.offered() == {"a@1.0.0"}


async def test_what_other_processes_append_is_taken_over() -> None:
    """A server follows the log also without a source of its own."""
    storage = MemoryStorage(SteppingClock())
    world, rival = await loaded_world(storage), await loaded_world(storage)
    log = GrowingLog(
        lambda: rival.configure({"default": ("main",)}),
        lambda: rival.syncer.sync(synced_source(HeldSource(server("a")))),
    )
    with log.scope:
        await _scheduler(world, world.syncer.sync, log=log).run([])
    assert world.projector.live == rival.projector.live
    assert set(await stored_catalogs(world.storage)) == {MAIN}


async def test_a_log_that_cannot_be_followed_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The same trouble is logged once, other trouble or new trouble again; following goes on."""
    storage = UnreachableStorage()
    world, rival = await loaded_world(storage), await loaded_world(storage.storage)

    def fails_with(failure: Exception | None) -> Any:
        async def step() -> None:
            storage.failure = failure

        return step

    other = StorageUnavailableError("the file is locked")
    log = GrowingLog(
        *map(fails_with, [FULL, FULL, other, None, other, None]),
        lambda: rival.configure({"default": ("main",)}),
    )
    with log.scope:
        await _scheduler(world, world.syncer.sync, log=log).run([])
    told = [record.getMessage().rpartition(": ")[2] for record in caplog.records]
    assert told == ["the disk is full", "the file is locked", "the file is locked"]
    assert set(world.projector.live.definitions.sources) == {MAIN}
