"""Everything there is to say about each source, and about one sync of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from application.codec import payload_of
from application.projections.sync_runs import SyncRuns
from application.projector import Live
from application.scheduler import Scheduler
from application.sync import SyncedSource, SyncOutcome
from domain.events import RejectedEntry, SourceDefined
from domain.identifiers import SourceName
from domain.ports.status import SourceStatus


@attrs.frozen(kw_only=True)
class SourceOverview:
    """A configured source: what it is, how its syncs went, and when the next one is due.

    `synced` is None where this process does not sync it.
    """

    name: SourceName
    definition: SourceDefined
    status: SourceStatus | None
    runs: SyncRuns
    synced: SyncedSource | None = None
    next_run: datetime | None = None

    @property
    def rejected(self) -> tuple[RejectedEntry, ...]:
        """What of the source could not be used when it was last read."""
        return self.runs.completed.rejected if self.runs.completed else ()


def overviews(
    live: Live, statuses: Mapping[SourceName, SourceStatus], scheduler: Scheduler | None = None
) -> list[SourceOverview]:
    """One for each configured source."""
    return [
        SourceOverview(
            name=name,
            definition=definition,
            status=statuses.get(name),
            runs=live.sync_runs.get(name, SyncRuns()),
            synced=scheduler.sources.get(name) if scheduler else None,
            next_run=scheduler.next_run(name) if scheduler else None,
        )
        for name, definition in live.definitions.sources.items()
    ]


def outcome_members(outcome: SyncOutcome) -> dict[str, Any]:
    """How a sync ended, as JSON values: the members of its event, and where it is in the log."""
    event = outcome.completed or outcome.failed
    return {
        "source": outcome.source,
        "position": outcome.position,
        "failed": outcome.failed is not None,
        "warnings": [attrs.asdict(warning) for warning in outcome.warnings],
        **(payload_of(event) if event else {}),
    }
