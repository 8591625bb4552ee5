"""How payloads become JSON values, and how places in them are written down."""

import json
import re
from collections import Counter
from contextlib import suppress
from mmap import mmap
from typing import Any, TypeAlias, TypeVar

import attrs
import msgspec

from domain.errors import SourceContentError

Text: TypeAlias = bytes | mmap | memoryview | msgspec.Raw
"""JSON as it is written. What it is taken from must not change or end meanwhile."""

_Values = TypeVar("_Values", list[Any], dict[str, Any])

_BOM = b"\xef\xbb\xbf"
_MOST_DIGITS = 400
_MOST_VALUES = 5_000_000
"""A real registry has some 25 bytes to a value, an array of empty objects has three."""


@attrs.frozen
class Repeated:
    """What stands in place of a member's value where an object has the member twice."""

    member: str

    def __str__(self) -> str:
        return f"the member {self.member[:80]!r} twice"


def read_json(payload: bytes) -> Any:
    """Read JSON, with or without a byte order mark.

    What only spoils the entry that it stands in is let through, and has no canonical form: bytes
    that are not UTF-8, lone surrogates, NaN, numbers beyond IEEE 754, and members that come twice.

    Raises:
        SourceContentError: it is not JSON, is nested too deeply, repeats its own members, or is
            made of so many values that they would fill the memory.
    """
    if sum(payload.count(mark) for mark in (b",", b"[", b"{")) > _MOST_VALUES:
        raise _too_many()
    value = _loaded(payload)
    for member in value.values() if isinstance(value, dict) else ():
        if isinstance(member, Repeated):
            raise SourceContentError(f"expected each member once, found {member}")
    return value


