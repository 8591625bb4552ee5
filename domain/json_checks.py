"""Checks of JSON values, small ones and those that put them together.

A check walks a value in the value's own order and gives an `Issue` for every problem. Those of
objects and arrays are found one at a time, as they may be many.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeAlias

import attrs


class Severity(StrEnum):
    """Whether an issue keeps a document from being published."""

    ERROR = "error"
    WARNING = "warning"


@attrs.frozen(kw_only=True)
class Issue:
    """One thing that is wrong with a document, and where.

    `type` is the kind of check: `json`, `schema` or `semantic`. `path` is like
    `packages[0].transport.url`, empty for the document itself. `reference` is a stable code;
    what a JSON schema demands is named after its keyword: `schema-type`, `schema-required`,
    `schema-min-length`, `schema-max-length`, `schema-enum`, `schema-pattern`.
    """

    type: str
    path: str
    message: str
    severity: Severity
    reference: str


class Place:
    """Where in a document a check is, and the objects around it, the nearest first.

    Most places have no issue, so that nobody asks for their path: it is put together when one
    does.
    """

    __slots__ = ("_above", "_owner", "_step")

    def __init__(
        self,
        step: str | int = "",
        above: "Place | None" = None,
        owner: dict[str, Any] | None = None,
    ) -> None:
        self._step = step
        self._above = above
        self._owner = owner

    @property
    def path(self) -> str:
        """Like `packages[0].transport.url`, empty for the document itself."""
        if self._above is None:
            return str(self._step)
        if isinstance(self._step, int):
            return f"{self._above.path}[{self._step}]"
        return _joined(self._above.path, self._step)

    @property
    def owners(self) -> tuple[dict[str, Any], ...]:
        """The objects that this lies in."""
        above = self._above.owners if self._above else ()
        return above if self._owner is None else (self._owner, *above)

    def member(self, name: str, owner: dict[str, Any]) -> "Place":
        """The place of a member of *owner*, which lies here; it need not exist."""
        return Place(name, self, owner)

    def item(self, index: int) -> "Place":
        """The place of an item of the array that lies here."""
        return Place(index, self)

    def issue(self, reference: str, message: str, severity: Severity = Severity.ERROR) -> Issue:
        """An issue of this place; its type follows from the reference."""
        kind = reference.partition("-")[0]
        return Issue(
            type=kind if kind in ("json", "schema") else "semantic",
            path=self.path,
            message=message,
            severity=severity,
            reference=reference,
        )


Check: TypeAlias = Callable[[Any, Place], Iterable[Issue]]
_Holds: TypeAlias = Callable[[Any], object]


@attrs.frozen
class _Sure:
    """A check that tells without a place, and so in a tenth of the time, that all is well.

    Where `holds` is false the check may still find no issue.
    """

    check: Check
    holds: _Holds

    def __call__(self, value: Any, place: Place) -> Iterable[Issue]:
        return self.check(value, place)


_PLAIN_NAME = re.compile(r"[A-Za-z0-9_$-]{1,80}")
_TYPE_NAMES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def type_name(value: Any) -> str:
    """What a JSON value is, with its article. What is no JSON value describes itself."""
    return _TYPE_NAMES.get(type(value)) or str(value)


def _joined(path: str, name: str) -> str:
    if not _PLAIN_NAME.fullmatch(name):
        return f"{path}[{json.dumps(_shortened(name))}]"
    return f"{path}.{name}" if path else name


def shown(text: str) -> str:
    """Quoted, printable and short, whatever *text* is: for messages."""
    return repr(_shortened(text))


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else text[:80] + "..."


def typed(expected: type, *checks: Check) -> Check:
    """The JSON type of a value; *checks* see only values of that type."""

    inside = _all_of(checks)

    def check(value: Any, place: Place) -> Iterable[Issue]:
        if isinstance(value, expected):
            return inside(value, place)
        message = f"expected {_TYPE_NAMES[expected]}, found {type_name(value)}"
        return (place.issue("schema-type", message),)

    return _sure(expected, checks, check)


def _sure(expected: type, checks: Sequence[Check], check: Check) -> Check:
    """The check of a type with *checks* of its values, sure where all of these are."""
    holding = [further.holds for further in checks if isinstance(further, _Sure)]
    if len(holding) < len(checks):
        return check

    def holds_all(value: Any) -> bool:
        if type(value) is not expected:
            return False
        # A loop, as `all` takes three times as long for one or two.
        for holds in holding:  # noqa: SIM110
            if not holds(value):
                return False
        return True

    return _Sure(check, holds_all if holding else lambda value: type(value) is expected)


def _all_of(checks: Sequence[Check]) -> Check:
    """One check after the other. Where there is one, nothing stands between."""

    def check(value: Any, place: Place) -> Iterable[Issue]:
        return (issue for further in checks for issue in further(value, place))

    match checks:
        case ():
            return lambda _value, _place: ()
        case (only,):
            return only
        case _:
            return check


def first_issue(check: Check, value: Any, place: Place) -> Issue | None:
    """The first of the issues of a value, None where it has none."""
    if isinstance(check, _Sure) and check.holds(value):
        return None
    return next(iter(check(value, place)), None)


def string(*checks: Check) -> Check:
    """A string that passes all *checks*."""
    return typed(str, *checks)


def object_of(
    members: Mapping[str, Check], *checks: Check, required: Collection[str] = ()
) -> Check:
    """An object: first what is missing, then *checks* of the whole, then the members it has.

    Other members than those of the table may hold anything.
    """

    sure = {name: check.holds for name, check in members.items() if isinstance(check, _Sure)}

    def has_all(value: dict[str, Any]) -> bool:
        return all(map(value.__contains__, required))

    def missing(value: dict[str, Any], place: Place) -> Iterable[Issue]:
        return [
            place.member(name, value).issue("schema-required", "expected this member")
            for name in required
            if name not in value
        ]

    def inside(value: dict[str, Any], place: Place) -> Iterator[Issue]:
        for name, found in value.items():
            if name in members and not (name in sure and sure[name](found)):
                yield from members[name](found, place.member(name, value))

    def hold(value: dict[str, Any]) -> bool:
        for name, found in value.items():  # noqa: SIM110
            if name in sure and not sure[name](found):
                return False
        return True

    is_sure = len(sure) == len(members)
    return typed(dict, _Sure(missing, has_all), *checks, _Sure(inside, hold) if is_sure else inside)


def map_of(member: Check) -> Check:
    """An object whose members have names of the author's choice."""

    def inside(value: dict[str, Any], place: Place) -> Iterator[Issue]:
        for name, found in value.items():
            yield from member(found, place.member(name, value))

    if not isinstance(member, _Sure):
        return typed(dict, inside)
    holds = member.holds
    return typed(dict, _Sure(inside, lambda value: all(map(holds, value.values()))))


