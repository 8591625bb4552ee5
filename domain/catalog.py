"""The catalog of one source: what it offers, folded from its events."""

import itertools
import operator
from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from domain.entry import Lifecycle, Status
from domain.errors import CorruptLogError
from domain.events import (
    CatalogEvent,
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
)
from domain.identifiers import DocumentHash, EntryKey, EntryName
from domain.versions import latest


@attrs.frozen(kw_only=True)
class CatalogEntry:
    """One version as the registry knows it.

    `lifecycle` is what the source says; the properties fill in what the registry recorded.
    `changed_at` is when this version last changed, a gained or lost `is_latest` included.
    """

    key: EntryKey
    document_hash: DocumentHash
    title: str | None
    tags: tuple[str, ...]
    lifecycle: Lifecycle
    first_recorded_at: datetime
    status_recorded_at: datetime
    changed_at: datetime
    is_latest: bool

    @property
    def version(self) -> str:
        return self.key.version

    @property
    def status(self) -> Status:
        return self.lifecycle.status

    @property
    def published_at(self) -> datetime:
        return self.lifecycle.published_at or self.first_recorded_at

    @property
    def status_changed_at(self) -> datetime:
        return self.lifecycle.status_changed_at or self.status_recorded_at


@attrs.frozen(kw_only=True)
class Departed:
    """What stays known of a version that is no longer offered."""

    first_recorded_at: datetime
    delisted_at: datetime


@attrs.frozen
class Versions:
    """All versions of one name: those offered, by version, and those that once were."""

    listed: Mapping[str, CatalogEntry] = attrs.field(factory=dict)
    departed: Mapping[str, Departed] = attrs.field(factory=dict)


@attrs.frozen
class Catalog:
    """What one source offers, by name. A name may have departed versions only."""

    names: Mapping[EntryName, Versions] = attrs.field(factory=dict)

    def get(self, key: EntryKey) -> CatalogEntry | None:
        """The entry of that key, None where it is not offered."""
        versions = self.names.get(key.entry_name)
        return versions.listed.get(key.version) if versions else None

    def entries(self) -> Iterable[CatalogEntry]:
        """Every offered entry, in no particular order."""
        for versions in self.names.values():
            yield from versions.listed.values()


Recorded = tuple[datetime, CatalogEvent]
"""An event with the time of its commit, which no other commit of the log has."""


def evolve(catalog: Catalog, events: Iterable[Recorded]) -> Catalog:
    """Fold events into a catalog. The given catalog stays as it is.

    Takes many events at once, because each call copies the table of names. Names do not
    touch each other, so each is folded by itself, commit by commit.

    Raises:
        CorruptLogError: a version changes that is not listed.
    """
    by_name: dict[EntryName, list[Recorded]] = {}
    for recorded in events:
        by_name.setdefault(recorded[1].key.entry_name, []).append(recorded)
    evolved = {
        name: _evolve_name(catalog.names.get(name, Versions()), history)
        for name, history in by_name.items()
    }
    return Catalog({**catalog.names, **evolved})


def _evolve_name(versions: Versions, history: list[Recorded]) -> Versions:
    listed, departed = dict(versions.listed), dict(versions.departed)
    for recorded_at, commit in itertools.groupby(history, key=operator.itemgetter(0)):
        for _, event in commit:
            if event.key.version not in listed and not isinstance(event, EntryListed):
                raise CorruptLogError(f"{event.key} changes without being listed")
            _apply(listed, departed, event, recorded_at)
        _flag_latest(listed, recorded_at)
    return Versions(listed, departed)


def _apply(
    listed: dict[str, CatalogEntry],
    departed: dict[str, Departed],
    event: CatalogEvent,
    at: datetime,
) -> None:
    version = event.key.version
    match event:
        case EntryListed():
            listed[version] = _listed(event, departed.pop(version, None), at)
        case EntryRevised():
            listed[version] = _revised(listed[version], event, at)
        case EntryStatusChanged():
            listed[version] = _status_changed(listed[version], event, at)
        case EntryDelisted():
            gone = listed.pop(version)
            departed[version] = Departed(first_recorded_at=gone.first_recorded_at, delisted_at=at)


def _listed(event: EntryListed, known: Departed | None, at: datetime) -> CatalogEntry:
    return CatalogEntry(
        key=event.key,
        document_hash=event.document_hash,
        title=event.title,
        tags=event.tags,
        lifecycle=event.lifecycle,
        first_recorded_at=known.first_recorded_at if known else at,
        status_recorded_at=at,
        changed_at=at,
        is_latest=False,
    )


def _revised(entry: CatalogEntry, event: EntryRevised, at: datetime) -> CatalogEntry:
    return attrs.evolve(
        entry,
        document_hash=event.document_hash,
        title=event.title,
        tags=event.tags,
        changed_at=at,
    )


def _status_changed(entry: CatalogEntry, event: EntryStatusChanged, at: datetime) -> CatalogEntry:
    same = (
        event.lifecycle.status is entry.status
        and event.lifecycle.status_message == entry.lifecycle.status_message
    )
    return attrs.evolve(
        entry,
        lifecycle=event.lifecycle,
        status_recorded_at=entry.status_recorded_at if same else at,
        changed_at=at,
    )


def _flag_latest(listed: dict[str, CatalogEntry], at: datetime) -> None:
    """Put the flag where it belongs. A version that gains or loses it has changed."""
    highest = latest(listed.values())
    for entry in tuple(listed.values()):
        if entry.is_latest != (entry is highest):
            listed[entry.version] = attrs.evolve(entry, is_latest=entry is highest, changed_at=at)
