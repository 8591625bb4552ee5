"""The last sync of every source since it was defined, as the log tells it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import attrs

from application.event_log import CONFIG, SYNC, LoggedEvent, source_of
from application.projections.projection import Step
from application.view_rows import pack, unpack
from domain.events import SourceRetired, SyncCompleted, SyncFailed
from domain.identifiers import SourceName
from domain.ports.storage import View, ViewChange


@attrs.frozen(kw_only=True)
class SyncRuns:
    """The last completed sync of a source, and the failure after it if there is one."""

    completed: SyncCompleted | None = None
    completed_at: datetime | None = None
    failed: SyncFailed | None = None


RunsBySource: TypeAlias = Mapping[SourceName, SyncRuns]


class SyncRunsProjection:
    """One row per source."""

    view = View("sync_runs", 1)
    categories = (SYNC, CONFIG)

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> RunsBySource:
        return {SourceName(source): unpack(value, SyncRuns) for source, value in rows}

    def step(self, state: RunsBySource, events: Sequence[LoggedEvent]) -> Step[RunsBySource]:
        runs = dict(state)
        for logged in events:
            _apply(runs, logged)
        changed = {source: run for source, run in runs.items() if run is not state.get(source)}
        puts = {str(source): pack(run) for source, run in changed.items()}
        deletes = frozenset(state.keys() - runs.keys())
        return Step(runs, [ViewChange(since=events[-1].position, puts=puts, deletes=deletes)])


def _apply(runs: dict[SourceName, SyncRuns], logged: LoggedEvent) -> None:
    """A source that was retired has lost its catalog, so its syncs begin anew.

    One that was under way meanwhile may still say that the catalog is as it was: it is not.
    """
    source = source_of(logged.stream)
    before = runs.get(source, SyncRuns())
    match logged.event:
        case SyncCompleted(unread=True) if before.completed is None:
            pass
        case SyncCompleted() as completed:
            if completed.unread and before.completed:
                completed = attrs.evolve(completed, rejected=before.completed.rejected)
            runs[source] = SyncRuns(completed=completed, completed_at=logged.recorded_at)
        case SyncFailed() as failed:
            runs[source] = attrs.evolve(before, failed=failed)
        case SourceRetired(name=name):
            runs.pop(name, None)
