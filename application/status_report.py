"""Keeps the status of every source up to date: a side report that no sync reads or waits for."""

import logging
from typing import TYPE_CHECKING

import attrs

from application.projections.catalogs import Size
from domain.errors import StorageError
from domain.identifiers import SourceName
from domain.ports.clock import ClockPort
from domain.ports.status import SourceStatus, StatusPort, SyncPhase

if TYPE_CHECKING:
    from application.sync import SyncOutcome


_log = logging.getLogger(__name__)


class StatusReport:
    """Translates the course of syncs into statuses. One that cannot be kept fails no sync."""

    def __init__(self, port: StatusPort, clock: ClockPort) -> None:
        self._port = port
        self._clock = clock

    async def started(self, source: SourceName) -> None:
        """A sync of *source* begins."""
        before = await self._before(source)
        await self._save(
            source,
            attrs.evolve(
                before, phase=SyncPhase.SYNCING, message="", last_attempt=self._clock.now()
            ),
        )

    async def failed(self, source: SourceName, message: str) -> None:
        """A sync of *source* failed."""
        before = await self._before(source)
        await self._save(
            source,
            attrs.evolve(
                before,
                phase=SyncPhase.FAILED,
                message=message,
                attempt_count=before.attempt_count + 1,
            ),
        )

    async def ended(self, outcome: "SyncOutcome", size: Size) -> None:
        """A sync has come to an end that is in the log, with a source of that size."""
        if outcome.failed:
            await self.failed(outcome.source, outcome.failed.reason)
        if (completed := outcome.completed) is None:
            return
        before = await self._before(outcome.source)
        await self._save(
            outcome.source,
            attrs.evolve(
                before,
                phase=SyncPhase.COMPLETE,
                message=_message(completed.counts.rejected, completed.notes),
                attempt_count=0,
                last_sync_time=self._clock.now(),
                last_sync_hash=completed.revision,
                last_applied_filter_hash=completed.filter_hash,
                server_count=size.names,
            ),
        )

    async def retired(self, source: SourceName) -> None:
        """There is nothing more to tell of *source*."""
        try:
            await self._port.discard(source)
        except StorageError as error:
            _log.warning("the status of %s cannot be discarded: %s", source, error)

    async def _before(self, source: SourceName) -> SourceStatus:
        try:
            known = await self._port.load()
        except StorageError as error:
            _log.warning("the status of %s cannot be read: %s", source, error)
            known = {}
        return known.get(source) or SourceStatus(phase=SyncPhase.SYNCING)

    async def _save(self, source: SourceName, status: SourceStatus) -> None:
        try:
            await self._port.save(source, status)
        except StorageError as error:
            _log.warning("the status of %s cannot be kept: %s", source, error)


def _message(rejected: int, notes: tuple[str, ...]) -> str:
    rejections = (f"{rejected} entries were rejected: see registry status",) if rejected else ()
    return "; ".join((*rejections, *notes))
