"""Moments as people and clients write them."""

import re
from datetime import datetime
from typing import TypeAlias

import attrs

from domain.errors import InvalidAsOfError
from domain.identifiers import Position
from domain.timestamps import from_rfc_3339, to_rfc_3339

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_POSITION = re.compile(r"@[0-9]{1,18}")

EXPECTED = (
    "expected an RFC 3339 time with an offset (2026-11-22T09:30:00Z, where a '+' in a URL is "
    "written %2B), a date (2026-11-22, its UTC midnight) or a position (@4711)"
)


@attrs.frozen
class AtPosition:
    """The last commit that ends at or before a position."""

    position: Position

    def __str__(self) -> str:
        return f"@{self.position}"


@attrs.frozen
class AtRecorded:
    """The last commit that was recorded at or before a time."""

    at: datetime

    def __str__(self) -> str:
        return to_rfc_3339(self.at)


AsOf: TypeAlias = AtPosition | AtRecorded


def parse_as_of(text: str) -> AsOf:
    """Read a moment.

    Raises:
        InvalidAsOfError: *text* is something else, or a time without an offset.
    """
    if _POSITION.fullmatch(text):
        return AtPosition(int(text[1:]))
    try:
        return AtRecorded(from_rfc_3339(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text))
    except ValueError as error:
        raise InvalidAsOfError(f"{text!r} is not a moment: {EXPECTED}") from error


def refuse_future(as_of: AsOf, now: datetime, head: Position) -> None:
    """A moment that has not come may still change, so it cannot be answered.

    Raises:
        InvalidAsOfError
    """
    match as_of:
        case AtRecorded(at) if at > now:
            raise InvalidAsOfError(f"{as_of} lies in the future: it is {to_rfc_3339(now)} now")
        case AtPosition(position) if position > head:
            raise InvalidAsOfError(f"{as_of} lies in the future: the log ends at @{head}")
