"""Canonical JSON: the same bytes as other implementations of RFC 8785, and the same refusals."""

import json
import math
import struct
from enum import StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from domain.canonical_json import canonical_json
from domain.errors import InvalidDocumentError
from tests.harness.strategies import json_objects, json_values

APPENDIX_B = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}
"""Doubles as their big-endian bytes, and how RFC 8785 writes them."""


@given(json_values)
def test_the_bytes_are_those_of_another_implementation(value: Any) -> None:
    """Anyone with an implementation of RFC 8785 gets these bytes."""
    assert canonical_json(value) == rfc8785.dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(1e21)
@example(1e-7)
@example(1.5e300)
@example(-1.5e-300)
@example(-0.0)
def test_floats_are_written_as_ecmascript_writes_them(value: float) -> None:
    """Every finite double has the text of another implementation, and reads back as itself."""
    text = canonical_json(value)
    assert text == rfc8785.dumps(value)
    assert float(text) == value


@pytest.mark.parametrize(("double", "text"), APPENDIX_B.items())
def test_the_numbers_of_the_rfc(double: str, text: str) -> None:
    """The samples of RFC 8785, appendix B, come out as printed there."""
    (value,) = struct.unpack(">d", bytes.fromhex(double))
    assert canonical_json(value).decode() == text


@given(json_values)
@example(2.0**60)
@example(1e20)
def test_canonical_form_reads_back_and_stays(value: Any) -> None:
    """What was written is read and written again without a change, large floats included."""
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text


@given(json_objects)
def test_the_order_of_members_does_not_matter(value: dict[str, Any]) -> None:
    """An object has one form, in whatever order its members come."""
    turned = dict(reversed(value.items()))
    assert canonical_json(turned) == canonical_json(value)


def test_keys_are_ordered_by_utf_16_units() -> None:
    """The keys of RFC 8785, section 3.2.3, come in its order: U+1F600 before U+FB33."""
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = list(json.loads(canonical_json(dict.fromkeys(keys))))
    assert ordered == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_strings_escape_what_they_must_and_no_more() -> None:
    """Controls have their short escape or four lower-case digits; all else is written as it is."""
    text = '\x00\x0f\x1f\b\t\n\f\r"\\/\x7f\u2028é😀'
    expected = '"\\u0000\\u000f\\u001f\\b\\t\\n\\f\\r\\"\\\\/\x7f\u2028é😀"'
    assert canonical_json(text) == expected.encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, b"null"),
        (True, b"true"),
        (False, b"false"),
        (1, b"1"),
        (1.0, b"1"),
        ([], b"[]"),
        ({}, b"{}"),
        ({"b": [1, {}], "a": True}, b'{"a":true,"b":[1,{}]}'),
    ],
)
def test_small_values(value: Any, text: bytes) -> None:
    """Literals, empty containers, and nothing between the members."""
    assert canonical_json(value) == text


@pytest.mark.parametrize(
    "value",
    [
        2**53 + 1,
        -(2**53) - 1,
        2**60,
        10**21,
        10**400,
        math.nan,
        math.inf,
        -math.inf,
        "\ud800",
        "\udc00\ud800",
        {"\ud800": 1},
    ],
)
def test_what_json_cannot_hold_is_refused_as_elsewhere(value: Any) -> None:
    """An integer that doubles would change, NaN, infinities and lone surrogates, at any depth."""
    for document in (value, {"a": [value]}):
        with pytest.raises(ValueError):
            rfc8785.dumps(document)
        with pytest.raises(InvalidDocumentError):
            canonical_json(document)


@given(st.integers())
@example(2**53)
@example(10**20)
@example(2**60)
def test_an_integer_is_kept_as_it_is_or_refused(value: int) -> None:
    """An integer is never rounded: it is written with its own digits, or refused.

    Beyond 2^53-1 those are written that a double writes the same way: they come back when the
    canonical form of a large float is read.
    """
    try:
        assert canonical_json(value) == str(value).encode() == rfc8785.dumps(float(value))
    except InvalidDocumentError:
        assert abs(value) >= 2**53
        assert abs(value) >= 10**21 or rfc8785.dumps(float(value)) != str(value).encode()


class _Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize("value", [b"", (), {1}, object(), 1j, _Colour.RED])
def test_what_no_json_parser_returns_is_refused(value: Any) -> None:
    """Other types have no canonical form, and the message shows the value."""
    with pytest.raises(InvalidDocumentError, match=r"^expected a JSON value, found "):
        canonical_json([value])


def _nested(levels: int) -> Any:
    value: Any = 0
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def test_nesting_has_one_limit_everywhere() -> None:
    """A hundred levels are written; more are refused, on every machine and at every depth."""
    assert canonical_json(_nested(100)).count(b"[") == 50
    for levels in (101, 5000):
        with pytest.raises(InvalidDocumentError, match="at most 100 levels"):
            canonical_json(_nested(levels))
