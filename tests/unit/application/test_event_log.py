"""The typed face of the event store."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.storage.memory import MemoryStorage
from application.event_log import CONFIG, SYNC, EventLog, Write, source_of, sync_stream
from domain.asof import AsOf, AtPosition, AtRecorded
from domain.errors import InvalidAsOfError, NothingRecordedError, WrongExpectedVersionError
from domain.events import SourceRetired, SyncFailed, SyncStage
from domain.identifiers import CommitId, SourceName, StreamName
from domain.log import AnyVersion, Exactly, NoStream
from tests.harness.clock import MICROSECOND, START, SteppingClock
from tests.harness.new_commits import collect
from tests.harness.other_storages import SmallBatches

FAILED = SyncFailed(stage=SyncStage.FETCH, reason="no route")
RETIRED = SourceRetired(name=SourceName("a"))
SYNC_A = sync_stream(SourceName("a"))
CONFIG_STREAM = StreamName("config")


async def log_of(sizes: Sequence[int]) -> MemoryStorage:
    """A log of commits with so many events, the first of each in another stream."""
    storage = MemoryStorage(SteppingClock())
    for number, size in enumerate(sizes):
        await EventLog(storage).append(
            CommitId(f"c{number}"),
            [
                Write(CONFIG_STREAM, AnyVersion(), [RETIRED]),
                Write(SYNC_A, AnyVersion(), [FAILED] * (size - 1)),
            ],
        )
    return storage


@given(st.lists(st.integers(1, 5), max_size=6), st.integers(1, 7), st.booleans())
async def test_batches_hold_whole_commits(
    sizes: list[int], batch_size: int, config_only: bool
) -> None:
    """Wherever a store splits its batches, no commit is split, and no event is lost."""
    storage = await log_of(sizes)
    categories = [CONFIG] if config_only else None
    log = EventLog(SmallBatches(storage, batch_size))
    batches = [batch async for batch in log.read(categories=categories)]
    stored = await collect(storage.read(categories=categories))
    assert [logged.position for batch in batches for logged in batch] == [
        e.position for e in stored
    ]
    commits = [{logged.commit_id for logged in batch} for batch in batches]
    assert all(batches)
    assert sum(map(len, commits)) == len(set().union(*commits)) == len(sizes)


async def test_a_logged_event_knows_its_place() -> None:
    """What was appended comes back as the same event, with position, times, stream and commit."""
    storage = MemoryStorage(SteppingClock())
    log = EventLog(storage)
    earlier = START - timedelta(days=1)
    await log.append(CommitId("c"), [Write(SYNC_A, NoStream(), [FAILED])], effective_at=earlier)
    (logged,) = await collect(log.read())
    assert logged.event == FAILED
    assert (logged.position, logged.commit_id, logged.stream) == (1, "c", "sync-a")
    assert (logged.recorded_at, logged.effective_at) == (START, earlier)


async def test_a_write_without_events_only_expects() -> None:
    """It adds nothing to its stream, and refuses the commit where that stands elsewhere."""
    log = EventLog(storage := MemoryStorage(SteppingClock()))
    failed = Write(SYNC_A, AnyVersion(), [FAILED])
    await log.append(CommitId("c"), [Write(CONFIG_STREAM, Exactly(0), []), failed])
    with pytest.raises(WrongExpectedVersionError, match="stream config has 0 events"):
        await log.append(CommitId("d"), [Write(CONFIG_STREAM, Exactly(9), []), failed])
    assert (await storage.head()).position == 1


async def test_a_stream_that_moved_on_is_refused() -> None:
    """The expectation of a write reaches the store."""
    log = EventLog(await log_of([2]))
    with pytest.raises(WrongExpectedVersionError):
        await log.append(CommitId("again"), [Write(SYNC_A, NoStream(), [FAILED])])


async def test_bounds_and_categories_restrict_what_is_read() -> None:
    """`after` is exclusive, `upto` inclusive, categories are streams up to the first dash."""
    log = EventLog(await log_of([2, 3, 1]))
    assert [e.position for e in await collect(log.read(after=2, upto=5))] == [3, 4, 5]
    assert [e.position for e in await collect(log.read(categories=[SYNC]))] == [2, 4, 5]
    assert await collect(log.read(after=6)) == []


@pytest.mark.parametrize(
    ("moment", "commit"),
    [
        (AtPosition(2), "c0"),
        (AtPosition(3), "c0"),
        (AtPosition(5), "c1"),
        (AtRecorded(START), "c0"),
        (AtRecorded(START + timedelta(milliseconds=1500)), "c1"),
    ],
)
async def test_a_moment_is_the_last_commit_by_then(moment: AsOf, commit: str) -> None:
    """A moment inside a commit, or between two, is the commit before."""
    log = EventLog(await log_of([2, 3]))
    clock = SteppingClock(START + timedelta(hours=1))
    assert (await log.resolve(moment, clock)).commit_id == commit


@pytest.mark.parametrize("moment", [AtPosition(6), AtRecorded(START + timedelta(days=1))])
async def test_the_future_is_refused(moment: AsOf) -> None:
    """What has not come may still change."""
    log = EventLog(await log_of([2, 3]))
    with pytest.raises(InvalidAsOfError, match="future"):
        await log.resolve(moment, SteppingClock(START + timedelta(hours=1)))


async def test_a_clock_that_went_back_hides_no_commit() -> None:
    """The time of the last commit is never in the future."""
    log = EventLog(await log_of([2, 3]))
    last = AtRecorded(START + timedelta(seconds=1))
    behind = SteppingClock(START - timedelta(hours=1))
    assert (await log.resolve(last, behind)).commit_id == "c1"
    with pytest.raises(InvalidAsOfError, match="future"):
        await log.resolve(AtRecorded(last.at + MICROSECOND), behind)


@pytest.mark.parametrize("moment", [AtPosition(1), AtRecorded(START - MICROSECOND)])
async def test_before_the_first_commit_nothing_was_recorded(moment: AsOf) -> None:
    """The error tells when the log begins."""
    log = EventLog(await log_of([2, 3]))
    with pytest.raises(NothingRecordedError, match="2026-11-22T09:30:00Z") as caught:
        await log.resolve(moment, SteppingClock())
    assert caught.value.first_recorded_at == START


@pytest.mark.parametrize("moment", [AtPosition(0), AtRecorded(START)])
async def test_an_empty_log_has_no_moments(moment: AsOf) -> None:
    """The error tells what to do."""
    log = EventLog(await log_of([]))
    with pytest.raises(NothingRecordedError, match="run a sync first") as caught:
        await log.resolve(moment, SteppingClock())
    assert caught.value.first_recorded_at is None


async def test_the_end_is_the_last_position() -> None:
    """Of a log with commits, and of one without."""
    assert await EventLog(await log_of([2, 3, 1])).end() == 6
    assert await EventLog(await log_of([])).end() == 0


def test_a_stream_tells_its_source() -> None:
    """Also where the name of the source has dashes."""
    assert source_of(sync_stream(SourceName("a-b-c"))) == "a-b-c"
