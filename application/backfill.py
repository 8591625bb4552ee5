"""What a source offered before its first sync, as its own history tells it."""

import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio.to_thread
import attrs

from application.event_log import HISTORY, EventLog, Write, catalog_stream, history_stream
from application.findings import Findings
from application.projector import Projector
from application.reading import FailedError, Reader, fetch, received
from application.source_catalog import HeldCatalog, StoredCatalog, held
from domain.catalog import Catalog, evolve
from domain.errors import HistoryRewrittenError
from domain.events import Event, HistoryCompleted, RevisionRecorded, SyncCounts
from domain.identifiers import CommitId, SourceName
from domain.log import Exactly
from domain.ports.source import Fetched, HistoryPort, PastRevision
from domain.ports.storage import StoragePort

if TYPE_CHECKING:
    from application.sync import SyncedSource

Progress = Callable[[int, int], None]
"""Told the number of the revision that was recorded, and how many there are."""

TOO_LATE = (
    "`history` is read at the first sync of a source only, and this one has been synced: to have"
    " its history, give the source another name"
)


@attrs.frozen(kw_only=True)
class _Recorded:
    """How much of a history the log has: the last revision, and how many changes it all came to.

    `stream_version` is that of the history stream.
    """

    revision: str | None = None
    changes: int = 0
    is_complete: bool = False
    stream_version: int = 0

    def and_then(self, event: Event) -> "_Recorded":
        after = attrs.evolve(self, stream_version=self.stream_version + 1)
        match event:
            case RevisionRecorded(revision=revision, counts=counts):
                made = counts.listed + counts.revised + counts.status_changed + counts.delisted
                return attrs.evolve(after, revision=revision, changes=self.changes + made)
            case _:
                return attrs.evolve(after, is_complete=True)


class Backfill:
    """Records one commit per revision of a source's history, and goes on where it was cut off."""

    def __init__(
        self, store: StoragePort, log: EventLog, projector: Projector, reader: Reader
    ) -> None:
        self._store = store
        self._log = log
        self._projector = projector
        self._reader = reader

    async def run(self, source: "SyncedSource", progress: Progress) -> tuple[str, ...]:
        """Record what is missing of the history; what an operator should know of that.

        A catalog that anything else has written to has a past of its own: it stays as it is.

        Raises:
            FailedError: the history could not be read on.
            WrongExpectedVersionError: somebody else wrote meanwhile.
            StorageError
        """
        port = source.port
        if not isinstance(port, HistoryPort) or not port.keeps_history:
            return ()
        recorded, catalog_version = await self._standing(source.name)
        if recorded.is_complete:
            return ()
        if catalog_version != recorded.changes:
            return (TOO_LATE,)
        if recorded.revision is None and not await self._offers_something(source):
            return ()
        await self._projector.catch_up()
        catalog = await held(StoredCatalog(self._store, source.name))
        return await self._record_all(source, port, recorded, catalog, progress)

    async def _standing(self, source: SourceName) -> tuple[_Recorded, int]:
        """What is recorded, and the version of the catalog stream at the same time.

        Both are read again while another process records: what it adds is no other past.
        """
        while True:
            recorded = await self._recorded(source)
            catalog_version = await self._store.stream_version(catalog_stream(source))
            version = await self._store.stream_version(history_stream(source))
            if version == recorded.stream_version:
                return recorded, catalog_version

    async def _recorded(self, source: SourceName) -> _Recorded:
        recorded, stream = _Recorded(), history_stream(source)
        if not await self._store.stream_version(stream):
            return recorded
        async for batch in self._log.read(categories=(HISTORY,)):
            for logged in batch:
                if logged.stream == stream:
                    recorded = recorded.and_then(logged.event)
        return recorded

    async def _offers_something(self, source: "SyncedSource") -> bool:
        """Whether it can be read at all: of a wrong format or filter no history is recorded."""
        fetched = await fetch(source, None)
        commit_id = _commit_id(source.name)
        async with self._reader.staging(commit_id):
            nothing = HeldCatalog(Catalog())
            findings = await self._reader.read(source, fetched, nothing, commit_id)
        return bool(findings.kept)

    async def _record_all(
        self,
        source: "SyncedSource",
        port: HistoryPort,
        recorded: _Recorded,
        catalog: Catalog,
        progress: Progress,
    ) -> tuple[str, ...]:
        problem, count = None, 0
        try:
            revisions = received(source.name, port.history(recorded.revision))
            async with aclosing(revisions):
                async for past in revisions:
                    catalog, event = await self._record(source, past, recorded, catalog)
                    recorded = recorded.and_then(event)
                    progress(past.number, past.total)
                    count += 1
        except HistoryRewrittenError as error:
            problem = str(error)
        write = Write(
            history_stream(source.name),
            Exactly(recorded.stream_version),
            [HistoryCompleted(problem=problem)],
        )
        await self._log.append(_commit_id(source.name), [write])
        noted = f"revisions of its history that were recorded: {count}"
        return (noted, problem) if problem else (noted,)

    async def _record(
        self, source: "SyncedSource", past: PastRevision, recorded: _Recorded, catalog: Catalog
    ) -> tuple[Catalog, RevisionRecorded]:
        commit_id = _commit_id(source.name)
        async with self._reader.staging(commit_id):
            findings, problem = await self._read(source, past, catalog, commit_id)
            events = await findings.events()
            counts = await findings.counts(events)
            event = _recorded(source, past, findings, counts, problem)
            writes = [
                Write(catalog_stream(source.name), Exactly(recorded.changes), events),
                Write(history_stream(source.name), Exactly(recorded.stream_version), [event]),
            ]
            appended = await self._log.append(commit_id, writes, effective_at=past.effective_at)
        commit = appended.commit
        logged = [
            (commit.recorded_at, commit.first_position + number, change)
            for number, change in enumerate(events)
        ]
        return await anyio.to_thread.run_sync(evolve, catalog, logged), event

    async def _read(
        self, source: "SyncedSource", past: PastRevision, catalog: Catalog, commit_id: CommitId
    ) -> tuple[Findings, str | None]:
        """What a revision holds, or why that cannot be known."""
        problem, known = past.problem, HeldCatalog(catalog)
        if past.payload is not None:
            fetched = Fetched(payloads=_only(past.payload), revision=lambda: past.revision)
            try:
                return await self._reader.read(source, fetched, known, commit_id), None
            except FailedError as error:
                problem = error.event.reason
        # What could not be read withdraws nothing.
        nothing = Findings(catalog=known, filter=source.filter, complete=False)
        return nothing, problem or "there is nothing"


def _recorded(
    source: "SyncedSource",
    past: PastRevision,
    findings: Findings,
    counts: SyncCounts,
    problem: str | None,
) -> RevisionRecorded:
    return RevisionRecorded(
        revision=past.revision,
        number=past.number,
        problem=problem,
        filter_hash=source.filter.hash,
        settings_hash=source.settings_hash,
        counts=counts,
        rejected=tuple(findings.rejected),
    )


async def _only(payload: bytes) -> AsyncGenerator[bytes, None]:
    yield payload


def _commit_id(source: SourceName) -> CommitId:
    return CommitId(f"{HISTORY}-{source}-{uuid.uuid4().hex}")
