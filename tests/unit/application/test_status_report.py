"""What the status of a source says in the course of its syncs."""

import attrs
import pytest

from adapters.status.memory import MemoryStatus
from application.projections.catalogs import Size
from application.status_report import StatusReport
from application.sync import SyncOutcome
from domain.events import RejectedEntry, SyncCompleted, SyncCounts, SyncFailed, SyncStage
from domain.ports.status import SourceStatus, SyncPhase
from tests.harness.clock import SECOND, START, SteppingClock
from tests.harness.sync_world import MAIN, HeldSource, loaded_world, server, synced_source

FAILED = SyncOutcome(
    source=MAIN, position=1, failed=SyncFailed(stage=SyncStage.FETCH, reason="nobody is there")
)
COMPLETED = SyncCompleted(
    revision="r1",
    unread=False,
    filter_hash="f1",
    settings_hash="s1",
    counts=SyncCounts(),
    rejected=(),
    notes=(),
)


def _report() -> tuple[StatusReport, MemoryStatus]:
    port = MemoryStatus()
    return StatusReport(port, SteppingClock()), port


def _ended(completed: SyncCompleted) -> SyncOutcome:
    return SyncOutcome(source=MAIN, position=1, completed=completed)


async def test_a_sync_that_begins_is_an_attempt() -> None:
    """The status is Syncing from when the sync began."""
    report, port = _report()
    await report.started(MAIN)
    assert await port.load() == {MAIN: SourceStatus(phase=SyncPhase.SYNCING, last_attempt=START)}


async def test_a_completed_sync_is_told_in_full() -> None:
    """The status has the revision, the filter and the time of the success."""
    report, port = _report()
    await report.started(MAIN)
    await report.ended(_ended(COMPLETED), Size())
    assert (await port.load())[MAIN] == SourceStatus(
        phase=SyncPhase.COMPLETE,
        last_attempt=START,
        last_sync_time=START + SECOND,
        last_sync_hash="r1",
        last_applied_filter_hash="f1",
    )


async def test_failures_are_counted_until_a_success() -> None:
    """Each failure is one attempt more and has its reason; a success counts from zero."""
    report, port = _report()
    for failures in (1, 2, 3):
        await report.started(MAIN)
        await report.ended(FAILED, Size())
        status = (await port.load())[MAIN]
        assert (status.phase, status.attempt_count) == (SyncPhase.FAILED, failures)
        assert status.message == "nobody is there"
    await report.started(MAIN)
    assert (await port.load())[MAIN].message == ""
    await report.ended(_ended(COMPLETED), Size())
    assert (await port.load())[MAIN].attempt_count == 0


async def test_a_failure_keeps_what_is_known_of_the_last_success() -> None:
    """Operators still see what is being served, and since when."""
    report, port = _report()
    await report.ended(_ended(COMPLETED), Size())
    before = (await port.load())[MAIN]
    await report.failed(MAIN, "the disk is full")
    assert (await port.load())[MAIN] == attrs.evolve(
        before, phase=SyncPhase.FAILED, message="the disk is full", attempt_count=1
    )


@pytest.mark.parametrize(
    ("rejected", "notes", "message"),
    [
        (0, (), ""),
        (2, (), "2 entries were rejected: see registry status"),
        (0, ("rewritten", "shallow"), "rewritten; shallow"),
        (2, ("rewritten",), "2 entries were rejected: see registry status; rewritten"),
    ],
)
async def test_a_success_may_have_something_to_tell(
    rejected: int, notes: tuple[str, ...], message: str
) -> None:
    """The message has the number of rejected entries and the notes of the source."""
    report, port = _report()
    entries = tuple(RejectedEntry(name=str(n), reason="bad", path="") for n in range(rejected))
    counts = SyncCounts(rejected=rejected)
    completed = attrs.evolve(COMPLETED, counts=counts, rejected=entries, notes=notes)
    await report.ended(_ended(completed), Size())
    assert (await port.load())[MAIN].message == message


async def test_servers_are_counted_by_name() -> None:
    """Two versions are one server, also in the status after a sync that read nothing."""
    world = await loaded_world()
    source = synced_source(HeldSource(server("a", "1.0.0"), server("a", "2.0.0"), server("b")))
    for _ in range(2):
        await world.syncer.sync(source)
        assert (await world.status.load())[MAIN].server_count == 2


async def test_a_retired_source_has_no_status() -> None:
    """What is no longer configured is no longer told of, whoever reads the status."""
    port = MemoryStatus()
    report = StatusReport(port, SteppingClock())
    await report.started(MAIN)
    await report.retired(MAIN)
    assert await port.load() == {}
