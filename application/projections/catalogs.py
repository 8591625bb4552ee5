"""The catalogs of all sources."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from application.event_log import CATALOG, LoggedEvent, source_of
from application.projections.projection import Step
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


class CatalogsProjection:
    """One row per version, offered or departed."""

    view = View("catalogs", 2, keeps_past=True)
    categories = (CATALOG,)

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> Catalogs:
        found: dict[SourceName, dict[EntryName, Versions]] = {}
        for row_key, value in rows:
            source, key = parse_row_key(row_key)
            versions = found.setdefault(source, {}).setdefault(key.entry_name, Versions({}, {}))
            _restore_row(versions, key, value)
        return {source: Catalog(names) for source, names in found.items()}

    def step(self, state: Catalogs, events: Sequence[LoggedEvent]) -> Step[Catalogs]:
        folded, changes = dict(state), _Changes()
        for source, recorded in _by_source(events).items():
            folded[source], changed = unfold(state.get(source, Catalog()), recorded)
            changes.add(source, changed)
        return Step(folded, changes.in_order())


class _Changes:
    """The rows of a step, by the position that they hold from."""

    def __init__(self) -> None:
        self._puts: dict[Position, dict[str, bytes]] = {}

    def add(self, source: SourceName, changes: Iterable[VersionChange]) -> None:
        for change in changes:
            row_key = key_prefix(source, change.key.entry_name) + change.key.version
            self._puts.setdefault(change.position, {})[row_key] = _row(change.state)

    def in_order(self) -> Sequence[ViewChange]:
        return [
            ViewChange(since=position, puts=puts) for position, puts in sorted(self._puts.items())
        ]


def fold_catalogs(catalogs: Catalogs, events: Sequence[LoggedEvent]) -> Catalogs:
    """Fold whole commits without a view."""
    evolved = {
        source: evolve(catalogs.get(source, Catalog()), recorded)
        for source, recorded in _by_source(events).items()
    }
    return {**catalogs, **evolved}


def _by_source(events: Sequence[LoggedEvent]) -> dict[SourceName, list[Recorded]]:
    found: dict[SourceName, list[Recorded]] = {}
    for logged in events:
        recorded: Any = (logged.recorded_at, logged.position, logged.event)
        found.setdefault(source_of(logged.stream), []).append(recorded)
    return found


def restore_state(key: EntryKey, value: bytes) -> CatalogEntry | Departed:
    """What a row says of a version."""
    row = json.loads(value.decode())
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


def key_prefix(source: SourceName, name: EntryName) -> str:
    """What the keys of all versions of a name begin with. They sort as names and versions do."""
    return _SEPARATOR.join((source, name.kind, name.name, ""))


def source_prefix(source: SourceName) -> str:
    """What the keys of a source's rows begin with."""
    return f"{source}{_SEPARATOR}"


def end_of(prefix: str) -> str:
    """The first key beyond those that begin with *prefix*."""
    return prefix[:-1] + chr(ord(_SEPARATOR) + 1)


def parse_row_key(text: str) -> tuple[SourceName, EntryKey]:
    """Which version of which source a row is about."""
    source, kind, name, version = text.split(_SEPARATOR)
    return SourceName(source), EntryKey(_KINDS[kind], name, version)
