"""What the differences of two documents make of the old one, by what they say of themselves."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from domain.change import Difference


def applied(old: Any, differences: Iterable[Difference]) -> Any:
    """The new document: moves first, then removes from the back, adds from the front, the rest.

    Objects come with their first member and go with their last.
    """
    document = copy.deepcopy(old)
    told = sorted(differences, key=lambda difference: _order(_parts(difference.path)))
    for difference in _of(told, "move"):
        assert difference.origin
        value = _taken(document, _parts(difference.origin))
        _put(document, _parts(difference.path), value, is_new=True)
    for difference in reversed(_of(told, "remove")):
        assert _same(_taken(document, _parts(difference.path)), difference.old)
        _prune(document, _parts(difference.path)[:-1])
    for difference in _of(told, "add"):
        _put(document, _parts(difference.path), difference.new, is_new=True)
    for difference in _of(told, "replace"):
        parts = _parts(difference.path)
        assert _same(_at(document, parts), difference.old)
        _put(document, parts, difference.new, is_new=False)
    return document


def _of(told: Iterable[Difference], operation: str) -> list[Difference]:
    return [difference for difference in told if difference.operation == operation]


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _order(parts: Sequence[str]) -> list[tuple[int, str]]:
    """Array items by number."""
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]


def _step(container: Any, part: str) -> Any:
    return container[int(part) if isinstance(container, list) else part]


def _at(document: Any, parts: Sequence[str]) -> Any:
    for part in parts:
        document = _step(document, part)
    return document


def _taken(document: Any, parts: Sequence[str]) -> Any:
    container = _at(document, parts[:-1])
    return container.pop(int(parts[-1]) if isinstance(container, list) else parts[-1])


def _prune(document: Any, parts: Sequence[str]) -> None:
    if parts and _at(document, parts) == {} and isinstance(_at(document, parts[:-1]), dict):
        _taken(document, parts)
        _prune(document, parts[:-1])


def _put(document: Any, parts: Sequence[str], value: Any, *, is_new: bool) -> None:
    for part in parts[:-1]:
        if isinstance(document, dict):
            document.setdefault(part, {})
        document = _step(document, part)
    if isinstance(document, dict):
        assert (parts[-1] not in document) == is_new
        document[parts[-1]] = value
    elif is_new:
        assert int(parts[-1]) <= len(document)
        document.insert(int(parts[-1]), value)
    else:
        document[int(parts[-1])] = value


def _same(left: Any, right: Any) -> bool:
    return bool(left == right)
