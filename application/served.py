"""A registry as it is served: live out of memory, past out of the view."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from itertools import islice
from typing import Protocol

import attrs
from anyio.lowlevel import checkpoint

from application.cursor import ListFilters
from application.documents import Documents
from application.indexing import index_of, served_versions
from application.moments import Moment
from application.past_walk import PastSources
from application.queries import LATEST, Page, page_of, passes
from application.registry_index import RegistryIndex, ServedVersion
from application.registry_version import ServerKey
from application.wholes import Wholes
from domain.composition import RegistryDefinition, RegistryEntry, withdrawals
from domain.identifiers import EntryKind, EntryName, Position
from domain.ports.scratch import ScratchPort
from domain.timestamps import from_micros, to_micros

_SHELVES = 16  # that are looked into at a time, in half a millisecond
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

    async def page(self, filters: ListFilters, after: ServerKey | None, limit: int) -> Page:
        """The first servers beyond a key that the filters let pass."""
        ...

    async def versions(self, server: str) -> Page:
        """Every version of a server."""
        ...

    async def named(self, name: EntryName) -> Sequence[RegistryEntry]:
        """All there is to know of every version of a name."""
        ...

    async def outline(self) -> RegistryIndex:
        """All that is in it, but perhaps not what it is shown as and searched for."""
        ...

    async def whole(self) -> RegistryIndex:
        """All of it at once."""
        ...


@attrs.frozen(kw_only=True)
class LiveRegistry:
    """The registry as it is now.

    The index was made of the rows as of `catalogs_position`, when so many `redactions` were known.
    Until it `is_whole` it is an outline, of which `make_whole` makes one that is, and pages are
    made of the documents.
    """

    index: RegistryIndex
    is_whole: bool
    make_whole: Callable[["LiveRegistry"], Awaitable[RegistryIndex]] = attrs.field(eq=False)
    sources: PastSources
    documents: Documents
    position: Position
    catalogs_position: Position
    redactions: int
    moment: None = None
    withdrawals: str = attrs.field(init=False)
    mark: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        left = withdrawals(self.definition, self.index.left_us, self.index.hidden)
        object.__setattr__(self, "withdrawals", left)
        changed_us = to_micros(changed_at(self.definition, self.index))
        object.__setattr__(self, "mark", f"{changed_us:x}")

    @property
    def definition(self) -> RegistryDefinition:
        return self.sources.definition

    async def page(self, filters: ListFilters, after: ServerKey | None, limit: int) -> Page:
        if self.is_whole or filters.search:
            return await _page(await self.whole(), filters, after, limit)
        return await self._shown(await _page(self.index, filters, after, limit))

    async def versions(self, server: str) -> Page:
        found = _versions(self.index, server)
        return found if self.is_whole else await self._shown(found)

    async def named(self, name: EntryName) -> Sequence[RegistryEntry]:
        return await self.sources.named(name)

    async def outline(self) -> RegistryIndex:
        return self.index

    async def whole(self) -> RegistryIndex:
        return self.index if self.is_whole else await self.make_whole(self)

    async def _shown(self, page: Page) -> Page:
        """The same, with what is not laid down yet."""
        names = {EntryName(EntryKind.SERVER, served.name) for served in page.servers}
        known = await self.sources.of(names)
        entries = {
            (entry.entry.key.name, entry.entry.version): entry
            for composition in known.values()
            for entry in composition.entries
        }
        wanted = [entries[served.name, served.version] for served in page.servers]
        servers, responses = await served_versions(wanted, self.documents)
        return attrs.evolve(page, servers=servers, responses=responses)


@attrs.frozen(kw_only=True)
class PastRegistry:
    """The registry of a moment. A page is read from the view, what needs more composes all."""

    sources: PastSources
    moment: Moment
    wholes: Wholes
    documents: Documents
    scratch: ScratchPort

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

    async def page(self, filters: ListFilters, after: ServerKey | None, limit: int) -> Page:
        known = self.wholes.known(self._key)
        if known or reads_far(filters):
            return await _page(known or await self.whole(), filters, after, limit)
        return await self._read_page(filters, after, limit)

    async def _read_page(self, filters: ListFilters, after: ServerKey | None, limit: int) -> Page:
        found: list[RegistryEntry] = []
        start = EntryName(EntryKind.SERVER, after[0] if after else "")
        async with aclosing(self.sources.walk(start, limit + _SPARE)) as names:
            async for name, entries in names:
                if name.kind is not EntryKind.SERVER or len(found) > limit:
                    break
                found += (e for e in entries if _is_beyond(e, after) and passes(e, filters))
        servers, responses = await served_versions(found[: limit + 1], self.documents)
        return page_of(servers, responses, filters, limit)

    async def versions(self, server: str) -> Page:
        if known := self.wholes.known(self._key):
            return _versions(known, server)
        entries = await self.named(EntryName(EntryKind.SERVER, server))
        return Page(*await served_versions(entries, self.documents))

    async def named(self, name: EntryName) -> Sequence[RegistryEntry]:
        return await self.sources.named(name)

    async def outline(self) -> RegistryIndex:
        return await self.whole()

    async def whole(self) -> RegistryIndex:
        return await self.wholes.get(self._key, self._index)

    @property
    def _key(self) -> tuple[str, Moment, int]:
        return self.definition.name, self.moment, len(self.documents.redactions)

    async def _index(self) -> RegistryIndex:
        return await index_of(self.sources, self.documents, self.scratch.open())


def changed_at(definition: RegistryDefinition, index: RegistryIndex) -> datetime:
    """When a registry was defined, or when one of its sources last changed."""
    return max(definition.defined_at, from_micros(index.changed_us))


def reads_far(filters: ListFilters) -> bool:
    """Whether a page may lie anywhere in the list, so that it needs all of it."""
    return bool(filters.search or filters.updated_since or filters.version not in (None, LATEST))


async def _page(
    index: RegistryIndex, filters: ListFilters, after: ServerKey | None, limit: int
) -> Page:
    """Others have their turn after every few shelves: the last hit may lie far away.

    Not in a thread: a few that search at the same time would keep the event loop waiting for the
    interpreter far longer than they need.
    """
    found: list[ServedVersion] = []
    for looked_into, stretch in enumerate(index.stretches(filters, after), 1):
        found += islice(stretch, limit + 1 - len(found))
        if len(found) > limit:
            break
        if looked_into % _SHELVES == 0:
            await checkpoint()
    return page_of(found, index.responses, filters, limit)


def _versions(index: RegistryIndex, server: str) -> Page:
    found = index.named(EntryName(EntryKind.SERVER, server))
    return Page(found.versions if found else (), index.responses)


def _is_beyond(served: RegistryEntry, after: ServerKey | None) -> bool:
    key = served.entry.key
    return after is None or (key.name, key.version) > after
