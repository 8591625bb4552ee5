"""What a sync finds out about a source, page by page."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set

import anyio.to_thread
import attrs

from application.source_catalog import SourceCatalog
from domain.catalog import CatalogEntry
from domain.diff import Offer, departures, in_order
from domain.entry import Entry
from domain.events import (
    CatalogEvent,
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
    RejectedEntry,
    SyncCounts,
)
from domain.filters import Filter
from domain.identifiers import EntryKey
from domain.ports.format import Parsed

MOST_TOLD = 1000
"""How many rejected entries, and how many warnings, are told of one sync."""


@attrs.define(kw_only=True)
class Findings:
    """Grows with every page. It holds events and keys, never the documents of entries.

    `complete` tells that what was not found is no longer offered.
    """

    catalog: SourceCatalog
    filter: Filter
    complete: bool = True
    kept: set[EntryKey] = attrs.field(factory=set)
    filtered: set[EntryKey] = attrs.field(factory=set)
    doubtful: set[str] = attrs.field(factory=set)
    gone: set[EntryKey] = attrs.field(factory=set)
    nameless: bool = False
    warned: set[str] = attrs.field(factory=set)
    changes: list[CatalogEvent] = attrs.field(factory=list)
    rejected: list[RejectedEntry] = attrs.field(factory=list)
    rejected_count: int = 0
    warnings: list[RejectedEntry] = attrs.field(factory=list)

    def take(self, page: Parsed) -> list[Entry]:
        """Note what a page holds, and return what of it the filter keeps.

        Of entries with one key the first that passes the filter counts.
        """
        self._note(page)
        kept = []
        for entry in page.entries:
            if not self.filter.keeps(entry.key.name, entry.tags):
                self.filtered.add(entry.key)
            elif entry.key not in self.kept:
                self.kept.add(entry.key)
                kept.append(entry)
        return kept

    async def events(self) -> Sequence[CatalogEvent]:
        """Everything that changed, once all pages were taken.

        Where an entry was rejected that may be any, nothing that is missing counts as withdrawn.
        """
        offer = Offer(
            kept=self.kept,
            filtered=self.filtered,
            doubtful=self.doubtful,
            gone=frozenset() if self.nameless else self.gone,
            complete=self.complete and not self.nameless,
        )
        events = list(self.changes)
        async for entries in self._doubted():
            events += await anyio.to_thread.run_sync(departures, entries, offer)
        return await anyio.to_thread.run_sync(in_order, events)

    async def _doubted(self) -> AsyncIterator[Sequence[CatalogEntry]]:
        """What of the catalog may be offered no longer."""
        if self.complete:
            async for entries in self.catalog.entries():
                yield entries
        else:
            known = await self.catalog.known((self.filtered | self.gone) - self.kept)
            yield list(known.values())

    async def counts(self, events: Sequence[CatalogEvent]) -> SyncCounts:
        """What those events come to."""
        kinds = Counter(type(event) for event in events)
        return SyncCounts(
            listed=kinds[EntryListed],
            revised=kinds[EntryRevised],
            status_changed=kinds[EntryStatusChanged],
            delisted=kinds[EntryDelisted],
            unchanged=await self._unchanged({event.key for event in events}, kinds[EntryListed]),
            rejected=self.rejected_count,
            warned=len(self.warned),
        )

    async def _unchanged(self, touched: Set[EntryKey], listed: int) -> int:
        if self.complete:
            return len(self.kept - touched)
        return (await self.catalog.size()).entries - (len(touched) - listed)

    def keep_rejected(self, before: Iterable[RejectedEntry]) -> None:
        """Tell again what was rejected *before* of names that no page mentioned."""
        mentioned = {key.name for key in self.kept | self.filtered} | self.doubtful
        self._reject([rejected for rejected in before if rejected.name not in mentioned])

    def _note(self, page: Parsed) -> None:
        self._reject(page.rejected)
        self.doubtful.update(rejected.name for rejected in page.rejected)
        self.nameless |= page.nameless
        self.gone.update(page.gone)
        self.warned.update(warning.name for warning in page.warnings)
        self.warnings += page.warnings[: MOST_TOLD - len(self.warnings)]

    def _reject(self, rejected: Sequence[RejectedEntry]) -> None:
        self.rejected += rejected[: MOST_TOLD - len(self.rejected)]
        self.rejected_count += len(rejected)


def news_of(entries: Iterable[Entry], catalog: Mapping[EntryKey, CatalogEntry]) -> Sequence[Entry]:
    """What of *entries* is not as the catalog has it."""
    return [
        entry
        for entry in entries
        if not (known := catalog.get(entry.key))
        or (known.document_hash, known.lifecycle) != (entry.document_hash, entry.lifecycle)
    ]
