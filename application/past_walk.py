"""What sources offered as of a position, read from the view in the order of names."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing

import anyio.to_thread
import attrs

from application.projections import CATALOGS
from application.projections.catalogs import (
    all_of,
    key_prefix,
    parse_row_key,
    restore_state,
    restore_states,
    source_prefix,
)
from domain.catalog import CatalogEntry, Departed, Versions
from domain.composition import (
    NamedComposition,
    RegistryDefinition,
    RegistryEntry,
    compose_name,
)
from domain.identifiers import EntryKey, EntryName, Position, SourceName
from domain.ports.storage import StoragePort

_FIRST, _MOST = 100, 1600  # rows that are read at a time

NamedEntries = tuple[EntryName, Sequence[RegistryEntry]]
TwoSides = tuple[EntryName, Sequence[RegistryEntry], Sequence[RegistryEntry]]
"""What two registries offered under a name."""

State = tuple[EntryKey, CatalogEntry | Departed]


@attrs.frozen(kw_only=True)
class PastSources:
    """The sources of a registry, each as of a position of its own.

    With `effective`, times are those at which things took effect, else when they were recorded.
    """

    storage: StoragePort
    definition: RegistryDefinition
    positions: Mapping[SourceName, Position]
    effective: bool

    async def named(self, name: EntryName) -> Sequence[RegistryEntry]:
        """What the registry offered under a name."""
        found = {source: await self._states(source, name) for source in self.definition.sources}
        return composed(self.definition, found).entries

    async def walk(
        self, start: EntryName | None = None, rows: int = _FIRST
    ) -> AsyncGenerator[NamedEntries, None]:
        """What the registry offered, name by name, from *start*, which is included.

        *rows* is about how many will be wanted: each that is read costs a look at its past.
        """
        async with aclosing(self.compositions(start, rows)) as compositions:
            async for name, composition in compositions:
                yield name, composition.entries

    async def compositions(
        self, start: EntryName | None = None, rows: int = _FIRST
    ) -> AsyncGenerator[tuple[EntryName, NamedComposition], None]:
        """The same with all that is known of each name."""
        walks = [(source, self._names(source, start, rows)) for source in self.definition.sources]
        heads = {source: await anext(names, None) for source, names in walks}
        while present := [head for head in heads.values() if head]:
            name = min((name for name, _ in present), key=sort_key)
            found: dict[SourceName, Sequence[State]] = {}
            for source, names in walks:
                if (head := heads[source]) and head[0] == name:
                    found[source] = head[1]
                    heads[source] = await anext(names, None)
            yield name, composed(self.definition, found)

    async def of(self, names: Collection[EntryName]) -> Mapping[EntryName, NamedComposition]:
        """All that is known of some names."""
        found: dict[EntryName, dict[SourceName, list[State]]] = {name: {} for name in names}
        for source in self.definition.sources:
            for row in await self._rows_of(source, names):
                state = _state(*row)
                found[state[0].entry_name].setdefault(source, []).append(state)
        return {name: composed(self.definition, found[name]) for name in names}

    async def _rows_of(
        self, source: SourceName, names: Collection[EntryName]
    ) -> Sequence[tuple[str, bytes]]:
        """As they are, or one after the other where the view has gone on meanwhile."""
        ranges = [all_of(key_prefix(source, name)) for name in names]
        rows = await self.storage.rows_within(CATALOGS.view, ranges)
        if await self.storage.checkpoint(CATALOGS.view) <= self.positions[source]:
            return rows
        pages = [self._row_pages(source, *keys) for keys in ranges]
        return [row for page in pages async for rows in page for row in rows]

    async def _names(
        self, source: SourceName, start: EntryName | None = None, rows: int = _FIRST
    ) -> AsyncIterator[tuple[EntryName, Sequence[State]]]:
        """The versions of each name of a source, also of those that it offered no longer."""
        first, stop = all_of(source_prefix(source))
        if start:
            first = key_prefix(source, start)
        pending: list[State] = []
        async for states in self._pages(source, first, stop, rows):
            for state in states:
                if pending and pending[-1][0].entry_name != state[0].entry_name:
                    yield pending[-1][0].entry_name, pending
                    pending = []
                pending.append(state)
        if pending:
            yield pending[-1][0].entry_name, pending

    async def _states(self, source: SourceName, name: EntryName) -> Sequence[State]:
        pages = self._pages(source, *all_of(key_prefix(source, name)))
        return [state async for states in pages for state in states]

    async def _pages(
        self, source: SourceName, start: str, stop: str, limit: int = _FIRST
    ) -> AsyncIterator[Iterable[State]]:
        """States that are only restored when they are reached: many walks end early."""
        async for rows in self._row_pages(source, start, stop, limit):
            yield await self._timed(_state(*row) for row in rows)

    async def state_pages(self, source: SourceName, rows: int) -> AsyncIterator[Sequence[State]]:
        """Every state of a source, so many at a time, restored beside the event loop."""
        start, stop = all_of(source_prefix(source))
        async for page in self._row_pages(source, start, stop, rows, rows):
            states = await anyio.to_thread.run_sync(restore_states, page)
            yield list(await self._timed(states))

    async def _row_pages(
        self,
        source: SourceName,
        start: str,
        stop: str,
        limit: int = _FIRST,
        most: int = _MOST,
    ) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        read = 0
        while True:
            rows = await self.storage.rows_at(
                CATALOGS.view, self.positions[source], start=start, stop=stop, limit=limit
            )
            yield rows
            if len(rows) < limit:
                return
            read += limit
            start, limit = rows[-1][0] + "\0", min(read, most)

    async def _timed(self, states: Iterable[State]) -> Iterable[State]:
        if not self.effective:
            return states
        known = list(states)
        times = await self.storage.effective_times({at for _, state in known for at in state.times})
        return [(key, state.at_source(times)) for key, state in known]


def recorded_sources(
    storage: StoragePort, definition: RegistryDefinition, position: Position
) -> PastSources:
    """The sources of a registry as they had been recorded up to a position."""
    return PastSources(
        storage=storage,
        definition=definition,
        positions=dict.fromkeys(definition.sources, position),
        effective=False,
    )


async def merged_walk(
    left: PastSources, right: PastSources, start: EntryName | None = None
) -> AsyncGenerator[TwoSides, None]:
    """What two registries offered, name by name, from *start*, which is included."""
    async with aclosing(left.walk(start)) as lefts, aclosing(right.walk(start)) as rights:
        one, other = await anext(lefts, None), await anext(rights, None)
        while heads := [head for head in (one, other) if head]:
            name = min((name for name, _ in heads), key=sort_key)
            old: Sequence[RegistryEntry] = ()
            new: Sequence[RegistryEntry] = ()
            if one and one[0] == name:
                old, one = one[1], await anext(lefts, None)
            if other and other[0] == name:
                new, other = other[1], await anext(rights, None)
            yield name, old, new


def _state(row_key: str, value: bytes) -> State:
    _, key = parse_row_key(row_key)
    return key, restore_state(key, value)


def _versions(states: Iterable[State]) -> Versions:
    listed: dict[str, CatalogEntry] = {}
    departed: dict[str, Departed] = {}
    for key, state in states:
        if isinstance(state, CatalogEntry):
            listed[key.version] = state
        else:
            departed[key.version] = state
    return Versions(listed, departed)


def composed(
    definition: RegistryDefinition, found: Mapping[SourceName, Sequence[State]]
) -> NamedComposition:
    """What a registry makes of a name, of which these are the states in its sources."""
    offers = {source: _versions(states) for source, states in found.items() if states}
    return compose_name(definition, offers)


def sort_key(name: EntryName) -> tuple[str, str]:
    """The order of walks."""
    return name.kind, name.name
