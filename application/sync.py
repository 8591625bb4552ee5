"""One sync of one source: fetch, parse, filter, diff, append."""

import logging
import uuid
from collections.abc import Sequence

import attrs

from application.backfill import Backfill, Progress
from application.event_log import EventLog, Write, catalog_stream, sync_stream
from application.findings import Findings
from application.projections.sync_runs import SyncRuns
from application.projector import Live, Projector
from application.reading import FailedError, Reader, fetch
from application.source_catalog import SourceCatalog, StoredCatalog
from application.status_report import StatusReport
from domain.errors import RemovalRefusedError, WrongExpectedVersionError
from domain.events import (
    CatalogEvent,
    RejectedEntry,
    SyncCompleted,
    SyncCounts,
    SyncFailed,
    SyncStage,
)
from domain.filters import Filter
from domain.guards import Guards, refuse_removal, withdrawn_names
from domain.identifiers import CommitId, Position, SourceName
from domain.log import AnyVersion, Exactly
from domain.ports.parser import ParserPort
from domain.ports.source import Fetched, SourcePort
from domain.ports.storage import StoragePort

_log = logging.getLogger(__name__)
_DECISIONS = 3  # how often a sync decides again when somebody else appended meanwhile


@attrs.frozen(kw_only=True)
class SyncedSource:
    """A source with all that a sync of it needs.

    `location` is where it is, for people; `settings_hash` tells whether the source itself has
    become another one.
    """

    name: SourceName
    location: str
    port: SourcePort
    parser: ParserPort
    filter: Filter
    guards: Guards
    interval_seconds: float
    settings_hash: str


@attrs.frozen(kw_only=True)
class SyncOutcome:
    """How a sync ended. `position` is that of its last event.

    `warnings` tell what is amiss with entries that were kept; the log only counts them.
    """

    source: SourceName
    position: Position
    completed: SyncCompleted | None = None
    failed: SyncFailed | None = None
    warnings: tuple[RejectedEntry, ...] = ()


@attrs.frozen
class _Versions:
    """Where the streams of a source stand.

    A sync that finds nothing new minds both: another one may have come between, or the source
    may have been retired.
    """

    catalog: int
    sync: int


