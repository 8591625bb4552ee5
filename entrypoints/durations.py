"""Durations as Go writes them: `30s`, `1h30m`, `1.5s`."""

import re
from decimal import Decimal

from domain.errors import InvalidDurationError

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # U+00B5, the micro sign
    "μs": 10**3,  # U+03BC, the Greek letter
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_LARGEST_NANOSECONDS = 2**63 - 1
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"([+-]?)((?:{_PART.pattern})+|0)")


def parse_duration(text: str) -> float:
    """Seconds of a duration, by the rules of Go's `time.ParseDuration`.

    Raises:
        InvalidDurationError: it is not a duration, or longer than Go's 292 years.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidDurationError(f"{text[:40]!r} is no duration: write it as in 30s, 5m or 1h30m")
    parts = _PART.findall(match[2])
    nanoseconds = sum(Decimal(number) * _NANOSECONDS[unit] for number, unit in parts)
    if nanoseconds > _LARGEST_NANOSECONDS:
        raise InvalidDurationError(f"{text[:40]!r} is too long: expected at most 292 years")
    seconds = float(nanoseconds / _NANOSECONDS["s"])
    return -seconds if match[1] == "-" else seconds
