"""From what a source sends to what is new in it: parsed, filtered and compared page by page."""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeVar, overload

import anyio
import anyio.to_thread

from application.findings import Findings, news_of
from application.source_catalog import SourceCatalog
from domain.diff import KnownEntries, changes, revised_hashes
from domain.entry import Entry
from domain.errors import HistoryRewrittenError, SourceContentError, SourceError
from domain.events import CatalogEvent, SyncCompleted, SyncFailed, SyncStage
from domain.identifiers import CommitId, DocumentHash, SourceName
from domain.ports.format import Parsed
from domain.ports.parser import Parsing
from domain.ports.source import Fetched, LargePayload, Payload, Unchanged
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
        fetched: Fetched,
        catalog: SourceCatalog,
        commit_id: CommitId,
        known_revision: str | None = None,
    ) -> Findings:
        """What was fetched beyond *catalog*, its documents staged for a commit.

        At *known_revision* the catalog had all that the source offered, by the same rules.

        Raises:
            FailedError
        """
        findings = Findings(catalog=catalog, filter=source.filter, complete=fetched.complete)
        async with aclosing(received(source.name, fetched.payloads)) as payloads:
            async for payload in payloads:
                parsing = await _parse(source, payload, fetched, known_revision)
                findings.complete &= not parsing.compared
                async with aclosing(_read(source, parsing.pages)) as pages:
                    async for page in pages:
                        await self._take(findings, page, commit_id)
        return findings

    async def _take(self, findings: Findings, page: Parsed, commit_id: CommitId) -> None:
        kept = findings.take(page)
        catalog = await findings.catalog.known([entry.key for entry in kept])
        news = news_of(kept, catalog)
        if news:
            findings.changes += await self._changes(catalog, news)
            await self._store.stage(commit_id, _new_documents(catalog, news))

    async def _changes(
        self, catalog: KnownEntries, news: Sequence[Entry]
    ) -> Sequence[CatalogEvent]:
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


async def _parse(
    source: "SyncedSource", payload: Payload, fetched: Fetched, known_revision: str | None
) -> Parsing:
    """A large payload is all of a revision, so it can be compared with an earlier one."""
    is_large = isinstance(payload, LargePayload)
    with _told_apart(source):
        return await source.parser.parse(
            payload,
            revision=fetched.revision() if is_large else None,
            known_revision=known_revision if is_large else None,
        )


async def _read(
    source: "SyncedSource", pages: AsyncGenerator[Parsed, None]
) -> AsyncGenerator[Parsed, None]:
    async with aclosing(pages):
        while True:
            with _told_apart(source):
                if (page := await anext(pages, None)) is None:
                    return
            yield page


@contextmanager
def _told_apart(source: "SyncedSource") -> Iterator[None]:
    """Tell content that is not of the format from all else that may go wrong."""
    try:
        yield
    except SourceContentError as error:
        raise FailedError(SyncStage.PARSE, f"{source.location}: {error}") from error
    except Exception as error:
        raise _unread(source.name, error) from error


def _new_documents(catalog: KnownEntries, news: Iterable[Entry]) -> Mapping[DocumentHash, bytes]:
    """The bodies of listed and revised entries."""
    return {
        entry.document_hash: entry.document
        for entry in news
        if not (known := catalog.get(entry.key)) or known.document_hash != entry.document_hash
    }


def _compared(
    catalog: KnownEntries, news: Sequence[Entry], bodies: Mapping[DocumentHash, bytes]
) -> Sequence[CatalogEvent]:
    documents = {known: json.loads(body) for known, body in bodies.items()}
    return changes(catalog, news, documents)