def open_json(payload: Text) -> Any:
    """`read_json`, only that the entries of a registry may still be closed: see `read_closed`.

    Opening takes a thousandth of the time and the memory that reading takes.

    Raises:
        SourceContentError: as of `read_json`, but for entries that are nested too deeply.
    """
    text = memoryview(payload)
    try:
        return _opened(text[len(_BOM) :] if text[: len(_BOM)] == _BOM else text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Python's JSON knows more than the standard, and says better what is amiss.
        return read_json(bytes(text))


def read_closed(value: Any) -> Any:
    """The JSON value of an entry, whether `open_json` left it closed or not.

    Raises:
        SourceContentError: it is nested too deeply.
    """
    return read_entry(value)[0]


def read_entry(value: Any) -> tuple[Any, bytes | None]:
    """As `read_closed`, with the canonical form where the value is plain (see `canonical`).

    Raises:
        SourceContentError: it is nested too deeply.
    """
    if not isinstance(value, msgspec.Raw):
        return value, None
    text = bytes(value)
    try:
        return _plain(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _loaded(text), None


def canonical(value: Any) -> bytes:
    """The canonical form (RFC 8785) of a plain value, or of some of its members.

    Plain is what msgspec writes as the RFC does: it has no fraction, no integer of 16 digits, no
    character whose place among others is another one in UTF-16, and few levels.
    """
    return _SORTED.encode(value)


def _plain(text: bytes) -> tuple[Any, bytes]:
    """The value of JSON and its canonical form, in a third of the time that it takes otherwise.

    msgspec keeps one of two members that have the same name. Quotation marks are then missing
    from what it writes.

    Raises:
        ValueError: it is not plain, or a member may come twice.
        MsgspecError: as of ValueError, or it is not JSON.
    """
    kinds = text.translate(_KINDS)
    if _LONG_NUMBER in kinds or b"~" in kinds or kinds.count(b"{") > _PLAIN_LEVELS:
        raise ValueError("not plain")
    if b"\\" in text and b"\\u" in text:  # one character is found in a tenth of the time
        raise ValueError("it may have quotation marks that it does not show")
    value = _PLAIN.decode(text)
    body = _SORTED.encode(value)
    if body.count(b'"') != text.count(b'"'):
        raise ValueError("a member comes twice")
    return value, body


def _no_fraction(number: str) -> float:
    raise ValueError(f"{number} is not plain")


def _opened(text: memoryview) -> Any:
    with suppress(msgspec.MsgspecError):
        if registry := _opened_around(text):
            return registry
    return _sections_of(text)


def _opened_around(text: memoryview) -> dict[str, Any] | None:
    """A registry that ends with its list of servers, None for any other.

    What stands around the list is opened without it, so that all of it is looked at only once.

    Raises:
        MsgspecError: it is none of these.
    """
    begin, end = _SERVERS.search(text[:_MOST_BEFORE]), _LIST_END.search(text[-_MOST_BEHIND:])
    if not begin or not end:
        return None
    behind = max(0, len(text) - _MOST_BEHIND) + end.end()
    around = bytes(text[: begin.end()]) + _PLACE + bytes(text[behind:])
    registry = _sections_of(around) if around.count(_PLACE) == 1 else None
    for holder in (registry, registry.get("data")) if isinstance(registry, dict) else ():
        if isinstance(holder, dict) and _is_place(holder.get("servers")):
            servers = msgspec.json.decode(text[begin.end() : behind], type=list[msgspec.Raw])
            holder["servers"] = _few(servers)
            return registry
    return None


def _is_place(servers: object) -> bool:
    return isinstance(servers, list) and [bytes(each) for each in servers] == [_PLACE[1:-1]]


def _sections_of(text: Text) -> Any:
    registry = _unpacked(text)
    if not isinstance(registry, dict):
        return registry
    if "data" in registry and isinstance(data := _unpacked(registry["data"]), dict):
        registry["data"] = _with_sections(data)
    return _with_sections(registry)


def _with_sections(holder: dict[str, Any]) -> dict[str, Any]:
    """An object, its sections unpacked and its other members read."""
    return {
        name: _unpacked(value) if name in _SECTIONS else read_closed(value)
        for name, value in holder.items()
    }


def _unpacked(text: Text) -> Any:
    """An array or object with closed values; any other JSON is read."""
    match _start(text):
        case b"[":
            return _few(msgspec.json.decode(text, type=list[msgspec.Raw]))
        case b"{":
            return _few(_members(text))
        case _:
            return _loaded(bytes(text))


def _few(values: _Values) -> _Values:
    if len(values) > _MOST_VALUES:
        raise _too_many()
    return values


def _start(text: Text) -> bytes | None:
    found = _START.match(text)
    return found[1] if found else None


def _members(text: Text) -> dict[str, Any]:
    """The members of an object, each of them there once.

    Raises:
        ValueError: one comes twice.
        MsgspecError: it is not JSON.
    """
    members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    position = 0
    for name, value in members.items():
        begin = _MEMBER.match(text, position)
        if begin is None or json.loads(begin[1]) != name:
            raise ValueError("a member comes twice")
        position = begin.end() + len(memoryview(value))
    if not _END.match(text, position):
        raise ValueError("a member comes twice")
    return members


_PLAIN = msgspec.json.Decoder(float_hook=_no_fraction)
_SORTED = msgspec.json.Encoder(order="sorted")
_PLAIN_LEVELS = 90
_LONG_NUMBER = b"0" * 16
_KINDS = bytes.maketrans(b"123456789[\xf0\xf1\xf2\xf3\xf4~", b"000000000{~~~~~ ")
_PLACE = b'["the list of servers"]'
_SERVERS = re.compile(rb'"servers"\s*:\s*(?=\[)')
_LIST_END = re.compile(rb"\](?=[\s}]*\Z)")
_MOST_BEFORE, _MOST_BEHIND = 16 * 1024, 1024
_SECTIONS = frozenset(("servers", "remote_servers", "skills", "plugins"))
_START = re.compile(rb"\s*([\[{])")
_MEMBER = re.compile(rb'\s*[{,]\s*("(?:[^"\\]|\\.)*")\s*:\s*')
_END = re.compile(rb"\s*\{?\s*\}\s*\Z")


def _loaded(payload: bytes) -> Any:
    text = payload.decode("utf-8-sig", "surrogateescape")
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise SourceContentError(
            "expected a registry, found JSON that is nested too deeply to be one"
        ) from error
    except ValueError as error:
        raise SourceContentError(f"expected JSON, found {_described(payload)}: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        members.update((name, Repeated(name)) for name, count in counts.items() if count > 1)
    return members


def _integer(digits: str) -> int | float:
    """Python refuses to read an integer of thousands of digits; as a float it is infinite."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


_DECODER = json.JSONDecoder(parse_int=_integer, object_pairs_hook=_object)


def _too_many() -> SourceContentError:
    return SourceContentError(
        f"expected a registry, found JSON of more than {_MOST_VALUES} values: split it into"
        " several sources, or check that the address is that of a registry"
    )


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


def label(section: str, index: int) -> str:
    """What to call an entry that does not tell its name."""
    return f"{section}[{index}]"


def is_label(name: str) -> bool:
    """Whether *name* is what `label` made: nobody knows which entry it is."""
    return _LABEL.fullmatch(name) is not None


_LABEL = re.compile(r"\w+\[[0-9]+\]")


def is_unicode(text: str) -> bool:
    """Whether *text* can be written as UTF-8: names that cannot were damaged on their way."""
    return text == text.encode(errors="ignore").decode()
