"""The catalog of one source: what it offers, folded from its events."""

import itertools
import operator
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
from domain.identifiers import DocumentHash, EntryKey, EntryKind, EntryName, Position
from domain.versions import latest


@attrs.frozen(kw_only=True)
class CatalogEntry:
    """One version as the registry knows it.

    `lifecycle` is what the source says; the properties fill in what the registry recorded.
    `changed_at` is when this version last changed, a gained or lost `is_latest` included.
    `document_position` is that of the event that brought the document.
    """

    key: EntryKey
    document_hash: DocumentHash
    document_position: Position
    title: str | None
    tags: tuple[str, ...]
    lifecycle: Lifecycle
    first_recorded_at: datetime
    status_recorded_at: datetime
    changed_at: datetime
    is_latest: bool

    @property
    def times(self) -> tuple[datetime, ...]:
        """The times of the commits that made it what it is."""
        return self.first_recorded_at, self.status_recorded_at, self.changed_at

    def at_source(self, times: Mapping[datetime, datetime]) -> "CatalogEntry":
        """The same as its source had it: *times* tells when each commit took effect."""
        return attrs.evolve(
            self,
            first_recorded_at=times[self.first_recorded_at],
            status_recorded_at=times[self.status_recorded_at],
            changed_at=times[self.changed_at],
        )

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

    @property
    def times(self) -> tuple[datetime, ...]:
        """The times of the commits that made it what it is."""
        return self.first_recorded_at, self.delisted_at

    def at_source(self, times: Mapping[datetime, datetime]) -> "Departed":
        """The same as its source had it: *times* tells when each commit took effect."""
        return Departed(
            first_recorded_at=times[self.first_recorded_at], delisted_at=times[self.delisted_at]
        )


@attrs.frozen
class Versions:
    """All versions of one name: those offered, by version, and those that once were."""

    listed: Mapping[str, CatalogEntry] = attrs.field(factory=dict)
    departed: Mapping[str, Departed] = attrs.field(factory=dict)

    def state(self, version: str) -> CatalogEntry | Departed:
        """What is known of a version that was once offered."""
        return self.listed.get(version) or self.departed[version]

    def at_source(self, times: Mapping[datetime, datetime]) -> "Versions":
        """The same as their source had them: *times* tells when each commit took effect."""
        return Versions(
            {version: entry.at_source(times) for version, entry in self.listed.items()},
            {version: departed.at_source(times) for version, departed in self.departed.items()},
        )


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


_NONE = Versions()

Recorded = tuple[datetime, Position, CatalogEvent]
"""An event with the time of its commit, which no other commit of the log has, and its position."""


@attrs.frozen
class VersionChange:
    """What became of a version in a commit; `position` is that of the last event of its name."""

    position: Position
    key: EntryKey
    state: CatalogEntry | Departed


def evolve(catalog: Catalog, events: Iterable[Recorded]) -> Catalog:
    """Fold events into a catalog. The given catalog stays as it is.

    Takes many events at once, because each call copies the table of names.

    Raises:
        CorruptLogError: a version changes that is not listed.
    """
    return _fold(catalog, events, lambda _versions, _position, _keys: None)


def unfold(catalog: Catalog, events: Iterable[Recorded]) -> tuple[Catalog, Sequence[VersionChange]]:
    """The same, telling what each commit did to the catalog, name by name."""
    changes: list[VersionChange] = []

    def note(versions: Versions, position: Position, keys: Iterable[EntryKey]) -> None:
        changes.extend(VersionChange(position, key, versions.state(key.version)) for key in keys)

    return _fold(catalog, events, note), changes


def _fold(
    catalog: Catalog,
    events: Iterable[Recorded],
    note: Callable[[Versions, Position, Iterable[EntryKey]], None],
) -> Catalog:
    """Names do not touch each other, so each is folded by itself, commit by commit."""
    by_name: dict[tuple[EntryKind, str], list[Recorded]] = defaultdict(list)
    for recorded in events:
        key = recorded[2].key
        by_name[key.kind, key.name].append(recorded)  # a tuple is made and compared faster
    names = dict(catalog.names)
    for (kind, name), history in by_name.items():
        before = names.get(EntryName(kind, name), _NONE)
        listed, departed = dict(before.listed), dict(before.departed)
        names[EntryName(kind, name)] = versions = Versions(listed, departed)
        for position, touched in _fold_name(listed, departed, history):
            note(versions, position, touched)
    return Catalog(names)


