"""What a sync found out, as events."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

import attrs

from domain.catalog import CatalogEntry
from domain.change import classify_change
from domain.entry import Entry, Status
from domain.events import (
    CatalogEvent,
    DelistReason,
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
)
from domain.identifiers import DocumentHash, EntryKey

KnownEntries = Mapping[EntryKey, CatalogEntry]
"""What a catalog has of some keys."""


@attrs.frozen(kw_only=True)
class Offer:
    """What a source offers now, by key.

    `kept` passed the filter and `filtered` did not. `doubtful` names could not be read this
    time: what was known of them stays. Of an offer that is not `complete` nothing else is missing
    than what is `gone`.
    """

    kept: Container[EntryKey]
    filtered: Container[EntryKey] = frozenset()
    doubtful: Container[str] = frozenset()
    gone: Container[EntryKey] = frozenset()
    complete: bool = True


def changes(
    catalog: KnownEntries, entries: Iterable[Entry], documents: Mapping[DocumentHash, Any]
) -> list[CatalogEvent]:
    """What *entries*, which are offered now, change in *catalog*.

    `documents` holds, parsed, both documents of every revised entry (see `revised_hashes`).
    """
    return [
        event
        for entry in entries
        for event in _entry_events(catalog.get(entry.key), entry, documents)
    ]


def departures(entries: Iterable[CatalogEntry], offer: Offer) -> list[CatalogEvent]:
    """What those entries of a catalog come to that are not offered now."""
    return [
        EntryDelisted(key=entry.key, reason=reason)
        for entry in entries
        if entry.key not in offer.kept and (reason := _departing(entry.key, offer))
    ]


def in_order(events: Iterable[CatalogEvent]) -> tuple[CatalogEvent, ...]:
    """The events of a commit: what raises a version before what lowers one, each by key."""
    return tuple(sorted(events, key=_rank))


def revised_hashes(catalog: KnownEntries, entries: Iterable[Entry]) -> frozenset[DocumentHash]:
    """The hashes that catalog and entries have of those documents that differ."""
    return frozenset(
        document_hash
        for entry in entries
        if (known := catalog.get(entry.key)) and known.document_hash != entry.document_hash
        for document_hash in (known.document_hash, entry.document_hash)
    )


def _entry_events(
    known: CatalogEntry | None, entry: Entry, documents: Mapping[DocumentHash, Any]
) -> list[CatalogEvent]:
    if known is None:
        return [_listed(entry)]
    events: list[CatalogEvent] = []
    if known.document_hash != entry.document_hash:
        events.append(_revised(known, entry, documents))
    if known.lifecycle != entry.lifecycle:
        events.append(EntryStatusChanged(key=entry.key, lifecycle=entry.lifecycle))
    return events


def _listed(entry: Entry) -> EntryListed:
    return EntryListed(
        key=entry.key,
        document_hash=entry.document_hash,
        title=entry.title,
        tags=entry.tags,
        lifecycle=entry.lifecycle,
    )


def _revised(
    known: CatalogEntry, entry: Entry, documents: Mapping[DocumentHash, Any]
) -> EntryRevised:
    return EntryRevised(
        key=entry.key,
        document_hash=entry.document_hash,
        previous_hash=known.document_hash,
        title=entry.title,
        tags=entry.tags,
        change=classify_change(documents[known.document_hash], documents[entry.document_hash]),
    )


def _departing(key: EntryKey, offer: Offer) -> DelistReason | None:
    """Why an entry is no longer offered, None where it stays."""
    if key in offer.filtered:
        return DelistReason.FILTERED
    is_missing = offer.complete or key in offer.gone
    return DelistReason.WITHDRAWN if is_missing and key.name not in offer.doubtful else None


def _rank(event: CatalogEvent) -> tuple[int, tuple[str, str, str]]:
    match event:
        case EntryListed():
            order = 0
        case EntryRevised():
            order = 1
        case EntryStatusChanged(lifecycle=lifecycle):
            order = 3 if lifecycle.status is Status.DELETED else 2
        case EntryDelisted():
            order = 4
    return order, event.key.sort_key
