"""What is read of a page of the official API, whatever else it has."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.api_page import Page, read_page
from domain.entry import OFFICIAL_META
from domain.errors import SourceContentError

MOMENT = 1_767_225_600_000_000
GOOD = {"_meta": {OFFICIAL_META: {"updatedAt": "2026-01-01T01:00:00+01:00"}}}
PAGE = json.dumps({"servers": [GOOD, 0], "metadata": {"nextCursor": "c"}}).encode()
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda values: st.lists(values) | st.dictionaries(st.text(st.characters()), values),
)


def test_times_and_the_cursor_are_read() -> None:
    """The rest passes as it came."""
    assert read_page(PAGE, "") == Page(body=PAGE, updated=(MOMENT, None), next_cursor="c")


@pytest.mark.parametrize("metadata", [{}, {"nextCursor": None}, {"nextCursor": ""}])
def test_last_page_has_no_cursor(metadata: dict[str, str | None]) -> None:
    """However a registry writes that there is none."""
    page = json.dumps({"servers": [], "metadata": metadata}).encode()
    assert read_page(page, "").next_cursor is None


@given(json_values)
def test_whatever_a_server_is_the_others_are_read(odd: object) -> None:
    """Lone surrogates, NaN and numbers of any size spoil no more than their entry."""
    page = {"servers": [odd, {"_meta": odd}, {**GOOD, "server": odd}], "metadata": {}}
    assert read_page(json.dumps(page).encode(), "").updated[2] == MOMENT


@pytest.mark.parametrize("odd", [b"\xff", b"9" * 5000, b"1e999", b"\\ud800"])
def test_bytes_that_are_no_json_of_ours(odd: bytes) -> None:
    """What Python or msgspec would not read is passed over as well."""
    value = odd if odd[0] in b"19" else b'"%b"' % odd
    page = PAGE.replace(b"0]", b'{"x%b": %b}]' % (odd, value))
    assert read_page(page, "").updated == (MOMENT, None)


def test_byte_order_mark_is_passed_over() -> None:
    """As in every registry file."""
    assert read_page(b"\xef\xbb\xbf" + PAGE, "").updated == (MOMENT, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'{"servers": []}',
        b'{"servers": {}, "metadata": {}}',
        b'{"servers": [], "metadata": []}',
        b'{"servers": [], "metadata": {"nextCursor": 1}}',
        b'{"servers": [], "metadata": {}',
        b'{"servers":' + b"[" * 100_000,
    ],
)
def test_anything_else_is_an_error_that_names_the_address(body: bytes) -> None:
    """An operator can look at what is there."""
    with pytest.raises(SourceContentError, match=r"^http://x: expected a page"):
        read_page(body, "http://x")
