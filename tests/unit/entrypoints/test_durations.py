"""Durations as Go reads them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidDurationError
from entrypoints.durations import parse_duration

UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("100ms", 0.1),
        ("1m1m", 120.0),
        ("+2s", 2.0),
        ("-1.5s", -1.5),
        ("1ns", 1e-9),
        ("3us", 3e-6),
        ("3µs", 3e-6),
        ("3μs", 3e-6),
        ("2562047h47m16.854775807s", 9223372036.854775807),
    ],
)
def test_what_go_reads(text: str, seconds: float) -> None:
    """Every form of Go's time.ParseDuration is read, with its value."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "3", "-", "s", ".", ".s", "+.s", "1x", "1 h", " 1h", "1h ", "1d", "1e3s", "١s", "1h\n"],
)
def test_what_go_refuses(text: str) -> None:
    """What Go refuses is refused, with an example of what is expected."""
    with pytest.raises(InvalidDurationError, match="write it as in 30s, 5m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["2562047h47m16.854775808s", "9" * 5000 + "h"])
def test_longest_duration(text: str) -> None:
    """One nanosecond more than Go's longest duration is refused."""
    with pytest.raises(InvalidDurationError, match="at most 292 years"):
        parse_duration(text)


@given(st.integers(0, 2**63 - 1))
def test_nanoseconds_are_the_nearest_seconds(nanoseconds: int) -> None:
    """Whole nanoseconds become the float that is nearest to them, over all of Go's range."""
    assert parse_duration(f"{nanoseconds}ns") == nanoseconds / 10**9


@given(
    hours=st.integers(0, 10_000),
    minutes=st.integers(0, 59),
    milliseconds=st.integers(0, 59_999),
)
def test_go_notation_round_trips(hours: int, minutes: int, milliseconds: int) -> None:
    """What Go's Duration.String writes is read as the same duration."""
    text = f"{hours}h{minutes}m{milliseconds / 1000}s"
    whole = (hours * 60 + minutes) * 60_000 + milliseconds
    assert parse_duration(text) == whole / 1000


@given(st.decimals(0, 10**6, places=3), st.sampled_from(sorted(UNITS)))
def test_units_scale(number: float, unit: str) -> None:
    """A decimal number counts in its unit."""
    assert parse_duration(f"{number:f}{unit}") == pytest.approx(float(number) * UNITS[unit])


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is a duration or an InvalidDurationError, nothing else."""
    with suppress(InvalidDurationError):
        assert isinstance(parse_duration(text), float)
