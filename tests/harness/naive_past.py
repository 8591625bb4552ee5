"""Registries of any moment out of the events of a log alone, told without any code of the domain.

What was recorded is a table that is changed commit by commit. What had taken effect is such a
table of each source, with the times of its commits written anew.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from domain.log import StoredEvent
from tests.harness.naive_registry import (
    Key,
    NaiveCatalog,
    NaiveRegistries,
    Row,
    response,
    take,
)

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

Shown = Sequence[tuple[Key, Row, datetime]]
"""Versions of servers with the time since when a reader can see their name."""


def recorded_registries(
    events: Iterable[StoredEvent],
) -> Iterator[tuple[StoredEvent, NaiveRegistries]]:
    """After each commit its last event, and all registries until the next is asked for."""
    registries = NaiveRegistries()
    sources: dict[str, tuple[str, ...]] = {}
    for _, commit in groupby(events, key=attrgetter("commit_id")):
        for event in (told := list(commit)):
            category, _, source = event.stream.partition("-")
            if category == "catalog":
                take(registries.catalogs.setdefault(source, NaiveCatalog()), event)
            elif category == "config":
                _configure(sources, event)
        registries.define(sources)
        registries.settle(told[0].recorded_at)
        yield told[-1], registries


def recorded_answer(
    registries: NaiveRegistries, registry: str, documents: Mapping[str, bytes], **filters: Any
) -> list[Any]:
    """The servers of a list of a registry, as if a page had no end."""
    return _answer(registries.shown(registry), documents, **filters)


def effective_answer(
    events: Sequence[StoredEvent],
    effective_at: datetime,
    registry: str,
    documents: Mapping[str, bytes],
    **filters: Any,
) -> list[Any]:
    """The same of what of these events had taken effect, configured as after all of them."""
    *_, (_, registries) = recorded_registries(events)
    sources = registries.sources[registry]
    catalogs, left = {}, {}
    for source in sources:
        catalogs[source], left[source] = _effective_catalog(
            [
                e
                for e in events
                if e.stream == f"catalog-{source}" and e.effective_at <= effective_at
            ]
        )
    return _answer(_composed(sources, catalogs, left), documents, **filters)


def _effective_catalog(
    events: Sequence[StoredEvent],
) -> tuple[NaiveCatalog, Mapping[str, datetime]]:
    """A source's catalog, and when each name was last let go."""
    catalog, times, left = NaiveCatalog(), {}, {}
    for recorded_at, commit in groupby(events, key=attrgetter("recorded_at")):
        for event in commit:
            times[recorded_at] = event.effective_at
            take(catalog, event)
            if event.type == "entry.delisted":
                left[json.loads(event.data)["key"]["name"]] = event.effective_at
        catalog.settle(recorded_at)
    for row in catalog.rows.values():
        row.first_recorded_at = times[row.first_recorded_at]
        row.status_recorded_at = times[row.status_recorded_at]
        row.changed_at = times[row.changed_at]
    return catalog, left


def _composed(
    sources: Sequence[str],
    catalogs: Mapping[str, NaiveCatalog],
    left: Mapping[str, Mapping[str, datetime]],
) -> Shown:
    owners: dict[str, str] = {}
    for source in sources:
        for _, name, _ in catalogs[source].rows:
            owners.setdefault(name, source)
    return [
        (key, row, _free_since(key[1], sources[: sources.index(owner)], left))
        for name, owner in owners.items()
        for key, row in catalogs[owner].rows.items()
        if key[1] == name
    ]


def _free_since(
    name: str, earlier: Sequence[str], left: Mapping[str, Mapping[str, datetime]]
) -> datetime:
    return max((left[source].get(name, LONG_AGO) for source in earlier), default=LONG_AGO)


def _answer(
    shown: Shown,
    documents: Mapping[str, bytes],
    *,
    search: str = "",
    version: str = "",
    include_deleted: bool = False,
    updated_since: datetime | None = None,
) -> list[Any]:
    answer = []
    for key, row, since in sorted(shown, key=lambda one: (one[0][1].encode(), one[0][2].encode())):
        document = json.loads(documents[row.content[0]])
        looked_into = "\n".join(
            str(document.get(member, "")) for member in ("name", "title", "description")
        )
        told = max(row.changed_at, since)
        if (
            key[0] == "server"
            and (include_deleted or updated_since or row.said["status"] != "deleted")
            and (not version or (row.is_latest if version == "latest" else key[2] == version))
            and search.lower() in looked_into.lower()
            and (updated_since is None or told > updated_since)
        ):
            answer.append({**response(row, since), "server": document})
    return answer


def _configure(sources: dict[str, tuple[str, ...]], event: StoredEvent) -> None:
    said = json.loads(event.data)
    if event.type == "registry.defined":
        sources[said["name"]] = tuple(said["sources"])
    elif event.type == "registry.retired":
        del sources[said["name"]]
