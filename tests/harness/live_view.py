"""The live registries, entry by entry, as the views have them."""

from collections.abc import Iterable
from contextlib import aclosing

from application.projections import CATALOGS
from application.projections.catalogs import (
    Catalogs,
    is_size,
    parse_size,
    restore_catalogs,
    source_of_size,
)
from application.projector import Projector
from application.registry_version import RegistryVersion, find_registry, registry_version
from application.served import PastRegistry
from application.source_catalog import size_of
from domain.composition import RegistryEntry
from domain.ports.storage import StoragePort


async def stored_catalogs(storage: StoragePort) -> Catalogs:
    """The catalogs of all sources."""
    return sized_catalogs([row async for batch in storage.rows(CATALOGS.view) for row in batch])


def sized_catalogs(rows: Iterable[tuple[str, bytes]]) -> Catalogs:
    """The catalogs of all sources, which are as large as their rows say."""
    known = list(rows)
    catalogs = restore_catalogs(row for row in known if not is_size(row[0]))
    told = {source_of_size(key): parse_size(value) for key, value in known if is_size(key)}
    assert told == {source: size_of(catalog) for source, catalog in catalogs.items()}
    return catalogs


async def live_version(
    projector: Projector, storage: StoragePort, name: str | None = None
) -> RegistryVersion:
    """A registry as it is now."""
    live = projector.live
    catalogs = await stored_catalogs(storage)
    definition = find_registry(live.definitions, name)
    return registry_version(definition, catalogs, live.changed_position)


async def all_entries(registry: PastRegistry) -> list[RegistryEntry]:
    """Everything in a registry of the past, in the order of keys."""
    async with aclosing(registry.sources.walk()) as names:
        return [served async for _, entries in names for served in entries]
