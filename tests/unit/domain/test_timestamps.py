"""Instants, their microseconds and their text: each way there leads back."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.timestamps import from_micros, from_rfc_3339, to_micros, to_rfc_3339
from tests.harness.strategies import instants

ANY_UTC = st.datetimes(timezones=st.just(UTC))


@given(ANY_UTC)
def test_microseconds_round_trip(instant: datetime) -> None:
    """Microseconds hold an instant exactly, before 1970 too."""
    assert from_micros(to_micros(instant)) == instant


@given(ANY_UTC)
def test_text_round_trips(instant: datetime) -> None:
    """The text form holds an instant exactly."""
    assert from_rfc_3339(to_rfc_3339(instant)) == instant


@given(instants, instants)
def test_microseconds_keep_the_order(one: datetime, other: datetime) -> None:
    """Microseconds compare as the instants do."""
    assert (to_micros(one) < to_micros(other)) == (one < other)


@given(instants, st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_the_offset_does_not_change_the_text(instant: datetime, minutes: int) -> None:
    """An instant has one text, whatever offset it is given in."""
    local = instant.astimezone(timezone(timedelta(minutes=minutes)))
    assert to_rfc_3339(local) == to_rfc_3339(instant)
    assert from_rfc_3339(local.isoformat()) == instant


def test_microseconds_count_from_1970() -> None:
    """The count starts with the Unix epoch."""
    assert to_micros(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert to_micros(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005
    assert to_micros(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 11, 22, 9, 30, tzinfo=UTC), "2026-11-22T09:30:00Z"),
        (datetime(2026, 11, 22, 9, 30, 0, 120_000, tzinfo=UTC), "2026-11-22T09:30:00.120000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    ],
)
def test_text_is_utc_with_a_z_and_no_empty_fraction(instant: datetime, text: str) -> None:
    """The one text form: UTC, a `Z`, six digits of fraction or none."""
    assert to_rfc_3339(instant) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T09:30:00Z",
        "2026-11-22t09:30:00z",
        "2026-11-22 09:30:00Z",
        "2026-11-22T09:30:00.0Z",
        "2026-11-22T09:30:00.000000999Z",
        "2026-11-22T09:30:00-00:00",
        "2026-11-22T11:30:00+02:00",
        "2026-11-21T23:45:00-09:45",
    ],
)
def test_every_spelling_of_rfc_3339_is_read(text: str) -> None:
    """Case, separator, fraction and offset are free; digits below a microsecond are cut off."""
    instant = from_rfc_3339(text)
    assert instant == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert instant.tzinfo is UTC


def test_fractions_are_cut_and_never_rounded() -> None:
    """A fraction of any length is read; one that would round up is cut off."""
    assert from_rfc_3339("2026-11-22T09:30:00.5Z").microsecond == 500_000
    assert from_rfc_3339("2026-11-22T09:30:00.123456789012Z").microsecond == 123_456
    assert from_rfc_3339("2026-11-22T09:30:00.9999999Z").microsecond == 999_999


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-22",
        "2026-11-22T09:30:00",
        "2026-11-22T09:30Z",
        "2026-11-22T09:30:00 02:00",
        "2026-11-22T09:30:00+0200",
        "2026-11-22T09:30:00+24:00",
        "2026-11-22T09:30:00+00:60",
        "2026-11-22T09:30:00.Z",
        "2026-11-22T09:30:00Z\n",
        "2026-02-30T09:30:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T09:60:00Z",
        "2026-11-22T23:59:60Z",
        "2026-11-22T09:30:00.00000٣Z",
        "٢٠٢٦-11-22T09:30:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """No offset, no such time, other digits or a year that UTC does not have: a ValueError."""
    with pytest.raises(ValueError):
        from_rfc_3339(text)


@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[Z+-].{0,6}"))
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    """Whatever the text: an aware instant or a ValueError."""
    with contextlib.suppress(ValueError):
        assert from_rfc_3339(text).tzinfo is UTC
