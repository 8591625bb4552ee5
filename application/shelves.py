"""Versions as answers are made of them, and the shelves on which an index keeps them. Pure."""

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate, dropwhile
from operator import attrgetter
from typing import TypeVar

import attrs

from application.registry_version import ServerKey
from application.search_marks import ALL_SLOTS, SLOTS, slots_of
from domain.identifiers import EntryKind, EntryName
from domain.redaction import Redaction

_T = TypeVar("_T")

_version = attrgetter("version")
_WISHED = 52  # names of a shelf as it is made
_WORN = 128  # names, after which what left their texts is also taken out of the marks


@attrs.frozen(kw_only=True, weakref_slot=False)
class ServedVersion:
    """One version as answers are made of it. Times are microseconds since 1970.

    `document_hash` is a SHA-256 of 32 bytes. From `start` to `end` lies what the version is shown
    as, a ServerResponse (spec section 2) and a comma. `redaction` tells why there is no document.
    """

    name: str = attrs.field(converter=sys.intern)
    version: str = attrs.field(converter=sys.intern)
    document_hash: bytes
    start: int
    end: int
    redaction: Redaction | None
    updated_us: int
    published_us: int
    is_latest: bool
    is_deleted: bool


@attrs.frozen(kw_only=True, weakref_slot=False)
class ServedName:
    """All of a name: its versions in order, and what the marks of the registry need.

    `versions` is empty when everything left, `latest` the latest one, if there is any, with a place
    among the latest ones of other names. `texts` is what searches look into, a lower-case text
    for each version. `updated_us` is when one of them was last updated, `changed_us` when
    anything of the name last changed in any source, `left_us` when a version of it last left one
    (0: never), and `hidden` a digest of what other sources offer under it (0: nothing).
    """

    name: EntryName
    versions: tuple[ServedVersion, ...]
    latest: ServedVersion | None
    texts: tuple[str, ...]
    updated_us: int
    changed_us: int
    left_us: int
    hidden: int


@attrs.frozen(kw_only=True)
class Shelf:
    """Some names of one kind that follow each other, and what lets a walk pass them by.

    `name_texts` are the names alone, which are found faster. `begins` is where the versions of each
    begin, and then where the last ends, and `latest` its latest one.
    `oldest_us` and `updated_us` are when a version of it was updated first, and last.
    `slots` has the slot of each name in the marks. `worn` counts the names that texts left since it
    was laid anew.
    """

    names: tuple[ServedName, ...]
    name_texts: tuple[str, ...]
    versions: tuple[ServedVersion, ...]
    begins: tuple[int, ...]
    latest: tuple[ServedVersion | None, ...]
    slots: bytes
    worn: int
    server_names: int
    server_versions: int
    has_deleted: bool
    oldest_us: int
    updated_us: int
    changed_us: int
    left_us: int
    hidden: int
    response_bytes: int

    @property
    def first(self) -> EntryName:
        """Where it begins."""
        return self.names[0].name

    def named(self, name: EntryName) -> ServedName | None:
        """All of a name, if anything is known of it."""
        at, is_known = self._place(name.name)
        return self.names[at] if is_known and self.names[at].name == name else None

    def versions_beyond(self, key: ServerKey) -> Iterator[ServedVersion]:
        """The versions after one, which may be missing."""
        at, is_known = self._place(key[0])
        start = self.begins[at]
        if is_known:
            start = bisect_right(self.versions, key[1], start, self.begins[at + 1], key=_version)
        return things_from(self.versions, start)

    def latest_beyond(self, key: ServerKey | None) -> Iterator[ServedVersion]:
        """The latest versions after one, which may be missing, or all."""
        at, is_known = self._place(key[0]) if key else (0, False)
        if key and is_known and (latest := self.latest[at]) and latest.version <= key[1]:
            at += 1
        return filter(None, things_from(self.latest, at))

    def _place(self, name: str) -> tuple[int, bool]:
        """How many names come before one, and whether it is there."""
        at = bisect_left(self.name_texts, name)
        return at, at < len(self.name_texts) and self.name_texts[at] == name

    def names_in(self, found: int, start: str) -> Iterable[ServedName]:
        """The names from one on that have slots of a set. They may be empty."""
        names: Sequence[ServedName] = self.names
        if not found & (found - 1):  # as nearly always: no more than one
            place = self.slots.find(found.bit_length() - 1)
            names = names[place : place + 1] if place >= 0 else ()
        elif found != ALL_SLOTS:
            places = sorted(map(self.slots.find, slots_of(found)))
            names = [names[place] for place in places if place >= 0]
        return dropwhile(lambda served: served.name.name < start, names) if start else names

    def updated_since(self, since_us: int) -> Iterable[Sequence[ServedVersion]]:
        """All versions of names of which one was updated after a time."""
        return [served.versions for served in self.names if served.updated_us > since_us]


