"""A registry as it is served: live out of memory, past out of the view."""

from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import Protocol

import anyio.to_thread
import attrs

from application.cursor import ListFilters
from application.documents import Documents
from application.moments import Moment
from application.past_walk import PastSources
from application.queries import (
    LATEST,
    Page,
    list_servers,
    page_of,
    passes,
)
from application.registry_version import RegistryVersion, ServerKey, registry_version
from application.wholes import Wholes
from domain.composition import RegistryDefinition, RegistryEntry
from domain.identifiers import EntryKind, EntryName, Position
from domain.timestamps import to_micros

_SPARE = 5  # rows beyond a page, by which its end is seen


class ServedRegistry(Protocol):
    """What answers are made of.

    `mark` tells it from the registry of another log that has come as far, `withdrawals` is
    another one whenever entries left, and `moment` is None while the registry is live.
    """

    @property
    def definition(self) -> RegistryDefinition: ...

    @property
    def position(self) -> Position: ...

    @property
    def mark(self) -> str: ...

    @property
    def withdrawals(self) -> str: ...

    @property
    def moment(self) -> Moment | None: ...

    async def page(
        self, filters: ListFilters, after: ServerKey | None, limit: int, documents: Documents
    ) -> Page:
        """The first servers beyond a key that the filters let pass."""
        ...

    async def named(self, name: EntryName) -> Sequence[RegistryEntry]:
        """Every version of a name."""
        ...

    async def whole(self) -> RegistryVersion:
        """All of it at once."""
        ...


@attrs.frozen
class LiveRegistry:
    """The registry as it is now."""

    version: RegistryVersion
    moment: None = None

    @property
    def definition(self) -> RegistryDefinition:
        return self.version.definition

    @property
    def position(self) -> Position:
        return self.version.position

    @property
    def mark(self) -> str:
        return f"{to_micros(self.version.changed_at):x}"

    @property
    def withdrawals(self) -> str:
        return self.version.withdrawals

    async def page(
        self, filters: ListFilters, after: ServerKey | None, limit: int, documents: Documents
    ) -> Page:
        return await _page(self.version, filters, after, limit, documents)

    async def named(self, name: EntryName) -> Sequence[RegistryEntry]:
        return self.version.named(name)

    async def whole(self) -> RegistryVersion:
        return self.version


@attrs.frozen
class PastRegistry:
    """The registry of a moment. A page is read from the view, what needs more composes all."""

    sources: PastSources
    moment: Moment
    wholes: Wholes

    @property
    def definition(self) -> RegistryDefinition:
        return self.sources.definition

    @property
    def position(self) -> Position:
        return self.moment.position

    @property
    def mark(self) -> str:
        effective_at = self.moment.effective_at
        by = f"-{to_micros(effective_at):x}" if effective_at else ""
        return self.moment.commit.root.hex()[:16] + by

    @property
    def withdrawals(self) -> str:
        """Nothing leaves a registry of the past: only a pin may come to name another one."""
        return self.mark

    async def page(
        self, filters: ListFilters, after: ServerKey | None, limit: int, documents: Documents
    ) -> Page:
        known = self.wholes.known(self._key)
        if known or reads_far(filters):
            return await _page(known or await self.whole(), filters, after, limit, documents)
        return await self._read_page(filters, after, limit)

    async def _read_page(self, filters: ListFilters, after: ServerKey | None, limit: int) -> Page:
        found: list[RegistryEntry] = []
        start = EntryName(EntryKind.SERVER, after[0] if after else "")
        async with aclosing(self.sources.walk(start, limit + _SPARE)) as names:
            async for name, entries in names:
                if name.kind is not EntryKind.SERVER or len(found) > limit:
                    break
                found += (e for e in entries if _is_beyond(e, after) and passes(e, filters))
        return page_of(found, filters, limit)

    async def named(self, name: EntryName) -> Sequence[RegistryEntry]:
        return await self.sources.named(name)

    async def whole(self) -> RegistryVersion:
        return await self.wholes.get(self._key, self._compose)

    @property
    def _key(self) -> tuple[str, Moment]:
        return self.definition.name, self.moment

    async def _compose(self) -> RegistryVersion:
        catalogs = await self.sources.catalogs()
        return await anyio.to_thread.run_sync(
            registry_version, self.definition, catalogs, self.position
        )


def reads_far(filters: ListFilters) -> bool:
    """Whether a page may lie anywhere in the list: finding it must not hold up other requests."""
    return bool(filters.search or filters.updated_since or filters.version not in (None, LATEST))


async def _page(
    registry: RegistryVersion,
    filters: ListFilters,
    after: ServerKey | None,
    limit: int,
    documents: Documents,
) -> Page:
    texts = await documents.texts(registry) if filters.search else {}
    find = partial(list_servers, registry, filters, after=after, limit=limit, texts=texts)
    return await anyio.to_thread.run_sync(find) if reads_far(filters) else find()


def _is_beyond(served: RegistryEntry, after: ServerKey | None) -> bool:
    key = served.entry.key
    return after is None or (key.name, key.version) > after
