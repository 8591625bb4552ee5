"""What one registry serves, in memory, in the order of lists.

Names lie on immutable shelves: an index with some names changed shares all other shelves.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import chain, dropwhile
from operator import xor

import attrs

from application.cursor import ListFilters
from application.registry_version import ServerKey
from application.search_marks import Probe, probe, rarest_first, slots_with
from application.shelves import ServedName, ServedVersion, Shelf, changed_shelf, order, shelved
from domain.identifiers import EntryKind, EntryName
from domain.timestamps import to_micros

__all__ = ["RegistryIndex", "ServedName", "ServedVersion", "build_index"]

_LATEST = "latest"
_SAMPLES = 8  # shelves that tell which letters are rare


@attrs.frozen(kw_only=True)
class _Wanted:
    """The filters of a list, made ready for a walk."""

    needle: str
    probe: Probe
    since_us: int | None
    version: str | None
    shows_deleted: bool

    def hits(self, shelf: Shelf, found: int, start: str) -> Iterator[ServedVersion]:
        """The versions that pass of the names in a set of slots, from a name on."""
        since_us, version, shows_deleted = self.since_us, self.version, self.shows_deleted
        is_latest = version == _LATEST
        for served in self._candidates(shelf, found, start):
            if served.is_deleted and not shows_deleted:
                continue
            if since_us is not None and served.updated_us <= since_us:
                continue
            if not version or (served.is_latest if is_latest else served.version == version):
                yield served

    def _candidates(self, shelf: Shelf, found: int, start: str) -> Iterator[ServedVersion]:
        needle = self.needle
        if not needle and self.version == _LATEST:
            yield from shelf.latest_from(start)
            return
        for name in shelf.names_in(found, start):
            for served, text in zip(name.versions, name.texts, strict=True):
                if needle in text:
                    yield served


@attrs.frozen
class RegistryIndex:
    """The shelves of a registry. `changed_us` and `left_us` are 0, and `hidden` too, for none."""

    shelves: tuple[Shelf, ...]
    firsts: tuple[tuple[str, str], ...] = attrs.field(init=False)
    server_names: int = attrs.field(init=False)
    server_versions: int = attrs.field(init=False)
    changed_us: int = attrs.field(init=False)
    left_us: int = attrs.field(init=False)
    hidden: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        shelves = self.shelves
        totals = {
            "firsts": tuple([order(shelf.first) for shelf in shelves]),
            "server_names": sum([shelf.server_names for shelf in shelves]),
            "server_versions": sum([shelf.server_versions for shelf in shelves]),
            "changed_us": max([shelf.changed_us for shelf in shelves], default=0),
            "left_us": max([shelf.left_us for shelf in shelves], default=0),
            "hidden": reduce(xor, [shelf.hidden for shelf in shelves], 0),
        }
        for member, total in totals.items():
            object.__setattr__(self, member, total)

    def replaced(self, names: Mapping[EntryName, ServedName | None]) -> "RegistryIndex":
        """With names as they are now; None: nothing is known of the name any longer."""
        if not self.shelves:
            came = [served for served in names.values() if served]
            return build_index(sorted(came, key=lambda served: order(served.name)))
        changes: dict[int, list[ServedName | EntryName]] = {}
        for name, served in names.items():
            changes.setdefault(self._shelf_of(name), []).append(served or name)
        shelves: list[Shelf] = []
        done = 0
        for at in sorted(changes):
            shelves += self.shelves[done:at]
            shelves += changed_shelf(self.shelves[at], changes[at])
            done = at + 1
        return RegistryIndex((*shelves, *self.shelves[done:]))

    def named(self, name: EntryName) -> ServedName | None:
        """All of a name, if anything is known of it."""
        if not self.shelves:
            return None
        names = self.shelves[self._shelf_of(name)].names
        at = bisect_left(names, order(name), key=lambda served: order(served.name))
        return names[at] if at < len(names) and names[at].name == name else None

    def walk(self, filters: ListFilters, after: ServerKey | None) -> Iterator[ServedVersion]:
        """The servers beyond a key that the filters let pass, in the order of name and version."""
        return chain.from_iterable(self.stretches(filters, after))

    def stretches(
        self, filters: ListFilters, after: ServerKey | None
    ) -> Iterator[Iterator[ServedVersion]]:
        """The same by the shelves on which names may have what is searched for."""
        wanted = _wanted(filters, self.shelves)
        begin = after[0] if after else ""
        start, end = self._servers(begin)
        asked, since_us = wanted.probe, wanted.since_us
        for at, shelf in enumerate(self.shelves[start:end]):
            if since_us is not None and shelf.updated_us <= since_us:
                continue
            if found := slots_with(shelf.mark, asked):
                hits = wanted.hits(shelf, found, begin)
                yield hits if at or not after else _beyond(hits, after)

    def names(self) -> Iterator[ServedName]:
        """All names of all kinds, in order."""
        return chain.from_iterable(shelf.names for shelf in self.shelves)

    def entries(self) -> Iterator[ServedVersion]:
        """All versions of all kinds, in the order of kind, name and version."""
        for shelf in self.shelves:
            for served in shelf.names:
                yield from served.versions

    def names_with(self, document_hashes: Collection[bytes]) -> Sequence[EntryName]:
        """The names that have one of these documents, in order."""
        wanted = frozenset(document_hashes)
        return [
            served.name
            for shelf in self.shelves
            for served in shelf.names
            if any(version.document_hash in wanted for version in served.versions)
        ]

    def _shelf_of(self, name: EntryName) -> int:
        return max(bisect_right(self.firsts, order(name)) - 1, 0)

    def _servers(self, after: str) -> tuple[int, int]:
        """Between which shelves the servers from a name on lie."""
        lowest = bisect_left(self.firsts, (EntryKind.SERVER, ""))
        start = bisect_right(self.firsts, (EntryKind.SERVER, after)) - 1
        return max(start, lowest), bisect_left(self.firsts, (EntryKind.SERVER + "\0", ""))


def _beyond(versions: Iterator[ServedVersion], key: ServerKey) -> Iterator[ServedVersion]:
    return dropwhile(lambda served: (served.name, served.version) <= key, versions)


def build_index(names: Iterable[ServedName]) -> RegistryIndex:
    """The index of names that come in the order of kind and name."""
    return RegistryIndex(tuple(shelved(names)))


def _wanted(filters: ListFilters, shelves: Sequence[Shelf]) -> _Wanted:
    needle = (filters.search or "").lower()
    since = filters.updated_since
    samples = [shelf.mark for shelf in shelves[:: len(shelves) // _SAMPLES + 1]]
    return _Wanted(
        needle=needle,
        probe=rarest_first(probe(needle), samples),
        since_us=to_micros(since) if since else None,
        version=filters.version,
        shows_deleted=filters.shows_deleted,
    )
