"""Everything there is to say about each source."""

from collections.abc import Mapping

import attrs

from application.projections.sync_runs import SyncRuns
from application.projector import Live
from domain.events import RejectedEntry, SourceDefined
from domain.identifiers import SourceName
from domain.ports.status import SourceStatus


@attrs.frozen(kw_only=True)
class SourceOverview:
    """A configured source: what it is, how its syncs go, what of it was rejected."""

    name: SourceName
    definition: SourceDefined
    status: SourceStatus | None
    rejected: tuple[RejectedEntry, ...]


def overviews(live: Live, statuses: Mapping[SourceName, SourceStatus]) -> list[SourceOverview]:
    """One for each configured source."""
    return [
        SourceOverview(
            name=name,
            definition=definition,
            status=statuses.get(name),
            rejected=_rejected(live.sync_runs.get(name, SyncRuns())),
        )
        for name, definition in live.definitions.sources.items()
    ]


def _rejected(runs: SyncRuns) -> tuple[RejectedEntry, ...]:
    return runs.completed.rejected if runs.completed else ()
