"""Instants: aware UTC datetimes, their microseconds, and their RFC 3339 text."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:[0-5]\d)",
    re.ASCII,
)


@lru_cache(maxsize=4096)  # events and rows come in great numbers, of few commits
def to_micros(instant: datetime) -> int:
    """Whole microseconds since 1970-01-01T00:00:00Z."""
    return (instant - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=4096)
def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`."""
    return _EPOCH + timedelta(microseconds=micros)


@lru_cache(maxsize=4096)  # a page tells three times of each entry, and most are of few commits
def to_rfc_3339(instant: datetime) -> str:
    """The one text form used in events and answers: UTC, a `Z`, no empty fraction."""
    text = (instant if instant.tzinfo is UTC else instant.astimezone(UTC)).isoformat()
    return text[: -len("+00:00")] + "Z"


def from_rfc_3339(text: str) -> datetime:
    """Read RFC 3339 with an offset; digits finer than a microsecond are cut off.

    Raises:
        ValueError: *text* is something else, or outside the years 1 to 9999 in UTC.
    """
    if not _RFC_3339.fullmatch(text):
        raise ValueError(f"{text!r} is not an RFC 3339 time with an offset")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is outside the years 1 to 9999 in UTC") from error
