"""A registry: ordered sources, of which the first that has a name owns it."""

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from domain.catalog import Catalog, CatalogEntry, Versions
from domain.identifiers import EntryName, RegistryName, SourceName
from domain.timestamps import to_micros

DEFAULT_REGISTRY = RegistryName("default")


@attrs.frozen(kw_only=True)
class RegistryDefinition:
    """A registry as configured: sources in their order of precedence, and since when so."""

    name: RegistryName
    sources: tuple[SourceName, ...]
    rank: int
    defined_at: datetime


@attrs.frozen(kw_only=True)
class RegistryEntry:
    """A catalog entry as one registry serves it, which may show it later than its source."""

    entry: CatalogEntry
    source: SourceName
    updated_at: datetime


def default_registry(definitions: Iterable[RegistryDefinition]) -> RegistryDefinition | None:
    """The one named `default`, else the first."""
    ordered = sorted(definitions, key=lambda definition: definition.rank)
    named = (found for found in ordered if found.name == DEFAULT_REGISTRY)
    return next(named, ordered[0] if ordered else None)


def compose(
    definition: RegistryDefinition, catalogs: Mapping[SourceName, Catalog]
) -> tuple[RegistryEntry, ...]:
    """Everything a registry serves, in the order of keys.

    A name comes from the first source that offers it, with all versions there. It has changed
    for the registry when it changed there, when a source before it let the name go, or when
    the registry got other sources: each lets a reader see it for the first time.
    """
    served = [
        RegistryEntry(
            entry=entry, source=owner.source, updated_at=max(entry.changed_at, owner.since)
        )
        for owner in _owners(definition, catalogs)
        for entry in owner.versions.listed.values()
    ]
    return tuple(sorted(served, key=lambda one: one.entry.key.sort_key))


def withdrawals(definition: RegistryDefinition, catalogs: Mapping[SourceName, Catalog]) -> str:
    """A mark that is another one whenever entries left the registry.

    Nothing in a list of what is served now tells of them: a mirror that asks for updates alone
    has to compare everything when the mark has changed. They leave when a source no longer
    offers them, when a source before theirs comes to offer their name, or when the registry
    gets other sources.
    """
    owned: set[EntryName] = set()
    hidden: list[tuple[str, ...]] = []
    left = [definition.defined_at]
    for source in definition.sources:
        names = catalogs.get(source, Catalog()).names
        for name, versions in names.items():
            left += (departed.delisted_at for departed in versions.departed.values())
            if name in owned:
                hidden += (entry.key.sort_key for entry in versions.listed.values())
        owned.update(name for name, versions in names.items() if versions.listed)
    said = [str(to_micros(max(left))), *itertools.chain.from_iterable(sorted(hidden))]
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:16]


@attrs.frozen(kw_only=True)
class _Owner:
    """The source that owns a name, what it offers there, and since when a reader can see it."""

    source: SourceName
    versions: Versions
    since: datetime


def _owners(
    definition: RegistryDefinition, catalogs: Mapping[SourceName, Catalog]
) -> Iterable[_Owner]:
    owners: dict[EntryName, _Owner] = {}
    free_since: dict[EntryName, datetime] = {}
    for source in definition.sources:
        for name, versions in catalogs.get(source, Catalog()).names.items():
            since = free_since.get(name, definition.defined_at)
            if not versions.listed:
                left = [departed.delisted_at for departed in versions.departed.values()]
                free_since[name] = max(since, *left)
            elif name not in owners:
                owners[name] = _Owner(source=source, versions=versions, since=since)
    return owners.values()