def array_of(item: Check) -> Check:
    """An array of any length."""

    def inside(value: list[Any], place: Place) -> Iterator[Issue]:
        for index, found in enumerate(value):
            yield from item(found, place.item(index))

    if not isinstance(item, _Sure):
        return typed(list, inside)
    holds = item.holds
    return typed(list, _Sure(inside, lambda value: all(map(holds, value))))


def expect(reference: str, expected: str, holds: Callable[[str], object]) -> Check:
    """A string of which *holds* is true."""

    def check(text: str, place: Place) -> Iterable[Issue]:
        if holds(text):
            return ()
        return (place.issue(reference, f"expected {expected}, found {shown(text)}"),)

    return _Sure(check, holds)


def one_of(*choices: str, reference: str = "schema-enum") -> Check:
    """A string that is one of *choices*."""
    return expect(reference, "one of " + ", ".join(choices), choices.__contains__)


def length(shortest: int, longest: int) -> Check:
    """A string of so many characters (Unicode code points)."""

    def check(text: str, place: Place) -> Iterable[Issue]:
        if len(text) < shortest:
            message = f"expected {shortest} characters or more"
            return (place.issue("schema-min-length", message),)
        if len(text) > longest:
            message = f"expected {longest} characters or fewer, found {len(text)}"
            return (place.issue("schema-max-length", message),)
        return ()

    return _Sure(check, lambda text: shortest <= len(text) <= longest)
