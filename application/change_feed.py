"""What changed in a registry, commit by commit: the feed, and the history of one server."""

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import aclosing

import attrs

from application.change_details import ALL_CLASSES, Compared, ServerChange, detailed
from application.documents import Documents
from application.past_walk import PastSources, merged_walk, recorded_sources, sort_key
from application.projections import CATALOGS
from application.projections.catalogs import all_of, key_prefix, places_of
from application.registries import Registries
from application.registry_eras import Era, definition_at, read_eras
from application.registry_version import ALWAYS
from application.view_rows import LAST_KEY
from domain.change import ChangeClass
from domain.comparison import Comparison, compare, retold
from domain.composition import RegistryDefinition, RegistryEntry
from domain.errors import InvalidCursorError, ServerNotFoundError
from domain.identifiers import (
    ORIGIN,
    EntryKind,
    EntryName,
    Position,
    RegistryName,
)
from domain.ports.storage import StoragePort

_AT_A_TIME = 100  # names whose documents are read and compared together
_MOST_LOOKED_AT = 2000  # names that one page looks at, whatever the classes let pass
_ROWS = 500
_STRETCH = 200  # rows that are read at once by who reads backwards
_MOST_STRETCHES = 20


@attrs.frozen
class Mark:
    """How far a reader has come: all of a position, or what of it comes up to a name."""

    position: Position = ORIGIN
    name: EntryName | None = None

    def __str__(self) -> str:
        if self.name is None:
            return str(self.position)
        return f"{self.position}:{self.name.kind}:{self.name.name}"

    @property
    def seen(self) -> Position:
        """The last position of which nothing is left."""
        return self.position if self.name is None else self.position - 1


BEGINNING = Mark()


def parse_mark(text: str) -> Mark:
    """Read the `id` of a change, or a position.

    Raises:
        InvalidCursorError
    """
    position, colon, rest = text.partition(":")
    kind, _, name = rest.partition(":")
    if not (position.isascii() and position.isdecimal() and len(position) <= 18):
        raise _not_a_mark(text)
    if not colon:
        return Mark(int(position))
    if kind not in set(EntryKind) or not name:
        raise _not_a_mark(text)
    return Mark(int(position), EntryName(EntryKind(kind), name))


def _not_a_mark(text: str) -> InvalidCursorError:
    return InvalidCursorError(
        f"{text!r} is no place in the feed: expected the `id` of a change, or a position like 4711"
    )


@attrs.frozen(kw_only=True)
class FeedPage:
    """Some changes in the order of positions.

    `next` is the mark to go on from, `is_last` whether the end of the log was reached, which
    was `position`. A page can be empty and not the last.
    """

    changes: Sequence[ServerChange]
    next: Mark
    is_last: bool
    position: Position


