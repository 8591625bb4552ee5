"""One sync of one source: fetch, parse, filter, diff, append."""

import json
import logging
import uuid
from collections.abc import AsyncIterable, Mapping, Sequence
from typing import Any

import anyio.to_thread
import attrs

from application.event_log import EventLog, Write, catalog_stream, sync_stream
from application.projections.sync_runs import SyncRuns
from application.projector import Projector
from application.status_report import StatusReport
from domain.catalog import Catalog
from domain.diff import Offer, diff, revised_hashes
from domain.entry import Entry
from domain.errors import (
    RemovalRefusedError,
    SourceContentError,
    SourceError,
    WrongExpectedVersionError,
)
from domain.events import (
    CatalogEvent,
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
    RejectedEntry,
    SyncCompleted,
    SyncCounts,
    SyncEvent,
    SyncFailed,
    SyncStage,
)
from domain.filters import Filter
from domain.guards import Guards, refuse_removal
from domain.identifiers import CommitId, DocumentHash, EntryKey, Position, SourceName
from domain.log import AnyVersion, Exactly, ExpectedVersion
from domain.ports.format import FormatPort, Parsed
from domain.ports.source import Fetched, SourcePort, Unchanged
from domain.ports.storage import EventStorePort

_log = logging.getLogger(__name__)
_DECISIONS = 3  # how often a sync decides again when somebody else appended meanwhile


@attrs.frozen(kw_only=True)
class SyncedSource:
    """A source with all that a sync of it needs.

    `settings_hash` tells whether the source itself has become another one.
    """

    name: SourceName
    port: SourcePort
    format: FormatPort
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


@attrs.frozen(kw_only=True)
class _Content:
    """What was read and kept for the diff."""

    fetched: Fetched
    offer: Offer
    rejected: tuple[RejectedEntry, ...]
    warnings: tuple[RejectedEntry, ...]


@attrs.frozen
class _Versions:
    """Where the streams of a source stand.

    A sync that changes nothing writes nothing to the catalog's stream, so that stream alone
    would not tell that another sync came between.
    """

    catalog: int
    sync: int


class _FailedError(Exception):
    """Carries the stage that a failure happened in."""

    def __init__(self, stage: SyncStage, reason: str) -> None:
        super().__init__(reason)
        writable = reason.encode(errors="replace").decode()  # a path may be no Unicode
        self.event = SyncFailed(stage=stage, reason=writable)


class Syncer:
    """Syncs sources into the log. An interrupted sync leaves nothing behind."""

    def __init__(
        self, store: EventStorePort, log: EventLog, projector: Projector, report: StatusReport
    ) -> None:
        self._store = store
        self._log = log
        self._projector = projector
        self._report = report

    async def sync(self, source: SyncedSource) -> SyncOutcome:
        """One run, successful or not, with its events in the log.

        Raises:
            StorageError: nothing could be recorded.
        """
        await self._report.started(source.name)
        try:
            outcome = await self._run(source)
            live = await self._projector.catch_up()
        except Exception as error:
            await self._report.failed(source.name, str(error))
            raise
        await self._report.ended(outcome, live.catalogs.get(source.name, Catalog()))
        return outcome

    async def _run(self, source: SyncedSource) -> SyncOutcome:
        try:
            return await self._try(source)
        except _FailedError as failure:
            position = await self._record_run(source.name, failure.event, AnyVersion())
            return SyncOutcome(source=source.name, position=position, failed=failure.event)

    async def _try(self, source: SyncedSource) -> SyncOutcome:
        for _ in range(_DECISIONS - 1):
            try:
                return await self._read_and_record(source)
            except WrongExpectedVersionError:
                _log.info("somebody else synced %s meanwhile: reading it again", source.name)
        return await self._read_and_record(source)

    async def _read_and_record(self, source: SyncedSource) -> SyncOutcome:
        versions = await self._versions(source.name)
        live = await self._projector.catch_up()
        catalog = live.catalogs.get(source.name, Catalog())
        last = live.sync_runs.get(source.name, SyncRuns()).completed
        content = await _read(source, last if last and _same_rules(last, source) else None)
        if isinstance(content, SyncCompleted):
            return await self._record_unchanged(source.name, content, catalog, versions)
        return await self._record(source, content, catalog, versions)

    async def _versions(self, source: SourceName) -> _Versions:
        """Read before the catalog is: whoever appends from here on makes this sync start again."""
        return _Versions(
            catalog=await self._store.stream_version(catalog_stream(source)),
            sync=await self._store.stream_version(sync_stream(source)),
        )

    async def _record(
        self, source: SyncedSource, content: _Content, catalog: Catalog, versions: _Versions
    ) -> SyncOutcome:
        documents = await self._revised_documents(catalog, content.offer)
        events = await anyio.to_thread.run_sync(diff, catalog, content.offer, documents)
        try:
            refuse_removal(catalog, events, source.guards)
        except RemovalRefusedError as error:
            raise _FailedError(SyncStage.GUARD, str(error)) from error
        completed = _completed(source, content, events)
        appended = await self._log.append(
            _commit_id(source.name),
            [
                Write(catalog_stream(source.name), Exactly(versions.catalog), events),
                Write(sync_stream(source.name), Exactly(versions.sync), [completed]),
            ],
            documents=_new_documents(content.offer, events),
            effective_at=content.fetched.effective_at,
        )
        return SyncOutcome(
            source=source.name,
            position=appended.commit.last_position,
            completed=completed,
            warnings=content.warnings,
        )

    async def _revised_documents(
        self, catalog: Catalog, offer: Offer
    ) -> Mapping[DocumentHash, Any]:
        wanted = revised_hashes(catalog, offer)
        offered = {e.document_hash: e.document for e in offer.kept.values()}
        stored = await self._store.documents(wanted - offered.keys())
        bodies = {**stored, **{known: offered[known] for known in wanted & offered.keys()}}
        return await anyio.to_thread.run_sync(_parse_all, bodies)

    async def _record_unchanged(
        self, source: SourceName, last: SyncCompleted, catalog: Catalog, versions: _Versions
    ) -> SyncOutcome:
        counts = SyncCounts(unchanged=sum(1 for _ in catalog.entries()))
        completed = attrs.evolve(last, unread=True, counts=counts, rejected=(), notes=())
        position = await self._record_run(source, completed, Exactly(versions.sync))
        return SyncOutcome(source=source, position=position, completed=completed)

    async def _record_run(
        self, source: SourceName, event: SyncEvent, expected: ExpectedVersion
    ) -> Position:
        write = Write(sync_stream(source), expected, [event])
        appended = await self._log.append(_commit_id(source), [write])
        return appended.commit.last_position


