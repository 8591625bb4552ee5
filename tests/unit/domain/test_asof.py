"""Moments: every way to write one, and what is no moment."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.asof import AsOf, AtPosition, AtRecorded, parse_as_of, refuse_future
from domain.errors import InvalidAsOfError
from tests.harness.strategies import instants

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T09:30:00Z", AtRecorded(NOW)),
        ("2026-11-22T10:30:00+01:00", AtRecorded(NOW)),
        ("2026-11-22 09:30:00.000000Z", AtRecorded(NOW)),
        ("2026-11-22T09:30:00.000001Z", AtRecorded(NOW + timedelta(microseconds=1))),
        ("2026-11-22", AtRecorded(datetime(2026, 11, 22, tzinfo=UTC))),
        ("@4711", AtPosition(4711)),
        ("@0", AtPosition(0)),
        ("@007", AtPosition(7)),
    ],
)
def test_moments_are_times_dates_or_positions(text: str, moment: AsOf) -> None:
    """RFC 3339 with an offset, a date that means its UTC midnight, or a position."""
    assert parse_as_of(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "4711",
        "@",
        "@-1",
        "@1.5",
        "@١",
        f"@{'9' * 19}",
        "@4711 ",
        "2026-11-22T09:30:00",
        "2026-11-22T10:30:00 01:00",
        "2026-11-22T09:30Z",
        "2026-11-22Z",
        "2026-02-30",
        "2026-1-2",
        "26-11-22",
        "0000-01-01",
        "٢٠٢٦-11-22",
        "0001-01-01T00:00:00+01:00",
        "2026-11-22\n",
    ],
)
def test_anything_else_is_refused_with_what_was_expected(text: str) -> None:
    """A naive time, a number alone, no such day: the message shows all three spellings."""
    with pytest.raises(InvalidAsOfError, match=r"an offset .* a date .* or a position") as it:
        parse_as_of(text)
    assert repr(text) in str(it.value)


@given(st.text(max_size=30) | st.from_regex(r"@?\d{1,30}(-\d\d-\d\d)?"))
def test_any_text_is_a_moment_or_an_invalid_one(text: str) -> None:
    """No text makes anything else than a moment or the one error."""
    try:
        moment = parse_as_of(text)
    except InvalidAsOfError:
        return
    assert parse_as_of(str(moment)) == moment


@given(instants.map(AtRecorded) | st.integers(0, 10**18 - 1).map(AtPosition))
def test_a_moment_reads_back_from_its_text(moment: AsOf) -> None:
    """Answers name the moment in a form that can be asked for again."""
    assert parse_as_of(str(moment)) == moment


@pytest.mark.parametrize(
    "moment", [AtRecorded(NOW), AtRecorded(NOW - timedelta(days=9)), AtPosition(0), AtPosition(7)]
)
def test_what_has_come_can_be_asked_for(moment: AsOf) -> None:
    """Any time up to now, and any position up to the head."""
    refuse_future(moment, NOW, head=7)


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        (
            AtRecorded(NOW + timedelta(microseconds=1)),
            "2026-11-22T09:30:00.000001Z lies in the future: it is 2026-11-22T09:30:00Z now",
        ),
        (AtPosition(8), "@8 lies in the future: the log ends at @7"),
    ],
)
def test_what_has_not_come_is_refused(moment: AsOf, message: str) -> None:
    """A moment in the future could be answered otherwise later, and the message says so."""
    with pytest.raises(InvalidAsOfError, match=message):
        refuse_future(moment, NOW, head=7)
