"""Versions as answers are made of them, and the shelves on which an index keeps them. Pure."""

import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import reduce
from itertools import islice
from operator import attrgetter, xor

import attrs

from application.search_marks import EMPTY_MARK, marked
from domain.identifiers import EntryKind, EntryName
from domain.redaction import Redaction

_WISHED = 64  # names of a shelf as it is made
_FULL = 128
_WORN = 256  # names replaced, after which what left the texts is also taken out of the mark


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

    `worn` counts the names that were replaced since the mark was made of nothing but the texts.
    """

    names: tuple[ServedName, ...]
    latest: tuple[ServedVersion, ...]
    latest_texts: tuple[str, ...]
    mark: bytes
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

    def versions_from(self, start: str) -> Iterator[tuple[ServedVersion, str]]:
        """The versions from a name on, each with its text."""
        at = bisect_left(self.names, start, key=attrgetter("name.name"))
        for name in islice(self.names, at, None):
            yield from zip(name.versions, name.texts, strict=True)

    def latest_from(self, start: str) -> Iterator[tuple[ServedVersion, str]]:
        """The same of the latest versions alone."""
        at = bisect_left(self.latest, start, key=attrgetter("name"))
        return islice(zip(self.latest, self.latest_texts, strict=True), at, None)


def order(name: EntryName) -> tuple[str, str]:
    """What names are ordered by."""
    return name.kind, name.name


def shelved(names: Iterable[ServedName]) -> Iterator[Shelf]:
    """Lay names that come in order on shelves, each of one kind."""
    lot: list[ServedName] = []
    for name in names:
        if lot and (len(lot) == _WISHED or lot[0].name.kind is not name.name.kind):
            yield _shelf(lot, _mark(EMPTY_MARK, lot), 0)
            lot = []
        lot.append(_shared(name))
    if lot:
        yield _shelf(lot, _mark(EMPTY_MARK, lot), 0)


def changed_shelf(shelf: Shelf, names: Sequence[ServedName | EntryName]) -> Iterable[Shelf]:
    """The shelf with names replaced or added, and without those of which only the name is given."""
    kept = {served.name: served for served in shelf.names}
    came = [_shared(name) for name in names if isinstance(name, ServedName)]
    known = {text for name in came if name.name in kept for text in kept[name.name].texts}
    kept.update((served.name, served) for served in came)
    for name in names:
        if isinstance(name, EntryName):
            kept.pop(name, None)
    found = sorted(kept.values(), key=attrgetter("name.kind", "name.name"))
    worn = shelf.worn + len(names)
    one_kind = bool(found) and found[0].name.kind is found[-1].name.kind
    if worn > _WORN or len(found) > _FULL or not one_kind:
        return shelved(found)
    return (_shelf(found, _mark(shelf.mark, came, known), worn),)


def _shared(served: ServedName) -> ServedName:
    """With one text for all versions that say the same."""
    if len(served.texts) < 2:
        return served
    known: dict[str, str] = {}
    return attrs.evolve(served, texts=tuple(known.setdefault(t, t) for t in served.texts))


def _mark(mark: bytes, names: Iterable[ServedName], known: Set[str] = frozenset()) -> bytes:
    texts = {text for served in names for text in served.texts} - known
    return marked(mark, texts) if texts else mark


def _shelf(names: Sequence[ServedName], mark: bytes, worn: int) -> Shelf:
    versions = [version for served in names for version in served.versions]
    texts = [text for served in names for text in served.texts]
    latest = [at for at, version in enumerate(versions) if version.is_latest]
    is_servers = names[0].name.kind is EntryKind.SERVER
    return Shelf(
        names=tuple(names),
        latest=tuple([versions[at] for at in latest]),
        latest_texts=tuple([texts[at] for at in latest]),
        mark=mark,
        worn=worn,
        server_names=sum([bool(served.versions) for served in names]) if is_servers else 0,
        server_versions=len(versions) if is_servers else 0,
        updated_us=max([version.updated_us for version in versions], default=0),
        changed_us=max([served.changed_us for served in names]),
        left_us=max([served.left_us for served in names]),
        hidden=reduce(xor, [served.hidden for served in names]),
    )
