"""Entries that msgspec reads and writes, where that is what Python reads and RFC 8785 asks for."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.sources.formats.payload import canonical, open_json, read_entry, read_json
from domain.canonical_json import canonical_json
from domain.errors import SourceContentError
from tests.harness.strategies import json_values

NUMBERS = (
    *("0", "-0", "-1", "1.0", "1e3", "1E400", "-0.0", "123456789012345", "1234567890123456"),
    *("9007199254740993", "18446744073709551616", "1" * 500, "NaN", "-Infinity", "0.1"),
)
TEXTS = (
    *("", "\x7f", "a\\b", 'a"b', "\b\f\n\r\t\x1f", "\u2028", "/", "é", "日本", "\ufb33", "😀"),
    *("\U0010fffd", "~", "0000000000000000", "[[[", "\\u0041"),
)
PIECES = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from([json.dumps(text, ensure_ascii=False) for text in TEXTS]),
    st.sampled_from([json.dumps(text) for text in TEXTS]),
    st.builds(json.dumps, json_values),
)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """An object whose members may come twice, with white space here and there."""
    names = st.sampled_from([json.dumps(text, ensure_ascii=False) for text in TEXTS])
    space = st.sampled_from(["", " ", "\n  "])
    members = draw(st.lists(st.tuples(names, PIECES), max_size=4))
    written = (f"{draw(space)}{name}{draw(space)}:{draw(space)}{value}" for name, value in members)
    return ("{" + ",".join(written) + draw(space) + "}").encode()


@given(text=texts())
@example(text=b'{"a":1,"a":1}')
@example(text=b'{"a":{"b":"\\u0022","b":"x"}}')
@example(text='{"😀":1,"\ufb33":2}'.encode())
@example(text=b'{"a":' + b"[" * 99 + b"]" * 99 + b"}")
@example(text=b'{"a":"\xff"}')
def test_an_entry_is_what_python_reads(text: bytes) -> None:
    """And its canonical form, where it is at hand, is that of the domain."""
    value, body = read_entry(msgspec.Raw(text))

    assert repr(value) == repr(read_json(b"[" + text + b"]")[0])
    if body is not None:
        assert body == canonical_json(value) == canonical(value)


def test_a_common_entry_has_its_canonical_form_at_hand() -> None:
    """White space, escapes and words of all planes but the last are common."""
    text = json.dumps({"b": [1, True, None, 'ключ \n"'], "a": {}}, ensure_ascii=False, indent=2)

    assert read_entry(msgspec.Raw(text.encode()))[1] == canonical_json(json.loads(text))


AROUND: list[Any] = [
    {"servers": [{}]},
    {"meta": {"servers": [1]}, "data": {"servers": [{"a": "]}}"}, 2]}},
    {"data": {"groups": [], "servers": []}},
    {"servers": ["the list of servers"], "x": {"servers": [1]}},
    {"servers": {"a": {}}, "x": []},
    {'"servers': [1], "data": {"servers": [2]}},
    {"data": {"servers": [[1]], "skills": [3]}},
    {"servers": [1], "data": {"x": {"servers": [1]}}},
]


@pytest.mark.parametrize("registry", AROUND)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_registry_is_opened_as_it_is_read(registry: Any, indent: int | None) -> None:
    """Wherever a list of servers stands in it, and whatever else looks like one."""
    text = json.dumps(registry, indent=indent).encode()

    assert unclosed(open_json(text)) == registry
    for spoilt in (text[:-1], text + b"]", text.replace(b"]", b"", 1), text.replace(b"[", b"{[")):
        if spoilt != text:
            with pytest.raises(SourceContentError):
                open_json(spoilt)


def unclosed(value: Any) -> Any:
    """What was opened, with every slice read."""
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value))
    if isinstance(value, dict):
        return {name: unclosed(member) for name, member in value.items()}
    return [unclosed(item) for item in value] if isinstance(value, list) else value
