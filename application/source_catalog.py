"""What a source offers, as a sync asks for it: out of the views, or out of memory."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

import attrs

from application.projections import CATALOGS
from application.projections.catalogs import (
    Size,
    all_of,
    key_prefix,
    one_row,
    parse_row_key,
    parse_size,
    restore_catalogs,
    restore_state,
    row_key_of,
    size_key,
    source_prefix,
)
from domain.catalog import Catalog, CatalogEntry, Departed, Versions
from domain.identifiers import EntryKey, EntryName, SourceName
from domain.ports.storage import ViewStorePort

_BATCH = 1000
_NOW = 2**63 - 1  # beyond every position


class SourceCatalog(Protocol):
    """A catalog of any size."""

    async def known(self, keys: Collection[EntryKey]) -> Mapping[EntryKey, CatalogEntry]:
        """Those of *keys* that are offered."""
        ...

    async def named(self, names: Collection[EntryName]) -> Sequence[EntryKey]:
        """What is offered under some names."""
        ...

    def entries(self) -> AsyncIterator[Sequence[CatalogEntry]]:
        """Everything that is offered, in batches."""
        ...

    async def size(self) -> Size:
        """How much is offered."""
        ...


@attrs.frozen
class HeldCatalog:
    """A catalog in memory."""

    catalog: Catalog

    async def known(self, keys: Collection[EntryKey]) -> Mapping[EntryKey, CatalogEntry]:
        return {key: entry for key in keys if (entry := self.catalog.get(key))}

    async def named(self, names: Collection[EntryName]) -> Sequence[EntryKey]:
        known = (self.catalog.names.get(name, Versions()) for name in names)
        return [entry.key for versions in known for entry in versions.listed.values()]

    async def entries(self) -> AsyncIterator[Sequence[CatalogEntry]]:
        yield list(self.catalog.entries())

    async def size(self) -> Size:
        return size_of(self.catalog)


@attrs.frozen
class StoredCatalog:
    """The catalog of a source as the view has it now."""

    storage: ViewStorePort
    source: SourceName

    async def known(self, keys: Collection[EntryKey]) -> Mapping[EntryKey, CatalogEntry]:
        ranges = [one_row(row_key_of(self.source, key)) for key in keys]
        return _listed(await self.storage.rows_within(CATALOGS.view, ranges))

    async def named(self, names: Collection[EntryName]) -> Sequence[EntryKey]:
        ranges = [all_of(key_prefix(self.source, name)) for name in names]
        return list(_listed(await self.storage.rows_within(CATALOGS.view, ranges)))

    async def entries(self) -> AsyncIterator[Sequence[CatalogEntry]]:
        async for rows in self.rows():
            yield list(_listed(rows).values())

    async def rows(self) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """All rows of the source, in batches."""
        start, stop = all_of(source_prefix(self.source))
        while rows := await self.storage.rows_at(
            CATALOGS.view, _NOW, start=start, stop=stop, limit=_BATCH
        ):
            yield rows
            start = one_row(rows[-1][0])[1]

    async def size(self) -> Size:
        ranges = [one_row(size_key(self.source))]
        rows = await self.storage.rows_within(CATALOGS.view, ranges)
        return parse_size(rows[0][1]) if rows else Size()


async def sizes(
    storage: ViewStorePort, sources: Collection[SourceName]
) -> Mapping[SourceName, Size]:
    """How much each of some sources offers."""
    return {source: await StoredCatalog(storage, source).size() for source in sources}


def _listed(rows: Sequence[tuple[str, bytes]]) -> Mapping[EntryKey, CatalogEntry]:
    keys = [(parse_row_key(row_key)[1], value) for row_key, value in rows]
    states = ((key, restore_state(key, value)) for key, value in keys)
    return {key: state for key, state in states if not isinstance(state, Departed)}


def size_of(catalog: Catalog) -> Size:
    """How much a catalog in memory offers."""
    names = [versions for versions in catalog.names.values() if versions.listed]
    return Size(entries=sum(len(versions.listed) for versions in names), names=len(names))


async def held(catalog: StoredCatalog) -> Catalog:
    """All of a catalog in memory, with what departed."""
    rows = [row async for batch in catalog.rows() for row in batch]
    return restore_catalogs(rows).get(catalog.source, Catalog())
