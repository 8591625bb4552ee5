"""Moments: every way to write one, and what is no moment."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.asof import (
    Asked,
    AsOf,
    AtPin,
    AtPosition,
    AtRecorded,
    RecordedAsOf,
    parse_as_of,
    parse_effective_at,
    refuse_future,
)
from domain.errors import InvalidAsOfError, InvalidNameError
from domain.identifiers import PinName, pin_name
from tests.harness.strategies import instants, unicode_text

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LONGEST_PIN = "p" * 63


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
        ("a", AtPin(PinName("a"))),
        ("release-7", AtPin(PinName("release-7"))),
        ("yesterday", AtPin(PinName("yesterday"))),
        (LONGEST_PIN, AtPin(PinName(LONGEST_PIN))),
    ],
)
def test_moments_are_times_dates_positions_or_pins(text: str, moment: AsOf) -> None:
    """RFC 3339 with an offset, a date that means its UTC midnight, a position, or a pin's name."""
    assert parse_as_of(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Yesterday",
        "a-",
        "a_b",
        "a\n",
        "é",
        LONGEST_PIN + "a",
        "7th",
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
    """A naive time, a number alone, no such day: the message shows all spellings."""
    with pytest.raises(InvalidAsOfError, match=r"an offset .* a date .* a position .* a pin") as it:
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


@given(unicode_text | st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True))
def test_every_name_that_a_pin_may_have_asks_for_that_pin(text: str) -> None:
    """No pin is taken for a time or a position, and nothing else is taken for a pin."""
    try:
        name = pin_name(text)
    except InvalidNameError:
        with suppress(InvalidAsOfError):
            assert not isinstance(parse_as_of(text), AtPin)
    else:
        assert parse_as_of(text) == AtPin(name)


@pytest.mark.parametrize("text", ["2026-11-22T09:30:00Z", "2026-11-22T10:30:00+01:00"])
def test_an_effective_time_is_a_time_with_an_offset(text: str) -> None:
    """As RFC 3339 writes it, whatever the offset."""
    assert parse_effective_at(text) == NOW


def test_an_effective_time_may_be_a_date() -> None:
    """It means its midnight in UTC."""
    assert parse_effective_at("2026-11-22") == datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "@4711", "release-7", "2026-11-22T09:30:00", "2026-02-30"])
def test_an_effective_time_is_nothing_else(text: str) -> None:
    """Positions and pins are of this log; the message does not offer them."""
    with pytest.raises(InvalidAsOfError, match=r"is not a time: .* an offset .* a date") as it:
        parse_effective_at(text)
    assert repr(text) in str(it.value)
    assert "pin" not in str(it.value).removeprefix(repr(text))


@pytest.mark.parametrize(
    ("asked", "is_live"),
    [
        (Asked(), True),
        (Asked(at=AtPosition(0)), False),
        (Asked(effective_at=NOW), False),
        (Asked(at=AtPin(PinName("a")), effective_at=NOW), False),
    ],
)
def test_who_asks_for_no_moment_asks_for_now(asked: Asked, is_live: bool) -> None:
    """Either of the two times makes it a moment, also the very first position."""
    assert asked.is_live == is_live


@given(
    instants.map(AtRecorded)
    | st.integers(0, 10**18 - 1).map(AtPosition)
    | st.sampled_from(["a", "release-7", LONGEST_PIN]).map(PinName).map(AtPin)
)
def test_a_moment_reads_back_from_its_text(moment: AsOf) -> None:
    """Answers name the moment in a form that can be asked for again."""
    assert parse_as_of(str(moment)) == moment


@pytest.mark.parametrize(
    "moment", [AtRecorded(NOW), AtRecorded(NOW - timedelta(days=9)), AtPosition(0), AtPosition(7)]
)
def test_what_has_come_can_be_asked_for(moment: RecordedAsOf) -> None:
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
def test_what_has_not_come_is_refused(moment: RecordedAsOf, message: str) -> None:
    """A moment in the future could be answered otherwise later, and the message says so."""
    with pytest.raises(InvalidAsOfError, match=message):
        refuse_future(moment, NOW, head=7)