class Syncer:
    """Syncs sources into the log. An interrupted sync leaves nothing behind."""

    def __init__(
        self, store: StoragePort, log: EventLog, projector: Projector, report: StatusReport
    ) -> None:
        self._store = store
        self._log = log
        self._projector = projector
        self._report = report
        self._reader = Reader(store)
        self._backfill = Backfill(store, log, projector, self._reader)

    async def sync(
        self, source: SyncedSource, progress: Progress = lambda _done, _all: None
    ) -> SyncOutcome:
        """One run, successful or not, with its events in the log.

        The first also records the history of a source that is configured to tell it, which
        *progress* is told of.

        Raises:
            StorageError: nothing could be recorded.
        """
        await self._report.started(source.name)
        try:
            outcome = await self._run(source, progress)
            await self._projector.catch_up()
            size = await StoredCatalog(self._store, source.name).size()
        except Exception as error:
            await self._report.failed(source.name, str(error))
            raise
        await self._report.ended(outcome, size)
        return outcome

    async def _run(self, source: SyncedSource, progress: Progress) -> SyncOutcome:
        try:
            return await self._try(source, progress)
        except FailedError as failure:
            return await self._record_failure(source.name, failure.event)

    async def _try(self, source: SyncedSource, progress: Progress) -> SyncOutcome:
        for _ in range(_DECISIONS - 1):
            try:
                return await self._read_and_record(source, progress)
            except WrongExpectedVersionError:
                _log.info("somebody else synced %s meanwhile: reading it again", source.name)
        return await self._read_and_record(source, progress)

    async def _read_and_record(self, source: SyncedSource, progress: Progress) -> SyncOutcome:
        known = _known(await self._projector.catch_up(), source)
        notes = () if known else await self._backfill.run(source, progress)
        versions = await self._versions(source.name)
        known = _known(await self._projector.catch_up(), source)
        catalog = StoredCatalog(self._store, source.name)
        fetched = await fetch(source, known)
        if isinstance(fetched, SyncCompleted):
            return await self._record_unchanged(source.name, fetched, catalog, versions)
        fetched = attrs.evolve(fetched, notes=(*fetched.notes, *notes))
        commit_id = _commit_id(source.name)
        async with self._reader.staging(commit_id):
            revision = known.revision if known else None
            findings = await self._reader.read(source, fetched, catalog, commit_id, revision)
            if known and not fetched.complete:
                findings.keep_rejected(known.rejected)
            return await self._record(source, fetched, findings, versions, commit_id)

    async def _versions(self, source: SourceName) -> _Versions:
        """Read before the catalog is: whoever appends from here on makes this sync start again."""
        return _Versions(
            catalog=await self._store.stream_version(catalog_stream(source)),
            sync=await self._store.stream_version(sync_stream(source)),
        )

    async def _record(
        self,
        source: SyncedSource,
        fetched: Fetched,
        findings: Findings,
        versions: _Versions,
        commit_id: CommitId,
    ) -> SyncOutcome:
        events = await findings.events()
        await self._refuse_removal(source, findings.catalog, events)
        counts = await findings.counts(events)
        completed = SyncCompleted(
            revision=fetched.revision(),
            unread=False,
            filter_hash=source.filter.hash,
            settings_hash=source.settings_hash,
            counts=counts,
            rejected=tuple(findings.rejected),
            notes=fetched.notes,
        )
        appended = await self._log.append(
            commit_id,
            _writes(source.name, versions, events, completed),
            effective_at=fetched.effective_at,
        )
        return SyncOutcome(
            source=source.name,
            position=appended.commit.last_position,
            completed=completed,
            warnings=tuple(findings.warnings),
        )

    async def _refuse_removal(
        self, source: SyncedSource, catalog: SourceCatalog, events: Sequence[CatalogEvent]
    ) -> None:
        if names := withdrawn_names(events):
            try:
                offered = await catalog.named(names)
                refuse_removal((await catalog.size()).names, offered, events, source.guards)
            except RemovalRefusedError as error:
                raise FailedError(SyncStage.GUARD, str(error)) from error

    async def _record_unchanged(
        self, source: SourceName, last: SyncCompleted, catalog: SourceCatalog, versions: _Versions
    ) -> SyncOutcome:
        counts = SyncCounts(unchanged=(await catalog.size()).entries)
        completed = attrs.evolve(last, unread=True, counts=counts, rejected=(), notes=())
        writes = _writes(source, versions, [], completed)
        appended = await self._log.append(_commit_id(source), writes)
        position = appended.commit.last_position
        return SyncOutcome(source=source, position=position, completed=completed)

    async def _record_failure(self, source: SourceName, failed: SyncFailed) -> SyncOutcome:
        write = Write(sync_stream(source), AnyVersion(), [failed])
        appended = await self._log.append(_commit_id(source), [write])
        return SyncOutcome(source=source, position=appended.commit.last_position, failed=failed)


def _known(live: Live, source: SyncedSource) -> SyncCompleted | None:
    """The last sync that went well, if what it read is still to be read the same way."""
    last = live.sync_runs.get(source.name, SyncRuns()).completed
    return last if last and _same_rules(last, source) else None


def _same_rules(last: SyncCompleted, source: SyncedSource) -> bool:
    """A changed filter or another place must be read even at a revision that is known."""
    return (last.filter_hash, last.settings_hash) == (source.filter.hash, source.settings_hash)


def _writes(
    source: SourceName,
    versions: _Versions,
    events: Sequence[CatalogEvent],
    completed: SyncCompleted,
) -> Sequence[Write]:
    return [
        Write(catalog_stream(source), Exactly(versions.catalog), events),
        Write(sync_stream(source), Exactly(versions.sync), [completed]),
    ]


def _commit_id(source: SourceName) -> CommitId:
    return CommitId(f"sync-{source}-{uuid.uuid4().hex}")
