"""The catalogs of all sources."""

import itertools
import json
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import attrs

from application.event_log import CATALOG, LoggedEvent, source_of
from domain.catalog import (
    Catalog,
    CatalogEntry,
    Departed,
    Recorded,
    VersionChange,
    Versions,
    evolve,
    unfold,
)
from domain.entry import Lifecycle, Status
from domain.identifiers import (
    DocumentHash,
    EntryKey,
    EntryKind,
    EntryName,
    Position,
    SourceName,
)
from domain.ports.storage import View, ViewChange
from domain.timestamps import from_micros, to_micros

Catalogs: TypeAlias = Mapping[SourceName, Catalog]

_KINDS = {kind.value: kind for kind in EntryKind}  # a look-up costs a fifth of a call
_STATUSES = {status.value: status for status in Status}
_SEPARATOR = "\x1f"  # no name or version holds it: formats refuse control characters


@attrs.frozen
class Size:
    """How much a source offers: entries, and the names that they share."""

    entries: int = 0
    names: int = 0


class CatalogsProjection:
    """One row per version, offered or departed, and one per source that holds its size.

    There may be very many, so they live in storage alone: a step reads those of the names that
    it is about.
    """

    view = View("catalogs", 3, keeps_past=True)
    categories = (CATALOG,)

    def ranges(self, events: Sequence[LoggedEvent]) -> Sequence[tuple[str, str]]:
        """The keys of the rows that a step with these events has to know."""
        names = {
            source: dict.fromkeys(event.key.entry_name for _, _, event in recorded)
            for source, recorded in _by_source(events).items()
        }
        prefixes = [key_prefix(source, name) for source in names for name in names[source]]
        return [
            *(one_row(size_key(source)) for source in names),
            *(all_of(prefix) for prefix in prefixes),
        ]

    def changes(
        self, rows: Iterable[tuple[str, bytes]], events: Sequence[LoggedEvent]
    ) -> Sequence[ViewChange]:
        """What whole commits do to the view, of which *rows* are known."""
        known = list(rows)
        sizes = {source_of_size(key): parse_size(value) for key, value in known if is_size(key)}
        state = restore_catalogs(row for row in known if not is_size(row[0]))
        puts: dict[Position, dict[str, bytes]] = {}
        for source, recorded in _by_source(events).items():
            before = state.get(source, Catalog())
            _, changes = unfold(before, recorded)
            for change in changes:
                row_key = row_key_of(source, change.key)
                puts.setdefault(change.position, {})[row_key] = _row(change.state)
            for position, size in _sizes(sizes.get(source, Size()), before, recorded, changes):
                puts[position][size_key(source)] = json.dumps([size.entries, size.names]).encode()
        return [ViewChange(since=position, puts=put) for position, put in sorted(puts.items())]


def _sizes(
    size: Size, before: Catalog, recorded: Sequence[Recorded], changes: Sequence[VersionChange]
) -> Iterator[tuple[Position, Size]]:
    """Where a source comes to another size: at the last position of a commit that changed it."""
    commits = {position: at for at, position, _ in recorded}
    listed = {name: set(versions.listed) for name, versions in before.names.items()}
    in_order = sorted(changes, key=operator.attrgetter("position"))
    for _, commit in itertools.groupby(in_order, key=lambda change: commits[change.position]):
        known = size
        for change in commit:
            versions = listed.setdefault(change.key.entry_name, set())
            size = _resized(size, versions, change)
        if size != known:
            yield change.position, size


def _resized(size: Size, versions: set[str], change: VersionChange) -> Size:
    """Note a change among the versions of its name that are listed."""
    before = len(versions)
    if isinstance(change.state, CatalogEntry):
        versions.add(change.key.version)
    else:
        versions.discard(change.key.version)
    after = len(versions)
    if before == after:
        return size
    return Size(size.entries + after - before, size.names + bool(after) - bool(before))


def restore_catalogs(rows: Iterable[tuple[str, bytes]]) -> Catalogs:
    """What rows of versions say."""
    found: dict[SourceName, dict[EntryName, Versions]] = {}
    for row_key, value in rows:
        source, key = parse_row_key(row_key)
        versions = found.setdefault(source, {}).setdefault(key.entry_name, Versions({}, {}))
        _restore_row(versions, key, value)
    return {source: Catalog(names) for source, names in found.items()}


def fold_catalogs(catalogs: Catalogs, events: Sequence[LoggedEvent]) -> Catalogs:
    """Fold whole commits without a view."""
    return fold_recorded(catalogs, _by_source(events))


def fold_recorded(catalogs: Catalogs, events: Mapping[SourceName, Sequence[Recorded]]) -> Catalogs:
    """The same for events that were told apart by their source."""
    evolved = {
        source: evolve(catalogs.get(source, Catalog()), recorded)
        for source, recorded in events.items()
    }
    return {**catalogs, **evolved}


def _by_source(events: Sequence[LoggedEvent]) -> dict[SourceName, list[Recorded]]:
    found: dict[SourceName, list[Recorded]] = {}
    for logged in events:
        recorded: Any = (logged.recorded_at, logged.position, logged.event)
        found.setdefault(source_of(logged.stream), []).append(recorded)
    return found


