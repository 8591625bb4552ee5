"""Moments as people and clients write them."""

import re
from datetime import datetime
from typing import TypeAlias

import attrs

from domain.errors import InvalidAsOfError
from domain.identifiers import PinName, Position
from domain.timestamps import from_rfc_3339, to_rfc_3339

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_POSITION = re.compile(r"@[0-9]{1,18}")
_PIN = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")

_EXPECTED_TIME = (
    "an RFC 3339 time with an offset (2026-11-22T09:30:00Z, where a '+' in a URL is written %2B)"
    " or a date (2026-11-22, its UTC midnight)"
)
EXPECTED = f"expected {_EXPECTED_TIME}, a position (@4711) or the name of a pin"


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


@attrs.frozen
class AtPin:
    """What a pin names."""

    name: PinName

    def __str__(self) -> str:
        return self.name


RecordedAsOf: TypeAlias = AtPosition | AtRecorded
"""What the log alone can resolve."""

AsOf: TypeAlias = RecordedAsOf | AtPin


@attrs.frozen(kw_only=True)
class Asked:
    """A moment in both times; None where it does not say.

    `at` is what this registry had recorded by then, `effective_at` what the sources themselves
    said by then, as far as it was known at `at`.
    """

    at: AsOf | None = None
    effective_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Whether no moment is asked for."""
        return self.at is None and self.effective_at is None


NOW = Asked()


def parse_as_of(text: str) -> AsOf:
    """Read a moment.

    Raises:
        InvalidAsOfError: *text* is something else, or a time without an offset.
    """
    if _POSITION.fullmatch(text):
        return AtPosition(int(text[1:]))
    if _PIN.fullmatch(text):
        return AtPin(PinName(text))
    time = _time(text)
    if time is None:
        raise InvalidAsOfError(f"{text!r} is not a moment: {EXPECTED}")
    return AtRecorded(time)


def parse_effective_at(text: str) -> datetime:
    """Read a time at which a source said something.

    Raises:
        InvalidAsOfError
    """
    time = _time(text)
    if time is None:
        raise InvalidAsOfError(f"{text!r} is not a time: expected {_EXPECTED_TIME}")
    return time


def _time(text: str) -> datetime | None:
    try:
        return from_rfc_3339(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except ValueError:
        return None


def refuse_future(as_of: RecordedAsOf, now: datetime, head: Position) -> None:
    """A moment that has not come may still change, so it cannot be answered.

    Raises:
        InvalidAsOfError
    """
    match as_of:
        case AtRecorded(at) if at > now:
            raise InvalidAsOfError(f"{as_of} lies in the future: it is {to_rfc_3339(now)} now")
        case AtPosition(position) if position > head:
            raise InvalidAsOfError(f"{as_of} lies in the future: the log ends at @{head}")
