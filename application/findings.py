"""What a sync finds out about a source, page by page."""

from collections.abc import Iterable, Sequence

import attrs

from domain.catalog import Catalog
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
    """Grows with every page. It holds events and keys, never the documents of entries."""

    catalog: Catalog
    filter: Filter
    kept: set[EntryKey] = attrs.field(factory=set)
    filtered: set[EntryKey] = attrs.field(factory=set)
    doubtful: set[str] = attrs.field(factory=set)
    nameless: bool = False
    warned: set[str] = attrs.field(factory=set)
    changes: list[CatalogEvent] = attrs.field(factory=list)
    rejected: list[RejectedEntry] = attrs.field(factory=list)
    rejected_count: int = 0
    warnings: list[RejectedEntry] = attrs.field(factory=list)

    def take(self, page: Parsed) -> list[Entry]:
        """Note what a page holds, and return what of it is news to the catalog.

        Of entries with one key the first that passes the filter counts.
        """
        self._note(page)
        news = []
        for entry in page.entries:
            if not self.filter.keeps(entry.key.name, entry.tags):
                self.filtered.add(entry.key)
            elif entry.key not in self.kept:
                self.kept.add(entry.key)
                if self._is_news(entry):
                    news.append(entry)
        return news

    def events(self, *, complete: bool) -> Sequence[CatalogEvent]:
        """Everything that changed, once all pages were taken.

        Where an entry was rejected that may be any, nothing that is missing counts as withdrawn.
        """
        offer = Offer(
            kept=self.kept,
            filtered=self.filtered,
            doubtful=self.doubtful,
            complete=complete and not self.nameless,
        )
        return in_order([*self.changes, *departures(self.catalog, offer)])

    def counts(self, events: Sequence[CatalogEvent], *, complete: bool) -> SyncCounts:
        """What those events come to."""
        kinds = [type(event) for event in events]
        touched = {event.key for event in events}
        offered: Iterable[EntryKey] = self.kept
        if not complete:
            offered = (entry.key for entry in self.catalog.entries())
        return SyncCounts(
            listed=kinds.count(EntryListed),
            revised=kinds.count(EntryRevised),
            status_changed=kinds.count(EntryStatusChanged),
            delisted=kinds.count(EntryDelisted),
            unchanged=sum(key not in touched for key in offered),
            rejected=self.rejected_count,
            warned=len(self.warned),
        )

    def keep_rejected(self, before: Iterable[RejectedEntry]) -> None:
        """Tell again what was rejected *before* of names that no page mentioned."""
        mentioned = {key.name for key in self.kept | self.filtered} | self.doubtful
        self._reject([rejected for rejected in before if rejected.name not in mentioned])

    def _note(self, page: Parsed) -> None:
        self._reject(page.rejected)
        self.doubtful.update(rejected.name for rejected in page.rejected)
        self.nameless |= page.nameless
        self.warned.update(warning.name for warning in page.warnings)
        self.warnings += page.warnings[: MOST_TOLD - len(self.warnings)]

    def _reject(self, rejected: Sequence[RejectedEntry]) -> None:
        self.rejected += rejected[: MOST_TOLD - len(self.rejected)]
        self.rejected_count += len(rejected)

    def _is_news(self, entry: Entry) -> bool:
        known = self.catalog.get(entry.key)
        return known is None or (known.document_hash, known.lifecycle) != (
            entry.document_hash,
            entry.lifecycle,
        )