def restore_states(
    rows: Sequence[tuple[str, bytes]],
) -> Sequence[tuple[EntryKey, CatalogEntry | Departed]]:
    """What many rows of versions say: they are read as one JSON value, which costs less."""
    values = json.loads(b"[" + b",".join([value for _, value in rows]) + b"]")
    keys = [parse_row_key(row_key)[1] for row_key, _ in rows]
    return [(key, _state(key, value)) for key, value in zip(keys, values, strict=True)]


def restore_state(key: EntryKey, value: bytes) -> CatalogEntry | Departed:
    """What a row says of a version."""
    return _state(key, json.loads(value))


def _state(key: EntryKey, row: Sequence[Any]) -> CatalogEntry | Departed:
    if len(row) == 2:
        return Departed(first_recorded_at=from_micros(row[0]), delisted_at=from_micros(row[1]))
    return _restore_entry(key, *row)


def _row(state: CatalogEntry | Departed) -> bytes:
    return _entry_row(state) if isinstance(state, CatalogEntry) else _departed_row(state)


def _entry_row(entry: CatalogEntry) -> bytes:
    life = entry.lifecycle
    return json.dumps(
        [
            entry.document_hash,
            entry.document_position,
            entry.title,
            entry.tags,
            life.status,
            life.status_message,
            _micros(life.status_changed_at),
            _micros(life.published_at),
            _micros(entry.first_recorded_at),
            _micros(entry.status_recorded_at),
            _micros(entry.changed_at),
            entry.is_latest,
        ]
    ).encode()


def _departed_row(departed: Departed) -> bytes:
    return json.dumps([_micros(departed.first_recorded_at), _micros(departed.delisted_at)]).encode()


def _restore_row(versions: Versions, key: EntryKey, value: bytes) -> None:
    """Fill tables that are still being built, so still dicts of ours."""
    state = restore_state(key, value)
    table: Any = versions.listed if isinstance(state, CatalogEntry) else versions.departed
    table[key.version] = state


def _restore_entry(
    key: EntryKey,
    document_hash: str,
    document_position: Position,
    title: str | None,
    tags: list[str],
    status: str,
    status_message: str | None,
    status_changed_at: int | None,
    published_at: int | None,
    first_recorded_at: int,
    status_recorded_at: int,
    changed_at: int,
    is_latest: bool,
) -> CatalogEntry:
    return CatalogEntry(
        key=key,
        document_hash=DocumentHash(document_hash),
        document_position=document_position,
        title=title,
        tags=tuple(tags),
        lifecycle=Lifecycle(
            status=_STATUSES[status],
            status_message=status_message,
            status_changed_at=_instant(status_changed_at),
            published_at=_instant(published_at),
        ),
        first_recorded_at=from_micros(first_recorded_at),
        status_recorded_at=from_micros(status_recorded_at),
        changed_at=from_micros(changed_at),
        is_latest=is_latest,
    )


def _micros(instant: datetime | None) -> int | None:
    return to_micros(instant) if instant else None


def _instant(micros: int | None) -> datetime | None:
    return from_micros(micros) if micros is not None else None


def places_of(
    changes: Iterable[tuple[Position, str]],
) -> Iterator[tuple[Position, SourceName, EntryName]]:
    """Where names changed, of all places where rows did."""
    for position, row_key in changes:
        if not is_size(row_key):
            source, key = parse_row_key(row_key)
            yield position, source, key.entry_name


def size_key(source: SourceName) -> str:
    """The key of the row that holds the size of a source: before those of all versions."""
    return _SEPARATOR + source


def is_size(row_key: str) -> bool:
    """Whether a row is about the size of a source, not about a version."""
    return row_key.startswith(_SEPARATOR)


def source_of_size(row_key: str) -> SourceName:
    """The inverse of `size_key`."""
    return SourceName(row_key[1:])


def parse_size(value: bytes) -> Size:
    """What a row says of the size of a source."""
    return Size(*json.loads(value))


def key_prefix(source: SourceName, name: EntryName) -> str:
    """What the keys of all versions of a name begin with. They sort as names and versions do."""
    return _SEPARATOR.join((source, name.kind, name.name, ""))


def source_prefix(source: SourceName) -> str:
    """What the keys of a source's rows begin with."""
    return f"{source}{_SEPARATOR}"


def all_of(prefix: str) -> tuple[str, str]:
    """The range of the keys that begin with *prefix*."""
    return prefix, prefix[:-1] + chr(ord(_SEPARATOR) + 1)


def one_row(row_key: str) -> tuple[str, str]:
    """The range of one key alone: no key goes on with a control character."""
    return row_key, row_key + "\x01"


def row_key_of(source: SourceName, key: EntryKey) -> str:
    """The key of the row of a version."""
    return _SEPARATOR.join((source, key.kind, key.name, key.version))


def parse_row_key(text: str) -> tuple[SourceName, EntryKey]:
    """Which version of which source a row is about."""
    source, kind, name, version = text.split(_SEPARATOR)
    return SourceName(source), EntryKey(_KINDS[kind], name, version)
