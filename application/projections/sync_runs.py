"""The last sync of every source, as the log tells it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import attrs

from application.event_log import SYNC, LoggedEvent, source_of
from application.projections.projection import Step
from application.view_rows import pack, unpack
from domain.events import SyncCompleted, SyncFailed
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
    categories = (SYNC,)

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> RunsBySource:
        return {SourceName(source): unpack(value, SyncRuns) for source, value in rows}

    def step(self, state: RunsBySource, events: Sequence[LoggedEvent]) -> Step[RunsBySource]:
        changed: dict[SourceName, SyncRuns] = {}
        for logged in events:
            source = source_of(logged.stream)
            runs = changed.get(source) or state.get(source) or SyncRuns()
            changed[source] = _after(runs, logged)
        puts = {str(source): pack(runs) for source, runs in changed.items()}
        return Step({**state, **changed}, ViewChange(puts=puts))


def _after(runs: SyncRuns, logged: LoggedEvent) -> SyncRuns:
    match logged.event:
        case SyncCompleted() as completed:
            if completed.unread and runs.completed:
                completed = attrs.evolve(completed, rejected=runs.completed.rejected)
            return SyncRuns(completed=completed, completed_at=logged.recorded_at)
        case SyncFailed() as failed:
            return attrs.evolve(runs, failed=failed)
        case _:
            return runs
