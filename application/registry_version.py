"""A registry at a position: what every answer is taken from, live or past."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import attrs

from application.projections.catalogs import Catalogs
from domain.catalog import Catalog
from domain.composition import (
    RegistryDefinition,
    RegistryEntry,
    compose,
    default_registry,
    withdrawals,
)
from domain.definitions import Definitions
from domain.errors import RegistryNotFoundError
from domain.identifiers import EntryKind, EntryName, Position, RegistryName

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when a registry has been there, for those who ask what its sources said long ago."""

ServerKey = tuple[str, str]
"""Name and version of a server: what lists are ordered by."""


@attrs.frozen(kw_only=True)
class RegistryVersion:
    """One registry at a position. `servers` are in the order of lists, `keys` beside them.

    `changed_at` is when it was defined, or when one of its sources last changed;
    `withdrawals` marks what has left it (see `domain.composition`).
    """

    definition: RegistryDefinition
    position: Position
    changed_at: datetime
    withdrawals: str
    entries: tuple[RegistryEntry, ...]
    servers: Sequence[RegistryEntry]
    keys: Sequence[ServerKey]

    def after(self, key: ServerKey | None) -> int:
        """The index of the first server beyond *key*."""
        return bisect_right(self.keys, key) if key else 0

    def named(self, name: EntryName) -> Sequence[RegistryEntry]:
        """Every version of a name."""
        start = bisect_left(self.entries, (name.kind, name.name), key=_name_key)
        end = bisect_right(self.entries, (name.kind, name.name), key=_name_key)
        return self.entries[start:end]


def _name_key(served: RegistryEntry) -> tuple[EntryKind, str]:
    key = served.entry.key
    return key.kind, key.name


def registry_version(
    definition: RegistryDefinition, catalogs: Catalogs, position: Position
) -> RegistryVersion:
    """Compose a registry of the catalogs of its sources."""
    entries = compose(definition, catalogs)
    servers = [served for served in entries if served.entry.key.kind is EntryKind.SERVER]
    return RegistryVersion(
        definition=definition,
        position=position,
        changed_at=_changed_at(definition, catalogs),
        withdrawals=withdrawals(definition, catalogs),
        entries=entries,
        servers=servers,
        keys=[(served.entry.key.name, served.entry.key.version) for served in servers],
    )


def _changed_at(definition: RegistryDefinition, catalogs: Catalogs) -> datetime:
    times = [definition.defined_at]
    for source in definition.sources:
        for versions in catalogs.get(source, Catalog()).names.values():
            times += (entry.changed_at for entry in versions.listed.values())
            times += (departed.delisted_at for departed in versions.departed.values())
    return max(times)


def find_registry(definitions: Definitions, name: str | None) -> RegistryDefinition:
    """The registry of that name, or the default one.

    Raises:
        RegistryNotFoundError
    """
    registries: Mapping[RegistryName, RegistryDefinition] = definitions.registries
    if name is None:
        found = default_registry(registries.values())
    else:
        found = registries.get(RegistryName(name))
    if found is None:
        known = ", ".join(sorted(registries)) or "none yet"
        wanted = f"registry {name!r}" if name is not None else "default registry"
        raise RegistryNotFoundError(f"No {wanted}: the registries are {known}")
    return found
