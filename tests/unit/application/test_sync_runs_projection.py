"""The last sync of every source as rows of a view."""

from datetime import timedelta

import attrs

from application.event_log import CONFIG_STREAM, LoggedEvent, sync_stream
from application.projections import SYNC_RUNS
from application.projections.sync_runs import RunsBySource, SyncRuns
from domain.events import (
    ConfigEvent,
    RejectedEntry,
    SourceRetired,
    SyncCompleted,
    SyncCounts,
    SyncEvent,
    SyncFailed,
    SyncStage,
)
from domain.identifiers import CommitId, SourceName
from tests.harness.clock import START

A, B = SourceName("a"), SourceName("b")
REJECTED = RejectedEntry(name="io.example/é", reason="no version", path="/servers/3")
COMPLETED = SyncCompleted(
    revision="r1",
    unread=False,
    filter_hash="f",
    settings_hash="s",
    counts=SyncCounts(listed=2, rejected=1),
    rejected=(REJECTED,),
    notes=("a note",),
)
UNREAD = attrs.evolve(COMPLETED, unread=True, counts=SyncCounts(unchanged=2), rejected=(), notes=())
FAILED = SyncFailed(stage=SyncStage.GUARD, reason="too much is gone")
LATER = START + timedelta(hours=1)


class Folded:
    """A state, and the view beside it."""

    def __init__(self) -> None:
        self.state: RunsBySource = {}
        self.rows: dict[str, bytes] = {}
        self.position = 0

    def add(self, source: SourceName, event: SyncEvent | ConfigEvent) -> RunsBySource:
        """One more event, an hour after the one before."""
        at = START + timedelta(hours=self.position)
        self.position += 1
        logged = LoggedEvent(
            position=self.position,
            commit_id=CommitId("c"),
            recorded_at=at,
            effective_at=at,
            stream=CONFIG_STREAM if isinstance(event, SourceRetired) else sync_stream(source),
            event=event,
        )
        step = SYNC_RUNS.step(self.state, [logged])
        (change,) = step.changes
        self.rows = {
            key: row
            for key, row in {**self.rows, **change.puts}.items()
            if key not in change.deletes
        }
        self.state = step.state
        assert SYNC_RUNS.restore(self.rows.items()) == self.state
        return self.state


def test_a_failure_stands_beside_the_last_success() -> None:
    """It goes with the next success, whose time is told."""
    folded = Folded()
    assert folded.add(A, FAILED)[A] == SyncRuns(failed=FAILED)
    assert folded.add(A, COMPLETED)[A] == SyncRuns(completed=COMPLETED, completed_at=LATER)
    runs = folded.add(A, FAILED)
    assert runs[A] == SyncRuns(completed=COMPLETED, completed_at=LATER, failed=FAILED)
    assert folded.add(A, COMPLETED)[A].failed is None


def test_what_was_rejected_stays_so_while_the_source_is_unchanged() -> None:
    """A sync that read nothing is taken with the rejections of the one before."""
    folded = Folded()
    folded.add(A, COMPLETED)
    for _ in range(2):
        run = folded.add(A, UNREAD)[A].completed
        assert run == attrs.evolve(UNREAD, rejected=(REJECTED,))
    sound = attrs.evolve(COMPLETED, rejected=())
    folded.add(A, sound)
    assert folded.add(A, UNREAD)[A].completed == UNREAD


def test_sources_do_not_touch_each_other() -> None:
    """Only the row of the source that was synced is put."""
    folded = Folded()
    folded.add(A, COMPLETED)
    before = folded.rows["a"]
    runs = folded.add(B, FAILED)
    assert (runs[A].failed, runs[B].completed) == (None, None)
    assert folded.rows["a"] is before


def test_a_retired_source_begins_anew() -> None:
    """Its row is deleted, and no sync that read nothing brings it back; others have their rows."""
    folded = Folded()
    folded.add(A, COMPLETED)
    assert folded.add(A, SourceRetired(name=B)).keys() == {A}
    assert folded.add(A, SourceRetired(name=A)) == {}
    assert folded.rows == {}
    assert folded.add(A, UNREAD) == {}
    assert folded.add(A, COMPLETED)[A].completed == COMPLETED