class ChangeFeed:
    """Compares each name of a registry before and after every position that touched it."""

    def __init__(self, storage: StoragePort, registries: Registries, documents: Documents) -> None:
        self._storage = storage
        self._registries = registries
        self._documents = documents
        self._redacted_names: dict[tuple[RegistryName, Position], Sequence[EntryName]] = {}

    async def page(
        self,
        registry: str | None,
        after: Mark,
        limit: int,
        classes: Collection[ChangeClass] = ALL_CLASSES,
        *,
        upto: Position | None = None,
    ) -> FeedPage:
        """The first changes beyond a mark, up to a position or the end of the log.

        Raises:
            RegistryNotFoundError
        """
        upto = await self._registries.horizon() if upto is None else upto
        eras = await read_eras(self._storage, self._registries, registry, upto)
        touched = self._touched(eras, after, upto)
        return await self._page(touched, after, upto, limit, classes)

    async def history(
        self,
        registry: str | None,
        name: EntryName,
        after: Mark,
        limit: int,
        classes: Collection[ChangeClass] = ALL_CLASSES,
        *,
        upto: Position | None = None,
    ) -> FeedPage:
        """The same of one name alone.

        Raises:
            RegistryNotFoundError
            ServerNotFoundError: the registry never had that name.
        """
        upto = await self._registries.horizon() if upto is None else upto
        eras = await read_eras(self._storage, self._registries, registry, upto)
        positions = await self._positions_of(name, eras, upto)
        if not positions:
            raise ServerNotFoundError("Server not found: the registry never had one of that name")
        touched = self._touched_at(name, eras, after, positions)
        return await self._page(touched, after, upto, limit, classes)

    async def latest(
        self,
        registry: str | None,
        limit: int,
        classes: Collection[ChangeClass] = ALL_CLASSES,
        *,
        upto: Position,
    ) -> Sequence[ServerChange]:
        """The last changes up to a position, the newest first.

        The log is only read forwards, so one stretch after the other is, from its end on. There
        may be fewer where many others lie between.

        Raises:
            RegistryNotFoundError
        """
        eras = await read_eras(self._storage, self._registries, registry, upto)
        found: list[ServerChange] = []
        for _ in range(_MOST_STRETCHES):
            if len(found) >= limit or upto == ORIGIN:
                break
            after = Mark(await self._stretch(eras, upto))
            touched = self._touched(eras, after, upto)
            page = await self._page(touched, after, upto, max(limit, _STRETCH), classes)
            found += reversed(page.changes)
            upto = after.position
        return found[:limit]

    async def _stretch(self, eras: Sequence[Era], upto: Position) -> Position:
        """Behind which position few enough names changed; a turn is a stretch of its own."""
        if any(era.since == upto for era in eras):
            return upto - 1
        after = max(era.since for era in eras if era.since < upto)
        while upto - after > 1 and await self._are_many(after, upto):
            after = (after + upto) // 2
        return after

    async def _are_many(self, after: Position, upto: Position) -> bool:
        rows = await self._storage.row_changes(
            CATALOGS.view, after=(after, LAST_KEY), upto=upto, limit=_STRETCH
        )
        return len(rows) == _STRETCH

    async def _page(
        self,
        touched: AsyncGenerator[Compared, None],
        after: Mark,
        upto: Position,
        limit: int,
        classes: Collection[ChangeClass],
    ) -> FeedPage:
        """Read on until enough is found, or enough was looked at."""
        found: list[ServerChange] = []
        looked_at = 0
        async with aclosing(touched):
            while batch := [one async for one in _first(touched, min(limit, _AT_A_TIME))]:
                changed = [one for one in batch if one.comparisons]
                for change in await detailed(self._documents, changed):
                    if change.is_shown(classes):
                        found.append(change)
                    if len(found) == limit:
                        return _page_upto(change.mark, found, upto)
                looked_at += len(batch)
                if looked_at >= _MOST_LOOKED_AT:
                    return _page_upto(batch[-1].mark, found, upto)
        # A reader may know more than this process does by now: nobody is sent back.
        end = after if after.position > upto else Mark(upto)
        return FeedPage(changes=found, next=end, is_last=True, position=upto)

    async def _touched(
        self, eras: Sequence[Era], after: Mark, upto: Position
    ) -> AsyncGenerator[Compared, None]:
        """Every name at every position, in order, that may have changed there."""
        turns = [era for era in eras if era.since <= upto and _is_beyond(era, after)]
        async for position, name in self._places(after.position, upto):
            while turns and turns[0].since < position:
                async for compared in self._turn(turns.pop(0), eras, after):
                    yield compared
            yield await self._compared(name, eras, position, Mark(position))
        for turn in turns:
            async for compared in self._turn(turn, eras, after):
                yield compared

    async def _places(
        self, after: Position, upto: Position
    ) -> AsyncGenerator[tuple[Position, EntryName], None]:
        """Where the catalogs of all sources changed: one name at each position."""
        place, told = (after, LAST_KEY), after
        while rows := await self._storage.row_changes(
            CATALOGS.view, after=place, upto=upto, limit=_ROWS
        ):
            for position, _, name in places_of(rows):
                if position != told:
                    yield position, name
                told = position
            place = rows[-1]

    async def _turn(
        self, turn: Era, eras: Sequence[Era], after: Mark
    ) -> AsyncGenerator[Compared, None]:
        """What changes for readers when a registry comes to be made of something else."""
        start = after.name if turn.since == after.position else None
        if turn.redacted:
            for name in await self._names_of(turn):
                if start is None or sort_key(name) > sort_key(start):
                    yield await self._compared(name, eras, turn.since, Mark(turn.since, name))
            return
        before = self._sources(definition_at(eras, turn.since - 1), turn.since)
        async for name, old, new in merged_walk(
            before, self._sources(turn.definition, turn.since), start
        ):
            if name != start:
                mark = Mark(turn.since, name)
                yield await self._compared_as(name, old, new, mark, compare(old, new))

    async def _names_of(self, turn: Era) -> Sequence[EntryName]:
        """The names under which a registry showed a document that was taken away."""
        if turn.definition is None:
            return ()
        key = turn.definition.name, turn.since
        if key not in self._redacted_names:
            async with aclosing(self._sources(turn.definition, turn.since).walk()) as names:
                self._redacted_names[key] = [
                    name
                    async for name, entries in names
                    if any(served.entry.document_hash == turn.redacted for served in entries)
                ]
        return self._redacted_names[key]

    async def _touched_at(
        self,
        name: EntryName,
        eras: Sequence[Era],
        after: Mark,
        positions: Iterable[Position],
    ) -> AsyncGenerator[Compared, None]:
        """One name at each of these positions, with the marks that the feed has for it."""
        turns = {era.since for era in eras}
        for position in positions:
            mark = Mark(position, name if position in turns else None)
            if _is_later(mark, after):
                yield await self._compared(name, eras, position, mark)

    async def _positions_of(
        self, name: EntryName, eras: Sequence[Era], upto: Position
    ) -> Sequence[Position]:
        """Where anything was recorded under a name in what the registry was ever made of."""
        found: set[Position] = set()
        for source in {s for era in eras if era.definition for s in era.definition.sources}:
            start, stop = all_of(key_prefix(source, name))
            rows = await self._storage.row_history(CATALOGS.view, start=start, stop=stop)
            found.update(row.since for row in rows)
        turns = {era.since for era in eras if found and era.since > min(found)}
        return sorted(position for position in found | turns if position <= upto)

    async def _compared(
        self, name: EntryName, eras: Sequence[Era], position: Position, mark: Mark
    ) -> Compared:
        before = await self._named(name, eras, position - 1)
        after = await self._named(name, eras, position)
        redacted = {era.redacted for era in eras if era.since == position}
        comparisons = compare(before, after) or retold(after, redacted)
        return await self._compared_as(name, before, after, mark, comparisons)

    async def _named(
        self, name: EntryName, eras: Sequence[Era], position: Position
    ) -> Sequence[RegistryEntry]:
        return await self._sources(definition_at(eras, position), position).named(name)

    async def _compared_as(
        self,
        name: EntryName,
        before: Sequence[RegistryEntry],
        after: Sequence[RegistryEntry],
        mark: Mark,
        comparisons: tuple[Comparison, ...],
    ) -> Compared:
        return Compared(
            mark=str(mark),
            commit=await self._storage.commit_of(mark.position) if comparisons else None,
            name=name,
            before=before,
            after=after,
            comparisons=comparisons,
        )

    def _sources(self, definition: RegistryDefinition | None, position: Position) -> PastSources:
        return recorded_sources(self._storage, definition or _NOTHING, position)


_NOTHING = RegistryDefinition(name=RegistryName("none"), sources=(), rank=0, defined_at=ALWAYS)


def _page_upto(mark: str, found: Sequence[ServerChange], upto: Position) -> FeedPage:
    return FeedPage(changes=found, next=parse_mark(mark), is_last=False, position=upto)


def _is_beyond(era: Era, after: Mark) -> bool:
    """Whether a reader at *after* has not seen all of what an era began with."""
    return era.since > after.position or (era.since == after.position and after.name is not None)


def _is_later(mark: Mark, after: Mark) -> bool:
    """Whether a reader at *after* has not seen what stands at *mark*."""
    if mark.position != after.position or after.name is None or mark.name is None:
        return mark.position > after.position
    return sort_key(mark.name) > sort_key(after.name)


async def _first(
    compared: AsyncGenerator[Compared, None], count: int
) -> AsyncGenerator[Compared, None]:
    for _ in range(count):
        if (one := await anext(compared, None)) is None:
            return
        yield one
