"""How payloads become JSON values, and how places in them are written down."""

import json
from typing import Any

from domain.errors import SourceContentError

_MOST_DIGITS = 400


def read_json(payload: bytes) -> Any:
    """Read JSON, with or without a byte order mark.

    What only spoils the entry that it stands in is let through, and has no canonical form: bytes
    that are not UTF-8, lone surrogates, NaN and numbers beyond IEEE 754.

    Raises:
        SourceContentError: it is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(payload.decode("utf-8-sig", "surrogateescape"), parse_int=_integer)
    except RecursionError as error:
        raise SourceContentError(
            "expected a registry, found JSON that is nested too deeply to be one"
        ) from error
    except ValueError as error:
        raise SourceContentError(f"expected JSON, found {_described(payload)}: {error}") from error


def _integer(digits: str) -> int | float:
    """Python refuses to read an integer of thousands of digits; as a float it is infinite."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _described(payload: bytes) -> str:
    if not payload.strip():
        return "nothing (is the file empty, or the path wrong?)"
    if payload.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "what looks like HTML (probably a login page: check the address and credentials)"
    return "something else (check that the address is that of a registry file)"


def pointer(*steps: str | int) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def without_nulls(value: Any) -> Any:
    """A JSON value; if it is an object, without the members that say nothing."""
    if not isinstance(value, dict):
        return value
    return {member: found for member, found in value.items() if found is not None}
