"""The one byte form of a JSON value: RFC 8785 (JSON Canonicalization Scheme).

Anyone with an implementation of the RFC gets the same bytes, so anyone can recompute a hash.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from domain.errors import InvalidDocumentError

_string = json.encoder.encode_basestring  # called at once, as most values are strings
_LARGEST_INTEGER = 2**53 - 1
_MOST_LEVELS = 100


def canonical_json(value: object) -> bytes:
    """Serialise what a JSON parser returned.

    Raises:
        InvalidDocumentError: an integer that IEEE 754 doubles would change, a number that JSON
            does not have, a lone surrogate, or a value inside more than 100 others.
    """
    try:
        return _serialise(value, _MOST_LEVELS).encode()
    except UnicodeEncodeError as error:
        raise InvalidDocumentError("a string has a lone surrogate: expected Unicode") from error


def separated(values: Iterable[bytes]) -> Iterator[bytes]:
    """Values as they stand between the brackets of an array, one at a time."""
    for number, value in enumerate(values):
        yield b"," + value if number else value


def _serialise(value: Any, levels: int) -> str:
    if levels < 0:
        raise InvalidDocumentError(f"nested too deeply: expected at most {_MOST_LEVELS} levels")
    if isinstance(value, dict):
        return _object(value, levels - 1)
    if isinstance(value, list):
        return _array(value, levels - 1)
    serialise = _SCALARS.get(type(value))
    if serialise is None:
        raise InvalidDocumentError(f"expected a JSON value, found {value!s:.200}")
    return serialise(value)


def _object(value: dict[str, Any], levels: int) -> str:
    members = []
    for key in _sorted_keys(value):
        item = value[key]
        text = _string(item) if type(item) is str else _serialise(item, levels)
        members.append(f"{_string(key)}:{text}")
    return "{" + ",".join(members) + "}"


def _array(value: list[Any], levels: int) -> str:
    items = [_string(item) if type(item) is str else _serialise(item, levels) for item in value]
    return "[" + ",".join(items) + "]"


def _sorted_keys(value: dict[str, Any]) -> list[str]:
    """Keys by UTF-16 code units, as the RFC orders them."""
    keys = sorted(value)
    if not "".join(keys).isascii():
        keys.sort(key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    return keys


def _integer(value: int) -> str:
    if abs(value) > _LARGEST_INTEGER and not _survives_doubles(value):
        raise InvalidDocumentError(f"{value} is beyond 2^53-1: write it as a string")
    return str(value)


def _survives_doubles(value: int) -> bool:
    """Whether it is what a large float is written as, so that canonical form can be read back."""
    return abs(value) < 10**21 and _float(float(value)) == str(value)


def _float(value: float) -> str:
    """ECMAScript's Number::toString, which has Python's digits and other exponents."""
    if not math.isfinite(value):
        raise InvalidDocumentError(f"{value} is not a JSON number")
    if value == 0:
        return "0"
    digits, point = _shortest_digits(value)
    sign = "-" if value < 0 else ""
    if 0 < point <= 21:
        whole = digits.ljust(point, "0")
        return sign + whole[:point] + ("." + whole[point:] if whole[point:] else "")
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    mantissa = digits[0] + ("." + digits[1:] if digits[1:] else "")
    return f"{sign}{mantissa}e{point - 1:+d}"


def _shortest_digits(value: float) -> tuple[str, int]:
    """The significant digits, and where the decimal point stands among them."""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading_zeros = len(whole + fraction) - len(digits)
    point = len(whole) - leading_zeros + int(exponent or 0)
    return digits.rstrip("0"), point


_SCALARS: dict[type, Callable[[Any], str]] = {
    str: _string,
    int: _integer,
    float: _float,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",  # noqa: ARG005
}