def _same_rules(last: SyncCompleted, source: SyncedSource) -> bool:
    """A changed filter or another place must be read even at a revision that is known."""
    return (last.filter_hash, last.settings_hash) == (source.filter.hash, source.settings_hash)


async def _read(source: SyncedSource, last: SyncCompleted | None) -> _Content | SyncCompleted:
    """What the source offers, or *last* where it has not changed since."""
    try:
        fetched = await source.port.fetch(last.revision if last else None)
        if isinstance(fetched, Unchanged):
            if last is None:
                raise TypeError("unchanged, but since when?")
            return last
        parsed = await _parse(source.format, fetched.payloads)
    except SourceError as error:
        raise _FailedError(SyncStage.FETCH, str(error)) from error
    except _FailedError:
        raise
    except Exception as error:
        _log.exception("reading source %s failed in a way nobody foresaw", source.name)
        reason = f"internal error, please report it: {error!r}"
        raise _FailedError(SyncStage.FETCH, reason) from error
    return _Content(
        fetched=fetched,
        offer=await anyio.to_thread.run_sync(_offer, parsed, source.filter),
        rejected=tuple(rejected for page in parsed for rejected in page.rejected),
        warnings=tuple(warning for page in parsed for warning in page.warnings),
    )


async def _parse(format_: FormatPort, payloads: AsyncIterable[bytes]) -> Sequence[Parsed]:
    parsed = []
    async for payload in payloads:
        try:
            parsed.append(await anyio.to_thread.run_sync(format_.parse, payload))
        except SourceContentError as error:
            raise _FailedError(SyncStage.PARSE, str(error)) from error
    return parsed


def _offer(pages: Sequence[Parsed], filter_: Filter) -> Offer:
    kept: dict[EntryKey, Entry] = {}
    filtered: set[EntryKey] = set()
    for entry in (entry for page in pages for entry in page.entries):
        if filter_.keeps(entry.key.name, entry.tags):
            kept.setdefault(entry.key, entry)
        else:
            filtered.add(entry.key)
    return Offer(
        kept=kept,
        filtered=frozenset(filtered),
        doubtful=frozenset(rejected.name for page in pages for rejected in page.rejected),
    )


def _completed(
    source: SyncedSource, content: _Content, events: Sequence[CatalogEvent]
) -> SyncCompleted:
    return SyncCompleted(
        revision=content.fetched.revision(),
        unread=False,
        filter_hash=source.filter.hash,
        settings_hash=source.settings_hash,
        counts=_counts(content, events),
        rejected=content.rejected,
        notes=content.fetched.notes,
    )


def _counts(content: _Content, events: Sequence[CatalogEvent]) -> SyncCounts:
    def count(cls: type[CatalogEvent]) -> int:
        return sum(isinstance(event, cls) for event in events)

    touched = {event.key for event in events}
    return SyncCounts(
        listed=count(EntryListed),
        revised=count(EntryRevised),
        status_changed=count(EntryStatusChanged),
        delisted=count(EntryDelisted),
        unchanged=len(content.offer.kept.keys() - touched),
        rejected=len(content.rejected),
        warned=len({warning.name for warning in content.warnings}),
    )


def _new_documents(offer: Offer, events: Sequence[CatalogEvent]) -> Mapping[DocumentHash, bytes]:
    return {
        event.document_hash: offer.kept[event.key].document
        for event in events
        if isinstance(event, EntryListed | EntryRevised)
    }


def _parse_all(bodies: Mapping[DocumentHash, bytes]) -> dict[DocumentHash, Any]:
    return {known: json.loads(body) for known, body in bodies.items()}


def _commit_id(source: SourceName) -> CommitId:
    return CommitId(f"sync-{source}-{uuid.uuid4().hex}")
