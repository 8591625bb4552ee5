"""From what a source sends to what is new in it: parsed, filtered and compared page by page."""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar, overload

import anyio
import anyio.to_thread

from application.findings import Findings
from domain.catalog import Catalog
from domain.diff import changes, revised_hashes
from domain.entry import Entry
from domain.errors import HistoryRewrittenError, SourceContentError, SourceError
from domain.events import CatalogEvent, SyncCompleted, SyncFailed, SyncStage
from domain.identifiers import CommitId, DocumentHash, SourceName
from domain.ports.format import Parsed
from domain.ports.source import Fetched, Unchanged
from domain.ports.storage import EventStorePort

if TYPE_CHECKING:
    from application.sync import SyncedSource

_log = logging.getLogger(__name__)

T = TypeVar("T")


class FailedError(Exception):
    """Carries the stage that a failure happened in."""

    def __init__(self, stage: SyncStage, reason: str) -> None:
        super().__init__(reason)
        writable = reason.encode(errors="replace").decode()  # a path may be no Unicode
        self.event = SyncFailed(stage=stage, reason=writable)


class Reader:
    """Takes what a source sends: only new documents are kept, and not in memory."""

    def __init__(self, store: EventStorePort) -> None:
        self._store = store

    @asynccontextmanager
    async def staging(self, commit_id: CommitId) -> AsyncIterator[None]:
        """Whatever is staged for a commit is gone at the end, whether it came or not."""
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._store.unstage(commit_id)

    async def read(
        self,
        source: "SyncedSource",
        payloads: AsyncGenerator[bytes, None],
        catalog: Catalog,
        commit_id: CommitId,
    ) -> Findings:
        """What *payloads* hold beyond *catalog*, its documents staged for a commit.

        Raises:
            FailedError
        """
        findings = Findings(catalog=catalog, filter=source.filter)
        async with aclosing(received(source.name, payloads)) as pages:
            async for payload in pages:
                page = await _parse(source, payload)
                news = await anyio.to_thread.run_sync(findings.take, page)
                if news:
                    findings.changes += await self._changes(catalog, news)
                    await self._store.stage(commit_id, _new_documents(catalog, news))
        return findings

    async def _changes(self, catalog: Catalog, news: Sequence[Entry]) -> Sequence[CatalogEvent]:
        offered = {entry.document_hash: entry.document for entry in news}
        wanted = revised_hashes(catalog, news)
        stored = await self._store.documents(wanted - offered.keys())
        bodies = {**stored, **{known: offered[known] for known in wanted & offered.keys()}}
        if wanted - bodies.keys():  # nobody can tell any longer what an erased document said
            bodies = {**dict.fromkeys(await self._store.erasures(), b"{}"), **bodies}
        return await anyio.to_thread.run_sync(_compared, catalog, news, bodies)


@overload
async def fetch(source: "SyncedSource", known: None) -> Fetched: ...
@overload
async def fetch(source: "SyncedSource", known: SyncCompleted | None) -> Fetched | SyncCompleted: ...
async def fetch(source: "SyncedSource", known: SyncCompleted | None) -> Fetched | SyncCompleted:
    """What the source sends, or *known* where it has not changed since.

    Raises:
        FailedError
    """
    try:
        fetched = await source.port.fetch(known.revision if known else None)
        if not isinstance(fetched, Unchanged):
            return fetched
        if known is None:
            raise TypeError("unchanged, but since when?")
    except Exception as error:
        raise _unread(source.name, error) from error
    return known


async def received(source: SourceName, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """What a source sends. A history that is another one is for the caller to deal with.

    Raises:
        FailedError: it could not be read.
        HistoryRewrittenError
    """
    async with aclosing(items):
        while True:
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
            except HistoryRewrittenError:
                raise
            except Exception as error:
                raise _unread(source, error) from error
            yield item


def _unread(source: SourceName, error: Exception) -> FailedError:
    """A failure to read, in the words of the source where it foresaw it."""
    if isinstance(error, SourceError):
        return FailedError(SyncStage.FETCH, str(error))
    _log.error("reading source %s failed in a way nobody foresaw", source, exc_info=error)
    return FailedError(SyncStage.FETCH, f"internal error, please report it: {error!r}")


async def _parse(source: "SyncedSource", payload: bytes) -> Parsed:
    try:
        return await anyio.to_thread.run_sync(source.format.parse, payload)
    except SourceContentError as error:
        raise FailedError(SyncStage.PARSE, f"{source.location}: {error}") from error
    except Exception as error:
        raise _unread(source.name, error) from error


def _new_documents(catalog: Catalog, news: Iterable[Entry]) -> Mapping[DocumentHash, bytes]:
    """The bodies of listed and revised entries."""
    return {
        entry.document_hash: entry.document
        for entry in news
        if not (known := catalog.get(entry.key)) or known.document_hash != entry.document_hash
    }


def _compared(
    catalog: Catalog, news: Sequence[Entry], bodies: Mapping[DocumentHash, bytes]
) -> Sequence[CatalogEvent]:
    documents = {known: json.loads(body) for known, body in bodies.items()}
    return changes(catalog, news, documents)
