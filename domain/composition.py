"""A registry: ordered sources, of which the first that has a name owns it."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from domain.catalog import Catalog, CatalogEntry, Versions
from domain.identifiers import EntryKey, EntryName, RegistryName, SourceName
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


@attrs.frozen(kw_only=True)
class NamedComposition:
    """What a registry makes of one name: what it serves, in the order of versions, and from where.

    `hidden` are the keys that later sources offer in vain. `changed_at` is when anything of the
    name last changed in any source, and `left_at` when a version last left one.
    """

    entries: tuple[RegistryEntry, ...]
    hidden: tuple[EntryKey, ...]
    changed_at: datetime
    left_at: datetime | None


def compose_name(
    definition: RegistryDefinition, offers: Mapping[SourceName, Versions]
) -> NamedComposition:
    """What a registry makes of a name that some of its sources know.

    The name comes from the first source that offers it, with all versions there. It has changed
    for the registry when it changed there, when a source before it let the name go, or when
    the registry got other sources: each lets a reader see it for the first time.
    """
    entries: tuple[RegistryEntry, ...] = ()
    hidden: list[EntryKey] = []
    free_since = definition.defined_at
    for source in definition.sources:
        if (versions := offers.get(source)) is None:
            continue
        if not versions.listed:
            free_since = max(free_since, *_delisted(versions))
        elif not entries:
            entries = _owned(source, versions, free_since)
        else:
            hidden += (entry.key for entry in versions.listed.values())
    known = [offers[source] for source in definition.sources if source in offers]
    left = [at for versions in known for at in _delisted(versions)]
    changed = [entry.changed_at for versions in known for entry in versions.listed.values()]
    return NamedComposition(
        entries=entries,
        hidden=tuple(hidden),
        changed_at=max([*left, *changed, definition.defined_at]),
        left_at=max(left, default=None),
    )


def _delisted(versions: Versions) -> list[datetime]:
    return [departed.delisted_at for departed in versions.departed.values()]


def _owned(source: SourceName, versions: Versions, since: datetime) -> tuple[RegistryEntry, ...]:
    return tuple(
        RegistryEntry(entry=entry, source=source, updated_at=max(entry.changed_at, since))
        for _, entry in sorted(versions.listed.items())
    )


def compositions(
    definition: RegistryDefinition, catalogs: Mapping[SourceName, Catalog]
) -> Iterable[tuple[EntryName, NamedComposition]]:
    """What a registry makes of every name, in their order."""
    offers: dict[EntryName, dict[SourceName, Versions]] = {}
    for source in definition.sources:
        for name, versions in catalogs.get(source, Catalog()).names.items():
            offers.setdefault(name, {})[source] = versions
    for name in sorted(offers, key=lambda name: (name.kind, name.name)):
        yield name, compose_name(definition, offers[name])


def compose(
    definition: RegistryDefinition, catalogs: Mapping[SourceName, Catalog]
) -> tuple[RegistryEntry, ...]:
    """Everything a registry serves, in the order of keys."""
    return tuple(
        served
        for _, composition in compositions(definition, catalogs)
        for served in composition.entries
    )


def hidden_digest(keys: Iterable[EntryKey]) -> int:
    """A sum that tells some hidden keys from others, and how often each is hidden.

    Those of two names are added.
    """
    return sum(
        int.from_bytes(hashlib.sha256("\0".join(key.sort_key).encode()).digest()[:8])
        for key in keys
    )


def withdrawals(definition: RegistryDefinition, left_us: int, hidden: int) -> str:
    """A mark that is another one whenever entries left the registry.

    Nothing in a list of what is served now tells of them: a mirror that asks for updates alone
    has to compare everything when the mark has changed. They leave when a source no longer
    offers them (the last time was *left_us*), when a source before theirs comes to offer their
    name (they are in *hidden*, a `hidden_digest`), or when the registry gets other sources.
    """
    left = max(left_us, to_micros(definition.defined_at))
    return hashlib.sha256(f"{left} {hidden}".encode()).hexdigest()[:16]
