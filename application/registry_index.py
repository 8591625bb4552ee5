"""What one registry serves, in memory, in the order of lists.

Names lie on immutable shelves: an index with some names changed shares all other shelves.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, compress, dropwhile, islice

import attrs

from application.cursor import ListFilters
from application.registry_version import ServerKey
from application.search_marks import NO_MARKS, SLOTS, Marks, marked, moved, slots_with
from application.shelves import (
    ServedName,
    ServedVersion,
    Shelf,
    changed_names,
    new_texts,
    order,
    refilled,
    shelved,
    things_from,
)
from domain.identifiers import EntryKind, EntryName
from domain.ports.scratch import ScratchFile
from domain.timestamps import to_micros

__all__ = ["RegistryIndex", "ServedName", "ServedVersion", "build_index"]

_LATEST = "latest"
_LOT = 32  # names that are looked into at a time
_MOST_TIMES, _LITTLE = 4, 16 * 1024 * 1024  # bytes of a file for those that are served


@attrs.frozen(kw_only=True)
class _Wanted:
    """The filters of a list, made ready for a walk."""

    needle: str
    since_us: int | None
    version: str | None
    shows_deleted: bool

    def hits(self, names: Iterable[ServedName]) -> Iterator[ServedVersion]:
        """The versions of some names that pass."""
        needle, since_us, version = self.needle, self.since_us, self.version
        is_latest, shows_deleted = version == _LATEST, self.shows_deleted
        for name in names:
            texts = name.texts
            if texts and needle not in texts[0] and texts.count(texts[0]) == len(texts):
                continue  # as nearly always: its versions say the same, and not that
            known, has_needle = None, False
            for served, text in zip(name.versions, texts, strict=True):
                if text is not known:
                    known, has_needle = text, needle in text
                if not has_needle or (served.is_deleted and not shows_deleted):
                    continue
                if since_us is not None and served.updated_us <= since_us:
                    continue
                if not version or (served.is_latest if is_latest else served.version == version):
                    yield served


@attrs.frozen
class RegistryIndex:
    """The shelves of a registry, and where the places of versions are.

    `changed_us` and `left_us` are 0, and `hidden` too, for none.
    """

    shelves: tuple[Shelf, ...]
    responses: ScratchFile
    marks: Marks
    firsts: tuple[tuple[str, str], ...] = attrs.field(init=False)
    servers: tuple[Shelf, ...] = attrs.field(init=False)
    first_servers: tuple[str, ...] = attrs.field(init=False)
    server_names: int = attrs.field(init=False)
    server_versions: int = attrs.field(init=False)
    changed_us: int = attrs.field(init=False)
    left_us: int = attrs.field(init=False)
    hidden: int = attrs.field(init=False)
    response_bytes: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        shelves = self.shelves
        servers = [shelf for shelf in shelves if shelf.first.kind is EntryKind.SERVER]
        totals = {
            "firsts": tuple([order(shelf.first) for shelf in shelves]),
            "servers": tuple(servers),
            "first_servers": tuple([shelf.first.name for shelf in servers]),
            "server_names": sum([shelf.server_names for shelf in shelves]),
            "server_versions": sum([shelf.server_versions for shelf in shelves]),
            "changed_us": max([shelf.changed_us for shelf in shelves], default=0),
            "left_us": max([shelf.left_us for shelf in shelves], default=0),
            "hidden": sum([shelf.hidden for shelf in shelves]),
            "response_bytes": sum([shelf.response_bytes for shelf in shelves]),
        }
        for member, total in totals.items():
            object.__setattr__(self, member, total)

    def replaced(self, names: Mapping[EntryName, ServedName | None]) -> "RegistryIndex":
        """With names as they are now; None: nothing is known of the name any longer."""
        if not self.shelves:
            came = [served for served in names.values() if served]
            return build_index(sorted(came, key=lambda served: order(served.name)), self.responses)
        changes: dict[int, list[ServedName | EntryName]] = {}
        for name, served in names.items():
            changes.setdefault(self._shelf_of(name), []).append(served or name)
        return self._relaid(changes)

    def _relaid(self, changes: Mapping[int, Iterable[ServedName | EntryName]]) -> "RegistryIndex":
        """With changes of the shelves at some places."""
        shelves: list[Shelf] = []
        texts: list[tuple[int, Collection[str]]] = []
        laid: dict[int, int] = {}
        done = 0
        for at in sorted(changes):
            shelves += self.shelves[done:at]
            done = at + 1
            names = changed_names(self.shelves[at], changes[at])
            if shelf := refilled(self.shelves[at], names):
                texts += _texts([shelf], len(shelves), self.shelves[at])
                shelves.append(shelf)
            else:
                anew = list(shelved(names))
                texts += _texts(anew, len(shelves))
                shelves += anew
                laid[at] = len(anew)
        shelves += self.shelves[done:]
        marks = moved(self.marks, len(self.shelves), laid) if laid else self.marks
        marks = marked(marks, len(shelves), texts) if texts else marks
        return RegistryIndex(tuple(shelves), self.responses, marks)

    def named(self, name: EntryName) -> ServedName | None:
        """All of a name, if anything is known of it."""
        if not self.shelves:
            return None
        return self.shelves[self._shelf_of(name)].named(name)

    @property
    def is_sparse(self) -> bool:
        """Whether most of what lies among the responses is no longer served."""
        return self.responses.size > _MOST_TIMES * self.response_bytes + _LITTLE

    def walk(self, filters: ListFilters, after: ServerKey | None) -> Iterator[ServedVersion]:
        """The servers beyond a key that the filters let pass, in the order of name and version."""
        return chain.from_iterable(self.stretches(filters, after))

    def stretches(
        self, filters: ListFilters, after: ServerKey | None
    ) -> Iterator[Iterator[ServedVersion]]:
        """The same in parts, of which none takes long to look through."""
        if filters.search:
            return self._searched(filters, after)
        return _listed(things_from(self.servers, self._first(after)), filters, after)

    def names(self) -> Iterator[ServedName]:
        """All names of all kinds, in order."""
        return chain.from_iterable(shelf.names for shelf in self.shelves)

    def entries(self) -> Iterator[ServedVersion]:
        """All versions of all kinds, in the order of kind, name and version."""
        for shelf in self.shelves:
            for served in shelf.names:
                yield from served.versions

    def _shelf_of(self, name: EntryName) -> int:
        return max(bisect_right(self.firsts, order(name)) - 1, 0)

    def _searched(
        self, filters: ListFilters, after: ServerKey | None
    ) -> Iterator[Iterator[ServedVersion]]:
        wanted = _wanted(filters)
        names = self._candidates(wanted, after)
        while lot := list(islice(names, _LOT)):
            hits = wanted.hits(lot)
            yield _beyond(hits, after) if after else hits
            after = None

    def _candidates(self, wanted: _Wanted, after: ServerKey | None) -> Iterator[ServedName]:
        """The names that may have what is searched for, from that of a key on."""
        begin, first = bisect_left(self.firsts, (EntryKind.SERVER, "")), self._first(after)
        found = slots_with(self.marks, len(self.shelves), wanted.needle)
        found = found[begin : begin + len(self.servers)]
        since_us, start = wanted.since_us, after[0] if after else ""
        for at in compress(range(first, len(found)), found[first:]):
            shelf, slots = self.servers[at], found[at]
            if since_us is None or shelf.updated_us > since_us:
                if start or slots & (slots - 1):
                    yield from shelf.names_in(slots, start)
                elif (place := shelf.slots.find(slots.bit_length() - 1)) >= 0:  # as nearly always
                    yield shelf.names[place]
            start = ""

    def _first(self, after: ServerKey | None) -> int:
        """Which of the shelves of servers is that of a key."""
        name = after[0] if after else ""
        return max(bisect_right(self.first_servers, name) - 1, 0)


def _listed(
    shelves: Iterable[Shelf], filters: ListFilters, after: ServerKey | None
) -> Iterator[Iterator[ServedVersion]]:
    """What is not searched for: most shelves are listed as they are."""
    since_us = to_micros(filters.updated_since) if filters.updated_since else -1
    for at, shelf in enumerate(shelves):
        if shelf.updated_us > since_us:
            offered = _offered(shelf, filters.version, since_us, None if at else after)
            yield iter(_passed(offered, shelf, filters, since_us))


def _offered(
    shelf: Shelf, version: str | None, since_us: int, after: ServerKey | None
) -> Iterable[ServedVersion]:
    """The versions of a shelf, without many that will not pass."""
    if version == _LATEST:
        return shelf.latest_beyond(after)
    if after:
        return shelf.versions_beyond(after)
    if shelf.oldest_us <= since_us:
        return chain.from_iterable(shelf.updated_since(since_us))
    return shelf.versions


def _passed(
    versions: Iterable[ServedVersion], shelf: Shelf, filters: ListFilters, since_us: int
) -> Iterable[ServedVersion]:
    if filters.version not in (None, "", _LATEST):
        versions = (served for served in versions if served.version == filters.version)
    if shelf.oldest_us <= since_us:
        versions = (served for served in versions if served.updated_us > since_us)
    if shelf.has_deleted and not filters.shows_deleted:
        versions = (served for served in versions if not served.is_deleted)
    return versions


def _beyond(versions: Iterator[ServedVersion], key: ServerKey) -> Iterator[ServedVersion]:
    return dropwhile(lambda served: (served.name, served.version) <= key, versions)


def build_index(names: Iterable[ServedName], responses: ScratchFile) -> RegistryIndex:
    """The index of names that come in the order of kind and name."""
    shelves = tuple(shelved(names))
    marks = marked(NO_MARKS, len(shelves), _texts(shelves, 0))
    return RegistryIndex(shelves, responses, marks)


def _texts(
    shelves: Iterable[Shelf], start: int, before: Shelf | None = None
) -> Iterator[tuple[int, Collection[str]]]:
    """What marks are to find on shelves that lie from a place on, by the numbers of names."""
    for at, shelf in enumerate(shelves, start):
        for slot, texts in new_texts(shelf, before):
            yield at * SLOTS + slot, texts


def _wanted(filters: ListFilters) -> _Wanted:
    needle = (filters.search or "").lower()
    since = filters.updated_since
    return _Wanted(
        needle=needle,
        since_us=to_micros(since) if since else None,
        version=filters.version,
        shows_deleted=filters.shows_deleted,
    )
