"""A registry at a position, entry by entry: what a replay makes of the log."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import attrs

from application.projections.catalogs import Catalogs
from domain.composition import (
    RegistryDefinition,
    RegistryEntry,
    compositions,
    default_registry,
)
from domain.definitions import Definitions
from domain.errors import RegistryNotFoundError
from domain.identifiers import EntryKind, Position, RegistryName

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when a registry has been there, for those who ask what its sources said long ago."""

ServerKey = tuple[str, str]
"""Name and version of a server: what lists are ordered by."""


@attrs.frozen(kw_only=True)
class RegistryVersion:
    """One registry at a position, in the order of keys.

    `changed_at` is when it was defined, or when one of its sources last changed.
    """

    definition: RegistryDefinition
    position: Position
    changed_at: datetime
    entries: tuple[RegistryEntry, ...]

    @property
    def servers(self) -> Sequence[RegistryEntry]:
        """What lists are made of."""
        return [served for served in self.entries if served.entry.key.kind is EntryKind.SERVER]


def registry_version(
    definition: RegistryDefinition, catalogs: Catalogs, position: Position
) -> RegistryVersion:
    """Compose a registry of the catalogs of its sources."""
    made = [composition for _, composition in compositions(definition, catalogs)]
    return RegistryVersion(
        definition=definition,
        position=position,
        changed_at=max([definition.defined_at, *(one.changed_at for one in made)]),
        entries=tuple(served for one in made for served in one.entries),
    )


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
