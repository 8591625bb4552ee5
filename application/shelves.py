"""Versions as answers are made of them, and the shelves on which an index keeps them. Pure."""

import sys
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import reduce
from itertools import islice
from operator import attrgetter, xor

import attrs

from application.search_marks import ALL_SLOTS, EMPTY_MARK, SLOTS, Mark, marked, slots_of
from domain.identifiers import EntryKind, EntryName
from domain.redaction import Redaction

_WISHED = 48  # names of a shelf as it is made
_WORN = 128  # names replaced, after which what left the texts is also taken out of the mark


@attrs.frozen(kw_only=True, weakref_slot=False)
class ServedVersion:
    """One version as answers are made of it. Times are microseconds since 1970.

    `document_hash` is a SHA-256 of 32 bytes, `packed` the document as storage packs it, and
    `official` the JSON of `_meta["io.modelcontextprotocol.registry/official"]`.
    """

    name: str = attrs.field(converter=sys.intern)
    version: str = attrs.field(converter=sys.intern)
    document_hash: bytes
    packed: bytes | Redaction
    official: bytes
    updated_us: int
    published_us: int
    is_latest: bool
    is_deleted: bool


@attrs.frozen(kw_only=True, weakref_slot=False)
class ServedName:
    """All of a name: its versions in order, and what the marks of the registry need.

    `versions` is empty when everything left, `texts` is what searches look into, a lower-case
    text for each version. `changed_us` is when anything of the name last changed in any source,
    `left_us` when a version of it last left one (0: never), and `hidden` a 64-bit digest of what
    other sources offer under the name (0: nothing).
    """

    name: EntryName
    versions: tuple[ServedVersion, ...]
    texts: tuple[str, ...]
    changed_us: int
    left_us: int
    hidden: int


@attrs.frozen(kw_only=True)
class Shelf:
    """Some names of one kind that follow each other, and what lets a walk pass them by.

    `slots` has the slot in the mark of each name. `worn` counts the names that were replaced since
    the mark was made of nothing but the texts.
    """

    names: tuple[ServedName, ...]
    latest: tuple[ServedVersion, ...]
    slots: bytes
    mark: "Mark[int]"
    worn: int
    server_names: int
    server_versions: int
    updated_us: int
    changed_us: int
    left_us: int
    hidden: int

    @property
    def first(self) -> EntryName:
        """Where it begins."""
        return self.names[0].name

    def names_in(self, found: int, start: str) -> Iterable[ServedName]:
        """The names from one on of which the slots are in a set."""
        at = bisect_left(self.names, start, key=attrgetter("name.name")) if start else 0
        if found == ALL_SLOTS:
            return islice(self.names, at, None)
        places = sorted(map(self.slots.find, slots_of(found)))
        return [self.names[place] for place in places if place >= at]

    def latest_from(self, start: str) -> Iterator[ServedVersion]:
        """The latest versions of the names from one on."""
        at = bisect_left(self.latest, start, key=attrgetter("name"))
        return islice(self.latest, at, None)


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


def changed_shelf(shelf: Shelf, names: Sequence[ServedName | EntryName]) -> Iterable[Shelf]:
    """The shelf with names replaced or added, and without those of which only the name is given."""
    kept = {served.name: served for served in shelf.names}
    came = [_shared(name) for name in names if isinstance(name, ServedName)]
    texts = {name.name: _new_texts(name, kept.get(name.name)) for name in came}
    kept.update((served.name, served) for served in came)
    for name in names:
        if isinstance(name, EntryName):
            kept.pop(name, None)
    found = sorted(kept.values(), key=attrgetter("name.kind", "name.name"))
    worn = shelf.worn + len(names)
    one_kind = bool(found) and found[0].name.kind is found[-1].name.kind
    if worn > _WORN or len(found) > SLOTS or not one_kind:
        return shelved(found)
    slots = _slots(shelf, found)
    added = [(slot, texts.get(served.name, ())) for served, slot in zip(found, slots, strict=True)]
    return (_shelf(found, slots, _mark(shelf.mark, added), worn),)


def _slots(shelf: Shelf, names: Iterable[ServedName]) -> bytes:
    """The slots of names as they are on the shelf, and free ones for those that are not."""
    known = {served.name: slot for served, slot in zip(shelf.names, shelf.slots, strict=True)}
    taken = {known[served.name] for served in names if served.name in known}
    free = iter([slot for slot in range(SLOTS) if slot not in taken])
    return bytes([known[name.name] if name.name in known else next(free) for name in names])


def _new_texts(served: ServedName, before: ServedName | None) -> Collection[str]:
    return set(served.texts).difference(before.texts if before else ())


def _shared(served: ServedName) -> ServedName:
    """With one text for all versions that say the same."""
    if len(served.texts) < 2:
        return served
    known: dict[str, str] = {}
    return attrs.evolve(served, texts=tuple(known.setdefault(t, t) for t in served.texts))


def _mark(mark: "Mark[int]", texts: Iterable[tuple[int, Collection[str]]]) -> "Mark[int]":
    added = [(slot, held) for slot, held in texts if any(held)]
    return marked(mark, added) if added else mark


def _new_shelf(names: Sequence[ServedName]) -> Shelf:
    texts = enumerate([set(served.texts) for served in names])
    return _shelf(names, bytes(range(len(names))), _mark(EMPTY_MARK, texts), 0)


def _shelf(names: Sequence[ServedName], slots: bytes, mark: "Mark[int]", worn: int) -> Shelf:
    versions = [version for served in names for version in served.versions]
    is_servers = names[0].name.kind is EntryKind.SERVER
    return Shelf(
        names=tuple(names),
        latest=tuple([version for version in versions if version.is_latest]),
        slots=slots,
        mark=mark,
        worn=worn,
        server_names=sum([bool(served.versions) for served in names]) if is_servers else 0,
        server_versions=len(versions) if is_servers else 0,
        updated_us=max([version.updated_us for version in versions], default=0),
        changed_us=max([served.changed_us for served in names]),
        left_us=max([served.left_us for served in names]),
        hidden=reduce(xor, [served.hidden for served in names]),
    )
