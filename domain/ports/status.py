"""What operators see of the sources."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import attrs

from domain.identifiers import SourceName


class SyncPhase(StrEnum):
    """Where the sync of a source stands."""

    SYNCING = "Syncing"
    COMPLETE = "Complete"
    FAILED = "Failed"


@attrs.frozen(kw_only=True)
class SourceStatus:
    """A side report on one source. Nothing is decided by it.

    `attempt_count` counts the failures since the last success. `last_sync_hash` is the
    source's revision at its last success, `server_count` what it offered then.
    """

    phase: SyncPhase
    message: str = ""
    last_attempt: datetime | None = None
    attempt_count: int = 0
    last_sync_time: datetime | None = None
    last_sync_hash: str = ""
    last_applied_filter_hash: str = ""
    server_count: int = 0


class StatusPort(Protocol):
    """Keeps one report per source over restarts."""

    async def save(self, source: SourceName, status: SourceStatus) -> None:
        """Replace the report on *source*.

        Raises:
            StorageUnavailableError
        """
        ...

    async def load(self) -> Mapping[SourceName, SourceStatus]:
        """Every report kept.

        Raises:
            StorageUnavailableError
        """
        ...

    async def discard(self, source: SourceName) -> None:
        """Forget the report on *source*, which may be unknown."""
        ...

    async def close(self) -> None:
        """Let go of files and connections."""
        ...
