"""How one JSON object becomes another: the values that come, go and change, and where.

An object is its members: it comes with the first of them and goes with the last, and only an
empty one is a value itself. So each value that comes or goes is told by its own path.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import Any, Literal, NamedTuple, TypeAlias

from domain.canonical_json import canonical_json

Path: TypeAlias = tuple[str, ...]
_Known: TypeAlias = str | bytes
Operation: TypeAlias = Literal["add", "remove", "replace", "move"]


class Edit(NamedTuple):
    """One step from an old document to a new one.

    The path of a `remove` counts array items as the old document does, every other path as the
    new one does. `origin` is where that which moved was.
    """

    operation: Operation
    path: Path
    old: Any = None
    new: Any = None
    origin: Path = ()


def edits(old: Mapping[str, Any], new: Mapping[str, Any], movable: Path) -> Iterator[Edit]:
    """What makes *old* into *new*: first what moves, then all removes, adds and replacements.

    Where the object at *movable* has one member in place of another, its value has moved, and
    the other edits are told as if it had always been there.
    """
    old, moved = _moved(old, new, movable)
    yield from moved
    yield from _members(old, new, (), ())


def _members(
    old: Mapping[str, Any], new: Mapping[str, Any], was: Path, now: Path
) -> Iterator[Edit]:
    for member in old.keys() | new.keys():
        left, right = old.get(member, _ABSENT), new.get(member, _ABSENT)
        if not _same_plainly(left, right):
            yield from _member(left, right, (*was, member), (*now, member))


def _member(left: Any, right: Any, was: Path, now: Path) -> Iterator[Edit]:
    if left is _ABSENT or right is _ABSENT or _has_members(left) != _has_members(right):
        yield from (Edit("remove", path, old=value) for path, value in _values(left, was))
        yield from (Edit("add", path, new=value) for path, value in _values(right, now))
    else:
        yield from _value(left, right, was, now)


def _has_members(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _value(left: Any, right: Any, was: Path, now: Path) -> Iterator[Edit]:
    if isinstance(left, dict) and isinstance(right, dict):
        yield from _members(left, right, was, now)
    elif isinstance(left, list) and isinstance(right, list):
        yield from _items(left, right, was, now)
    elif canonical_json(left) != canonical_json(right):
        # Not `!=`: Python takes 1 and true for equal, JSON does not.
        yield Edit("replace", now, left, right)


def _values(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """The values that come or go with a member, each at its own path."""
    if _has_members(value):
        for member, inner in value.items():
            yield from _values(inner, (*path, member))
    elif value is not _ABSENT:
        yield path, value


def _items(old: list[Any], new: list[Any], was: Path, now: Path) -> Iterator[Edit]:
    """Items that both arrays know each other by are compared; in another order, nothing is."""
    pairs = _pairs([_known_by(item) for item in old], [_known_by(item) for item in new])
    if pairs is None:
        yield Edit("replace", now, old, new)
        return
    for left, right in pairs:
        if right is None:
            yield Edit("remove", (*was, str(left)), old=old[left or 0])
        elif left is None:
            yield Edit("add", (*now, str(right)), new=new[right])
        elif not _same_plainly(old[left], new[right]):
            yield from _value(old[left], new[right], (*was, str(left)), (*now, str(right)))


def _pairs(
    old: Sequence[_Known], new: Sequence[_Known]
) -> Iterable[tuple[int | None, int | None]] | None:
    """Items that stayed, and those between them in order; None beside one too many.

    None where those that stayed have another order.
    """
    if old == new:
        return zip(range(len(old)), range(len(new)), strict=True)
    old_places, new_places = _places(old), _places(new)
    stayed = [key for key in old_places if key in new_places]
    if stayed != [key for key in new_places if key in old_places]:
        return None
    anchors = [(old_places[key], new_places[key]) for key in stayed]
    return _between([(0, 0), *anchors, (len(old), len(new))])


def _between(anchors: Sequence[tuple[int, int]]) -> Iterator[tuple[int | None, int | None]]:
    for (left, right), (left_end, right_end) in pairwise(anchors):
        yield from zip_longest(range(left, left_end), range(right, right_end))


def _places(known: Sequence[_Known]) -> dict[tuple[_Known, int], int]:
    """Where the items are, by what they are known by and how many such were before."""
    seen: Counter[_Known] = Counter()
    places = {}
    for index, key in enumerate(known):
        places[key, seen[key]] = index
        seen[key] += 1
    return places


def _known_by(item: Any) -> _Known:
    if isinstance(item, str):
        return item
    if isinstance(item, dict):
        for member in _NAMES:
            if isinstance(name := item.get(member), str):
                return name
    return canonical_json(item)


_NAMES = ("name", "identifier", "url", "src")
"""What tells an input, a package, a remote or an icon from the others."""


def _moved(
    old: Mapping[str, Any], new: Mapping[str, Any], movable: Path
) -> tuple[Mapping[str, Any], list[Edit]]:
    """*old* with the value under its new name, and the edit that moves it there, if one does."""
    before, after = _at(old, movable), _at(new, movable)
    gone, come = before.keys() - after.keys(), after.keys() - before.keys()
    if len(gone) != 1 or len(come) != 1:
        return old, []
    (origin,), (name,) = gone, come
    renamed = {name if member == origin else member: before[member] for member in before}
    move = Edit("move", (*movable, name), origin=(*movable, origin))
    return _with(old, movable, renamed), [move]


def _at(document: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The object at *path*; an empty one where there is none."""
    found: Any = document
    for member in path:
        found = found.get(member) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _with(document: Mapping[str, Any], path: Path, value: Any) -> Any:
    """The document with another value at *path*, which is inside objects only."""
    if not path:
        return value
    return {**document, path[0]: _with(document[path[0]], path[1:], value)}


def _same_plainly(left: Any, right: Any) -> bool:
    """Whether both are one text or integer: most members are, and so need no second look."""
    return left is right or (
        type(left) is type(right) and type(left) in _PLAIN and bool(left == right)
    )


_PLAIN = {str, int}
_ABSENT = object()
