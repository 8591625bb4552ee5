"""The catalogs of all sources."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from application.event_log import CATALOG, LoggedEvent, source_of
from application.projections.projection import Step
from domain.catalog import Catalog, CatalogEntry, Departed, Recorded, Versions, evolve
from domain.entry import Lifecycle, Status
from domain.identifiers import DocumentHash, EntryKey, EntryKind, EntryName, SourceName
from domain.ports.storage import View, ViewChange
from domain.timestamps import from_micros, to_micros

Catalogs: TypeAlias = Mapping[SourceName, Catalog]

_SEPARATOR = "\x1f"  # no name or version holds it: formats refuse control characters


class CatalogsProjection:
    """One row per version, offered or departed."""

    view = View("catalogs", 1)
    categories = (CATALOG,)

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> Catalogs:
        found: dict[SourceName, dict[EntryName, Versions]] = {}
        for row_key, value in rows:
            source, key = _parse_key(row_key)
            versions = found.setdefault(source, {}).setdefault(key.entry_name, Versions({}, {}))
            _restore_row(versions, key, json.loads(value))
        return {source: Catalog(names) for source, names in found.items()}

    def step(self, state: Catalogs, events: Sequence[LoggedEvent]) -> Step[Catalogs]:
        folded = fold_catalogs(state, events)
        puts = {
            _key(source, key): row
            for source, recorded in _by_source(events).items()
            for name in {event.key.entry_name for _, event in recorded}
            for key, row in _changed_rows(
                name,
                state.get(source, Catalog()).names.get(name, Versions()),
                folded[source].names[name],
            )
        }
        return Step(folded, ViewChange(puts=puts))


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
        recorded: Any = (logged.recorded_at, logged.event)
        found.setdefault(source_of(logged.stream), []).append(recorded)
    return found


def _changed_rows(
    name: EntryName, old: Versions, new: Versions
) -> Iterator[tuple[EntryKey, bytes]]:
    for version, entry in new.listed.items():
        if old.listed.get(version) is not entry:
            yield entry.key, _entry_row(entry)
    for version, departed in new.departed.items():
        if old.departed.get(version) is not departed:
            yield EntryKey(name.kind, name.name, version), _departed_row(departed)


def _entry_row(entry: CatalogEntry) -> bytes:
    life = entry.lifecycle
    return json.dumps(
        [
            entry.document_hash,
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


def _restore_row(versions: Versions, key: EntryKey, row: list[Any]) -> None:
    """Fill tables that are still being built, so still dicts of ours."""
    listed: Any = versions.listed
    departed: Any = versions.departed
    if len(row) == 2:
        departed[key.version] = Departed(
            first_recorded_at=from_micros(row[0]), delisted_at=from_micros(row[1])
        )
    else:
        listed[key.version] = _restore_entry(key, *row)


def _restore_entry(
    key: EntryKey,
    document_hash: str,
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
        title=title,
        tags=tuple(tags),
        lifecycle=Lifecycle(
            status=Status(status),
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


def _key(source: SourceName, key: EntryKey) -> str:
    return _SEPARATOR.join((source, key.kind, key.name, key.version))


def _parse_key(text: str) -> tuple[SourceName, EntryKey]:
    source, kind, name, version = text.split(_SEPARATOR)
    return SourceName(source), EntryKey(EntryKind(kind), name, version)
