"""What sources and registries come to, told without any code of the domain.

Tables that are changed in place, and rules as the documentation words them: slow and simple.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from domain.log import StoredEvent

OFFICIAL = "io.modelcontextprotocol.registry/official"
SILENT = {
    "status": "active",
    "status_message": None,
    "status_changed_at": None,
    "published_at": None,
}
"""What a source says about a version that it says nothing about."""

Key = tuple[str, str, str]
"""Kind, name and version."""


@attrs.define(kw_only=True)
class Row:
    """One version in the catalog of a source. `content` is compared, never looked into."""

    content: Any
    said: Mapping[str, Any]
    first_recorded_at: datetime
    status_recorded_at: datetime
    changed_at: datetime
    is_latest: bool = False

    @property
    def published_at(self) -> datetime:
        return _instant(self.said["published_at"]) or self.first_recorded_at

    @property
    def status_changed_at(self) -> datetime:
        return _instant(self.said["status_changed_at"]) or self.status_recorded_at


class NaiveCatalog:
    """What one source offers."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.first: dict[Key, datetime] = {}

    def put(self, key: Key, content: Any, said: Mapping[str, Any], at: datetime) -> None:
        """The source offers this from now on."""
        first = self.first.setdefault(key, at)
        row = self.rows.get(key)
        if row is None:
            self.rows[key] = Row(
                content=content,
                said=said,
                first_recorded_at=first,
                status_recorded_at=at,
                changed_at=at,
            )
            return
        if (row.content, row.said) != (content, said):
            row.changed_at = at
        if _spoken(row.said) != _spoken(said):
            row.status_recorded_at = at
        row.content, row.said = content, said

    def drop(self, key: Key) -> None:
        """The source offers this no longer."""
        del self.rows[key]

    def settle(self, at: datetime) -> None:
        """At the end of a commit, see which versions are the latest."""
        for name in {key[:2] for key in self.rows}:
            versions = {key: row for key, row in self.rows.items() if key[:2] == name}
            newest = _newest(versions)
            for key, row in versions.items():
                if row.is_latest != (key == newest):
                    row.is_latest, row.changed_at = key == newest, at


class NaiveRegistries:
    """Catalogs, and registries that show them. `owners` tells who shows a name, since when."""

    def __init__(self) -> None:
        self.catalogs: dict[str, NaiveCatalog] = {}
        self.sources: dict[str, tuple[str, ...]] = {}
        self.owners: dict[str, dict[str, tuple[str, datetime]]] = {}

    def define(self, registries: Mapping[str, tuple[str, ...]]) -> None:
        """Let there be these registries. Where the sources are others, all is seen anew."""
        self.owners = {
            registry: self.owners[registry] if self.sources.get(registry) == sources else {}
            for registry, sources in registries.items()
        }
        self.sources = dict(registries)

    def settle(self, at: datetime) -> None:
        """At the end of a commit, see what became visible by it."""
        for catalog in self.catalogs.values():
            catalog.settle(at)
        for registry, sources in self.sources.items():
            before, now = self.owners[registry], self._owners(sources)
            self.owners[registry] = {
                name: before[name] if name in before and before[name][0] == owner else (owner, at)
                for name, owner in now.items()
            }

    def _owners(self, sources: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for source in sources:
            for _, name, _ in self._rows(source):
                found.setdefault(name, source)
        return found

    def _rows(self, source: str) -> Mapping[Key, Row]:
        return self.catalogs[source].rows if source in self.catalogs else {}

    def serve(self, registry: str) -> list[dict[str, Any]]:
        """The servers of GET /v0.1/servers, as if a page had no end."""
        shown = [each for each in self.shown(registry) if each[1].said["status"] != "deleted"]
        shown.sort(key=lambda each: (each[0][1].encode(), each[0][2].encode()))
        return [response(row, since) for _, row, since in shown]

    def shown(self, registry: str) -> list[tuple[Key, Row, datetime]]:
        """Every version of every name that it has, with the time since when it shows the name."""
        return [
            (key, row, since)
            for name, (owner, since) in self.owners[registry].items()
            for key, row in self._rows(owner).items()
            if key[1] == name
        ]


def response(row: Row, since: datetime) -> dict[str, Any]:
    """A member of `servers`."""
    message = row.said["status_message"]
    official = {
        "status": row.said["status"],
        "statusChangedAt": _text(row.status_changed_at),
        "publishedAt": _text(row.published_at),
        "updatedAt": _text(max(row.changed_at, since)),
        "isLatest": row.is_latest,
    }
    said = {} if message is None else {"statusMessage": message}
    return {"server": row.content, "_meta": {OFFICIAL: {**official, **said}}}


def catalogs_told_by(events: Iterable[StoredEvent]) -> dict[str, NaiveCatalog]:
    """The catalogs of all sources after these events, which are read as nothing but JSON."""
    catalogs: dict[str, NaiveCatalog] = {}
    commit, at = None, None
    for event in events:
        if event.commit_id != commit:
            _settle(catalogs, at)
            commit, at = event.commit_id, event.recorded_at
        category, _, source = event.stream.partition("-")
        if category == "catalog":
            take(catalogs.setdefault(source, NaiveCatalog()), event)
    _settle(catalogs, at)
    return catalogs


def _settle(catalogs: Mapping[str, NaiveCatalog], at: datetime | None) -> None:
    for catalog in catalogs.values() if at else ():
        catalog.settle(at)


def take(catalog: NaiveCatalog, event: StoredEvent) -> None:
    """Let an event of its stream happen to a catalog."""
    said = json.loads(event.data)
    key = (said["key"]["kind"], said["key"]["name"], said["key"]["version"])
    if event.type == "entry.delisted":
        catalog.drop(key)
    elif event.type == "entry.status_changed":
        catalog.put(key, catalog.rows[key].content, said["lifecycle"], event.recorded_at)
    else:
        assert (event.type == "entry.revised") == (key in catalog.rows), event
        lifecycle = catalog.rows[key].said if key in catalog.rows else said["lifecycle"]
        content = [said["document_hash"], said["title"], said["tags"]]
        catalog.put(key, content, lifecycle, event.recorded_at)


def _newest(versions: Mapping[Key, Row]) -> Key:
    alive = {key: row for key, row in versions.items() if row.said["status"] != "deleted"}
    by_age = sorted(
        alive or versions, key=lambda key: (versions[key].published_at, key[2].encode())
    )
    return max(by_age, key=lambda key: _rank(key[2], versions[key].published_at))


def _rank(version: str, published_at: datetime) -> tuple[Any, ...]:
    """By https://semver.org, with an optional `v`; other versions below, by publication."""
    core, _, build = version.removeprefix("v").partition("+")
    numbers, dash, pre_release = core.partition("-")
    numeric, identifiers = numbers.split("."), pre_release.split(".") if dash else []
    semantic = (
        len(numeric) == 3
        and all(map(_is_number, numeric))
        and all(_is_number(part) or (_is_word(part) and not part.isdigit()) for part in identifiers)
        and all(map(_is_word, build.split(".") if "+" in version else []))
    )
    if not semantic:
        return (0, published_at)
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in identifiers]
    return (1, [int(number) for number in numeric], not dash, parts)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and text == str(int(text))


def _is_word(text: str) -> bool:
    return bool(text) and text.isascii() and text.replace("-", "a").isalnum()


def _spoken(said: Mapping[str, Any]) -> tuple[Any, Any]:
    return said["status"], said["status_message"]


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