def things_from(things: Sequence[_T], start: int) -> Iterator[_T]:
    """Those from a place on. None of the others is touched, which a slice of an iterator does."""
    return map(things.__getitem__, range(start, len(things)))


def order(name: EntryName) -> tuple[str, str]:
    """What names are ordered by."""
    return name.kind, name.name


def shelved(names: Iterable[ServedName]) -> Iterator[Shelf]:
    """Lay names that come in order on shelves, each of one kind."""
    lot: list[ServedName] = []
    for name in names:
        if lot and (len(lot) == _WISHED or lot[0].name.kind is not name.name.kind):
            yield _new_shelf(lot)
            lot = []
        lot.append(_shared(name))
    if lot:
        yield _new_shelf(lot)


def changed_names(shelf: Shelf, changes: Iterable[ServedName | EntryName]) -> Sequence[ServedName]:
    """What is on a shelf with names replaced or added, without those that are only named."""
    kept = {served.name: served for served in shelf.names}
    for change in changes:
        if isinstance(change, ServedName):
            kept[change.name] = _shared(change)
        else:
            kept.pop(change, None)
    return sorted(kept.values(), key=attrgetter("name.kind", "name.name"))


def refilled(shelf: Shelf, names: Sequence[ServedName]) -> Shelf | None:
    """The shelf with other names, each in the slot it had; None when it is to be laid anew."""
    kept = {served.name: served for served in names}
    worn = shelf.worn + sum([_lost(served, kept.get(served.name)) for served in shelf.names])
    one_kind = bool(names) and names[0].name.kind is names[-1].name.kind
    if worn > _WORN or len(names) > SLOTS or not one_kind:
        return None
    return _shelf(names, _slots(shelf, names), worn)


def new_texts(shelf: Shelf, before: Shelf | None = None) -> Iterator[tuple[int, Collection[str]]]:
    """What the texts of its slots say, without what they said before it was refilled."""
    known = {served.name: served for served in before.names} if before else {}
    for slot, served in zip(shelf.slots, shelf.names, strict=True):
        was = known.get(served.name)
        if was is not served:
            texts = set(served.texts).difference(was.texts if was else ())
            if any(texts):
                yield slot, texts


def _slots(shelf: Shelf, names: Iterable[ServedName]) -> bytes:
    """The slots of names as they are on the shelf, and free ones for those that are not."""
    known = {served.name: slot for served, slot in zip(shelf.names, shelf.slots, strict=True)}
    taken = {known[served.name] for served in names if served.name in known}
    free = iter([slot for slot in range(SLOTS) if slot not in taken])
    return bytes([known[name.name] if name.name in known else next(free) for name in names])


def _lost(before: ServedName, served: ServedName | None) -> bool:
    """Whether any text is there no longer."""
    if served is before:
        return False
    return not served or not set(served.texts).issuperset(before.texts)


def _shared(served: ServedName) -> ServedName:
    """With one text for all versions that say the same."""
    if len(served.texts) < 2:
        return served
    known: dict[str, str] = {}
    return attrs.evolve(served, texts=tuple(known.setdefault(t, t) for t in served.texts))


def _new_shelf(names: Sequence[ServedName]) -> Shelf:
    return _shelf(names, bytes(range(len(names))), 0)


def _shelf(names: Sequence[ServedName], slots: bytes, worn: int) -> Shelf:
    versions = tuple([version for served in names for version in served.versions])
    is_servers = names[0].name.kind is EntryKind.SERVER
    return Shelf(
        names=tuple(names),
        name_texts=tuple([served.name.name for served in names]),
        versions=versions,
        begins=tuple(accumulate([len(served.versions) for served in names], initial=0)),
        latest=tuple([served.latest for served in names]),
        slots=slots,
        worn=worn,
        server_names=sum([bool(served.versions) for served in names]) if is_servers else 0,
        server_versions=len(versions) if is_servers else 0,
        has_deleted=any(version.is_deleted for version in versions),
        oldest_us=min([version.updated_us for version in versions], default=0),
        updated_us=max([served.updated_us for served in names]),
        changed_us=max([served.changed_us for served in names]),
        left_us=max([served.left_us for served in names]),
        hidden=sum([served.hidden for served in names]),
        response_bytes=sum([version.end - version.start for version in versions]),
    )
