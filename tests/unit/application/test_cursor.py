"""Where the next page of a list starts."""

import base64
import json
import re
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.cursor import Cursor, ListFilters, continued, decode_cursor, encode_cursor
from domain.asof import Asked, AtPosition
from domain.errors import InvalidCursorError
from tests.harness.clock import START
from tests.harness.strategies import instants, unicode_text

maybe_text = st.none() | unicode_text
filters = st.builds(
    ListFilters,
    search=maybe_text,
    updated_since=st.none() | instants,
    version=maybe_text,
    include_deleted=st.none() | st.booleans(),
)
keys = st.tuples(unicode_text, unicode_text)
FILTERS = ListFilters(search="größe", updated_since=START, version="latest", include_deleted=True)
KEY = ("io.example/a", "1.0.0")


@given(keys, filters)
def test_a_cursor_comes_back_as_it_was(key: tuple[str, str], carried: ListFilters) -> None:
    """Names, versions and filters of any text survive, in a word that no URL has to escape."""
    text = encode_cursor(Cursor(key, carried))
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert decode_cursor(text) == Cursor(key, carried)


moments = st.builds(
    Asked,
    at=st.builds(AtPosition, st.integers(0, 10**18 - 1)),
    effective_at=st.none() | instants,
)


@given(keys, filters, moments)
def test_a_cursor_keeps_the_moment_of_its_list(
    key: tuple[str, str], carried: ListFilters, asked: Asked
) -> None:
    """A position, and an effective time to the microsecond, beside everything else."""
    cursor = Cursor(key, carried, asked)
    assert decode_cursor(encode_cursor(cursor)) == cursor


def test_a_cursor_without_filters_carries_empty_ones() -> None:
    """The first page of a list that nothing restricts."""
    assert decode_cursor(encode_cursor(Cursor(KEY, None))) == Cursor(KEY, ListFilters())


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("io.example/a:1.0.0", KEY),
        ("io.example/a:", ("io.example/a", "")),
        ("a:1:2", ("a", "1:2")),
    ],
)
def test_the_official_form_is_read_too(text: str, key: tuple[str, str]) -> None:
    """`name:version` carries no filters."""
    assert decode_cursor(text) == Cursor(key, None)


def encoded(value: Any) -> str:
    """What a cursor looks like from outside, around any JSON."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!",
        "é",
        "\ud800",
        "a",
        "abc",
        "a b",
        "_w",
        encoded(None),
        encoded(7),
        encoded([]),
        encoded([*KEY, None, None, None]),
        encoded([*KEY, None, None, None, None, None]),
        encoded([*KEY, None, None, None, None, "@1"]),
        encoded([*KEY, None, None, None, None, "@1", None, None]),
        encoded([*KEY, None, None, None, None, "2026-01-01T00:00:00", None]),
        encoded([*KEY, None, None, None, None, 1, None]),
        encoded([*KEY, None, None, None, None, "@1", "2026-01-01"]),
        encoded([1, "1.0.0", None, None, None, None]),
        encoded(["a", None, None, None, None, None]),
        encoded([*KEY, 5, None, None, None]),
        encoded([*KEY, None, 5, None, None]),
        encoded([*KEY, None, "yesterday", None, None]),
        encoded([*KEY, None, None, ["latest"], None]),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        encode_cursor(Cursor(KEY, FILTERS))[:-4],
    ],
)
def test_garbage_is_refused(text: str) -> None:
    """The error says what to send."""
    with pytest.raises(InvalidCursorError, match="is not a cursor: send the nextCursor"):
        decode_cursor(text)


@given(st.text(st.characters(exclude_characters=":")) | st.from_regex(r"[\w-]{1,40}"))
def test_any_text_is_a_cursor_or_an_error(text: str) -> None:
    """Nothing that a client sends gets further than that."""
    try:
        decode_cursor(text)
    except InvalidCursorError:
        return


@given(filters)
def test_filters_are_carried_on(carried: ListFilters) -> None:
    """Who sends the cursor alone, or repeats the filters, gets the list of the first page."""
    cursor = Cursor(KEY, carried)
    assert continued(ListFilters(), cursor) == carried
    assert continued(attrs.evolve(carried, include_deleted=None), cursor) == carried
    repeated = attrs.evolve(carried, include_deleted=carried.shows_deleted)
    assert continued(repeated, cursor) == carried


@pytest.mark.parametrize(
    "changed",
    [
        {"search": "other"},
        {"search": ""},
        {"updated_since": START + timedelta(seconds=1)},
        {"version": "1.0.0"},
        {"include_deleted": False},
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_filters_must_agree(changed: dict[str, Any], whole: bool) -> None:
    """One that differs from the first page is refused by name, alone or beside the others."""
    asked = attrs.evolve(FILTERS if whole else ListFilters(), **changed)
    with pytest.raises(InvalidCursorError, match=f"^{next(iter(changed))} is not what"):
        continued(asked, Cursor(KEY, FILTERS))


@given(filters)
def test_the_official_form_takes_the_filters_of_its_request(asked: ListFilters) -> None:
    """A cursor that carries none agrees with all."""
    assert continued(asked, Cursor(KEY, None)) == asked


@pytest.mark.parametrize(
    ("carried", "shown"),
    [
        (ListFilters(), False),
        (ListFilters(include_deleted=False), False),
        (ListFilters(include_deleted=True), True),
        (ListFilters(updated_since=START), True),
    ],
)
def test_who_asks_for_changes_hears_of_deletions(carried: ListFilters, shown: bool) -> None:
    """Deleted servers are shown on request, and beside `updated_since`."""
    assert carried.shows_deleted is shown
