"""How many syncs this process has made, and how they ended."""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from time import perf_counter

import attrs

from application.sync import SyncedSource, SyncOutcome
from domain.identifiers import SourceName


class SyncEnd(StrEnum):
    """How a sync may end. `unread`: the source was as before. `unrecorded`: the log refused."""

    COMPLETED = "completed"
    UNREAD = "unread"
    FAILED = "failed"
    UNRECORDED = "unrecorded"


@attrs.frozen(kw_only=True)
class SyncCount:
    """The syncs of a source that ended one way, and how many seconds they took together."""

    source: SourceName
    end: SyncEnd
    syncs: int
    seconds: float


class CountedSyncs:
    """Syncs, counted as they end. One that is cancelled has not ended."""

    def __init__(
        self,
        sync: Callable[[SyncedSource], Awaitable[SyncOutcome]],
        now: Callable[[], float] = perf_counter,
    ) -> None:
        self._sync = sync
        self._now = now
        self._counts: dict[tuple[SourceName, SyncEnd], SyncCount] = {}

    async def sync(self, source: SyncedSource) -> SyncOutcome:
        """What the sync that is counted says, or raises."""
        began = self._now()
        try:
            outcome = await self._sync(source)
        except Exception:
            self._count(source.name, SyncEnd.UNRECORDED, began)
            raise
        self._count(source.name, _end_of(outcome), began)
        return outcome

    def counts(self) -> Sequence[SyncCount]:
        """How many there were by now, of each source and end that there was."""
        return list(self._counts.values())

    def _count(self, source: SourceName, end: SyncEnd, began: float) -> None:
        first = SyncCount(source=source, end=end, syncs=0, seconds=0.0)
        before = self._counts.get((source, end), first)
        self._counts[source, end] = attrs.evolve(
            before, syncs=before.syncs + 1, seconds=before.seconds + self._now() - began
        )


def _end_of(outcome: SyncOutcome) -> SyncEnd:
    if outcome.completed is None:
        return SyncEnd.FAILED
    return SyncEnd.UNREAD if outcome.completed.unread else SyncEnd.COMPLETED