def _fold_name(
    listed: dict[str, CatalogEntry], departed: dict[str, Departed], history: Iterable[Recorded]
) -> Iterator[tuple[Position, Iterable[EntryKey]]]:
    """Commit by commit. Tells the last position of each, and what it touched."""
    flagged = next((version for version, entry in listed.items() if entry.is_latest), None)
    for at, commit in itertools.groupby(history, key=operator.itemgetter(0)):
        touched: dict[str, EntryKey] = {}
        outranks = False
        for recorded in commit:
            _, position, event = recorded
            touched[event.key.version] = event.key
            outranks |= _apply(listed, departed, recorded)
        if outranks:
            before, flagged = flagged, _highest(listed, touched, flagged)
            for entry in _flag(listed, before, flagged, at):
                touched.setdefault(entry.version, entry.key)
        yield position, touched.values()


def _apply(
    listed: dict[str, CatalogEntry], departed: dict[str, Departed], recorded: Recorded
) -> bool:
    """Apply an event. Returns whether another version may be the latest now."""
    at, position, event = recorded
    version = event.key.version
    if version not in listed and not isinstance(event, EntryListed):
        raise CorruptLogError(f"{event.key} changes without being listed")
    match event:
        case EntryListed():
            listed[version] = _listed(event, departed.pop(version, None), at, position)
        case EntryRevised():
            listed[version] = _revised(listed[version], event, at, position)
            return False
        case EntryStatusChanged():
            before = listed[version]
            after = listed[version] = _status_changed(before, event, at)
            return (before.status, before.published_at) != (after.status, after.published_at)
        case EntryDelisted():
            gone = listed.pop(version)
            departed[version] = Departed(first_recorded_at=gone.first_recorded_at, delisted_at=at)
    return True


def _listed(
    event: EntryListed, known: Departed | None, at: datetime, position: Position
) -> CatalogEntry:
    return CatalogEntry(
        key=event.key,
        document_hash=event.document_hash,
        document_position=position,
        title=event.title,
        tags=event.tags,
        lifecycle=event.lifecycle,
        first_recorded_at=known.first_recorded_at if known else at,
        status_recorded_at=at,
        changed_at=at,
        is_latest=False,
    )


# `attrs.evolve` takes three times as long, and most of a long history are these two.


def _revised(
    entry: CatalogEntry, event: EntryRevised, at: datetime, position: Position
) -> CatalogEntry:
    return CatalogEntry(
        key=entry.key,
        document_hash=event.document_hash,
        document_position=position,
        title=event.title,
        tags=event.tags,
        lifecycle=entry.lifecycle,
        first_recorded_at=entry.first_recorded_at,
        status_recorded_at=entry.status_recorded_at,
        changed_at=at,
        is_latest=entry.is_latest,
    )


def _status_changed(entry: CatalogEntry, event: EntryStatusChanged, at: datetime) -> CatalogEntry:
    same = (
        event.lifecycle.status is entry.status
        and event.lifecycle.status_message == entry.lifecycle.status_message
    )
    return CatalogEntry(
        key=entry.key,
        document_hash=entry.document_hash,
        document_position=entry.document_position,
        title=entry.title,
        tags=entry.tags,
        lifecycle=event.lifecycle,
        first_recorded_at=entry.first_recorded_at,
        status_recorded_at=entry.status_recorded_at if same else at,
        changed_at=at,
        is_latest=entry.is_latest,
    )


def _highest(
    listed: Mapping[str, CatalogEntry], touched: Collection[str], flagged: str | None
) -> str | None:
    """The latest version after a commit. What it did not touch stays below what had the flag."""
    if flagged is None or flagged in touched:
        highest = latest(listed.values())
    else:
        highest = latest(listed[version] for version in (flagged, *touched) if version in listed)
    return highest.version if highest else None


def _flag(
    listed: dict[str, CatalogEntry], before: str | None, highest: str | None, at: datetime
) -> Iterable[CatalogEntry]:
    """Put the flag where it belongs, and tell what it left or came to: that has changed."""
    for version in dict.fromkeys((before, highest)):
        entry = listed.get(version) if version else None
        if entry and entry.is_latest != (version == highest):
            entry = listed[entry.version] = _flagged(entry, not entry.is_latest, at)
            yield entry


def _flagged(entry: CatalogEntry, is_latest: bool, at: datetime) -> CatalogEntry:
    return CatalogEntry(
        key=entry.key,
        document_hash=entry.document_hash,
        document_position=entry.document_position,
        title=entry.title,
        tags=entry.tags,
        lifecycle=entry.lifecycle,
        first_recorded_at=entry.first_recorded_at,
        status_recorded_at=entry.status_recorded_at,
        changed_at=at,
        is_latest=is_latest,
    )
