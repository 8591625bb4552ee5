"""What a sync found out, as events."""

from collections.abc import Mapping
from typing import Any

import attrs

from domain.catalog import Catalog, CatalogEntry
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


@attrs.frozen(kw_only=True)
class Offer:
    """What a source offers now.

    `kept` passed the filter and `filtered` did not. `doubtful` names could not be read this
    time: what was known of them stays.
    """

    kept: Mapping[EntryKey, Entry]
    filtered: frozenset[EntryKey] = frozenset()
    doubtful: frozenset[str] = frozenset()


def diff(
    catalog: Catalog, offer: Offer, documents: Mapping[DocumentHash, Any]
) -> tuple[CatalogEvent, ...]:
    """The events that bring *catalog* to *offer*.

    `documents` holds, parsed, both documents of every revised entry (see `revised_hashes`).
    The order is fixed: what raises a version before what lowers one, each by key.
    """
    events: list[CatalogEvent] = []
    for key, entry in offer.kept.items():
        events += _entry_events(catalog.get(key), entry, documents)
    events += [
        EntryDelisted(key=key, reason=_reason(key, offer)) for key in _departing(catalog, offer)
    ]
    return tuple(sorted(events, key=_rank))


def revised_hashes(catalog: Catalog, offer: Offer) -> frozenset[DocumentHash]:
    """The hashes that catalog and offer have of those documents that differ."""
    return frozenset(
        document_hash
        for key, entry in offer.kept.items()
        if (known := catalog.get(key)) and known.document_hash != entry.document_hash
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


def _departing(catalog: Catalog, offer: Offer) -> list[EntryKey]:
    return [
        entry.key
        for entry in catalog.entries()
        if entry.key not in offer.kept
        and (entry.key in offer.filtered or entry.key.name not in offer.doubtful)
    ]


def _reason(key: EntryKey, offer: Offer) -> DelistReason:
    return DelistReason.FILTERED if key in offer.filtered else DelistReason.WITHDRAWN


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
