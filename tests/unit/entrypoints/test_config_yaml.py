"""YAML files as plain values with places."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigError
from entrypoints.config_yaml import Document, Place, Problem, read_yaml


def read(directory: Path, text: str | bytes) -> Document:
    path = directory / "annals.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


def refusal(directory: Path, text: str | bytes) -> tuple[int | None, int | None, str]:
    """The one problem of a file that cannot be read on."""
    with pytest.raises(ConfigError) as caught:
        read(directory, text)
    (problem,) = caught.value.problems
    return problem.line, problem.column, problem.message


def complaints(document: Document) -> list[tuple[int | None, int | None, str, str]]:
    return [(p.line, p.column, p.key, p.message) for p in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x", "x"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("1", 1),
        ("-12", -12),
        ("0x1f", 31),
        ("0o17", 15),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("[1, a]", [1, "a"]),
        ("{b: 1}", {"b": 1}),
        ("!!str 1", "1"),
        ("|\n  one\n  two\n", "one\ntwo\n"),
        ("=", "="),
    ],
)
def test_plain_values(tmp_path: Path, text: str, value: object) -> None:
    """The values of the YAML 1.2 core schema come out as Python's own."""
    document = read(tmp_path, f"a: {text}")
    assert document.data == {"a": value}
    assert type(document.data["a"]) is type(value)
    assert document.problems == []


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "y", "2024-01-31", "12:30:45"])
def test_text_that_yaml_1_1_takes_for_something_else(tmp_path: Path, text: str) -> None:
    """Words, dates and times are text, as YAML 1.2 has it."""
    assert read(tmp_path, f"a: {text}").data == {"a": text}


def test_places_of_keys_and_values(tmp_path: Path) -> None:
    """Lines and columns of keys and values count from 1."""
    document = read(tmp_path, "a:\n  - b: 1\n    cc: two\n")
    assert document.keys["a",] == Place(1, 1)
    assert document.values["a",] == Place(2, 3)
    assert document.keys["a", 0, "cc"] == Place(3, 5)
    assert document.values["a", 0, "cc"] == Place(3, 9)


def test_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark is passed over and shifts no column."""
    document = read(tmp_path, b"\xef\xbb\xbfa: 1")
    assert document.data == {"a": 1}
    assert document.keys["a",] == Place(1, 1)


def test_alias_stands_for_its_anchor(tmp_path: Path) -> None:
    """An alias has the value of its anchor, and the place where that is written."""
    document = read(tmp_path, "a: &x [1]\nb: *x\n")
    assert document.data == {"a": [1], "b": [1]}
    assert document.values["b", 0] == Place(1, 8)


def test_anchor_used_again(tmp_path: Path) -> None:
    """An anchor may be defined anew; aliases take the last one before them."""
    assert read(tmp_path, "a: &x 1\nb: *x\nc: &x 2\nd: *x\n").data == {
        "a": 1,
        "b": 1,
        "c": 2,
        "d": 2,
    }


def test_merge_keys(tmp_path: Path) -> None:
    """A mapping's own keys win over merged ones, and the first merged mapping over the next."""
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  c: 3\n  <<: [*x, *y]\n"
    document = read(tmp_path, text)
    assert document.data["z"] == {"a": 1, "b": 1, "c": 3}
    assert document.values["z", "b"] == Place(1, 17)
    assert document.values["z", "c"] == Place(4, 6)
    assert document.values["z",] == Place(4, 3)


def test_merge_of_one_mapping(tmp_path: Path) -> None:
    """A merge key may be given a mapping without a list around it."""
    assert read(tmp_path, "x: &x {a: 1}\ny: {<<: *x}\n").data["y"] == {"a": 1}


@pytest.mark.parametrize("value", ["1", "[1]", "[[a]]"])
def test_merge_of_something_else(tmp_path: Path, value: str) -> None:
    """Only mappings can be merged."""
    (found,) = complaints(read(tmp_path, f"a:\n  <<: {value}\n"))
    assert found[0] == 2
    assert found[2:] == ("a", "`<<` takes a mapping, or a list of mappings")


def test_all_problems_of_the_walk(tmp_path: Path) -> None:
    """Duplicate keys, tags, keys that are not text and unusable values are told together."""
    text = (
        "a: 1\n"
        "a: 2\n"
        "1: x\n"
        "[b]: x\n"
        "c: !!python/object:os.system x\n"
        "d: !mine {e: 1}\n"
        "f: !!set [1]\n"
        "g: !!int x\n"
        "h: .nan\n"
        "i: 1e999\n"
        'j: "\\ud800"\n'
        "k: {l: 1, l: 2, l: 3}\n"
        "m: !!bool yes\n"
    )
    document = read(tmp_path, text)
    assert complaints(document) == [
        (2, 1, "a", "already given in line 1"),
        (3, 1, "", "this key is not text: expected a name"),
        (4, 1, "", "this key is not text: expected a name"),
        (5, 4, "c", "the tag !!python/object:os.system is not accepted: leave it out"),
        (6, 4, "d", "the tag !mine is not accepted: leave it out"),
        (7, 4, "f", "the tag !!set is not accepted: leave it out"),
        (8, 4, "g", "not a usable int: put it in quotes if it is text"),
        (9, 4, "h", "not a usable float: put it in quotes if it is text"),
        (10, 4, "i", "not a usable float: put it in quotes if it is text"),
        (11, 4, "j", "an escape in this text is no Unicode character"),
        (12, 11, "k.l", "already given in line 12"),
        (12, 17, "k.l", "already given in line 12"),
        (13, 4, "m", "not a usable bool: put it in quotes if it is text"),
    ]
    assert document.data["a"] == 1
    assert document.data["d"] == {"e": 1}


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "empty: expected the keys of a configuration"),
        ("# only this\n", 1, 1, "empty: expected the keys of a configuration"),
        ("- a\n", 1, 1, "expected keys with their values, as in `sources: []`"),
        ("\n  text\n", 2, 3, "expected keys with their values, as in `sources: []`"),
        ("~", 1, 1, "expected keys with their values, as in `sources: []`"),
        ("a:\n\tb: 1\n", 2, 1, "not YAML: found a tab: indent with spaces"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second YAML document starts here: expected one in a file"),
        ("a: [1\n", 2, 1, "not YAML: expected ',' or ']'"),
        ("a: b: c\n", 1, 5, "not YAML: mapping values are not allowed here"),
        ("a: *x\n", 1, 4, "not YAML: found undefined alias 'x'"),
        ("a: 1\nb: \x01\n", 2, 4, "not YAML: unacceptable character #x0001"),
        ("%YAML 9.1\n---\na: 1\n", 1, 1, "not YAML: found incompatible YAML document"),
        ('a: "\\U00110000"\n', 1, 1, "not YAML: chr() arg not in range"),
        (b"a: 1\nbc: \xff\n", 2, 5, "not UTF-8 from here on: save the file as UTF-8"),
        (b"\xef\xbb\xbf\xff", 1, 2, "not UTF-8 from here on: save the file as UTF-8"),
    ],
)
def test_files_that_are_no_yaml(
    tmp_path: Path, text: str | bytes, line: int, column: int, message: str
) -> None:
    """What cannot be parsed is one problem at the place where reading ended."""
    found = refusal(tmp_path, text)
    assert found[:2] == (line, column)
    assert found[2].startswith(message)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: " + "[" * 60 + "]" * 60, (1, 53)),
        ("[" * 100_000, (1, 51)),
        ("a: &x [*x]", (1, 4)),
        ("a: &x {b: *x}", (1, 4)),
        ("a: &x {<<: *x}", (1, 4)),
    ],
)
def test_nesting_is_bounded(tmp_path: Path, text: str, place: tuple[int, int]) -> None:
    """Deep nesting, and an anchor inside itself, end with the place that is too deep."""
    assert refusal(tmp_path, text) == (*place, "nested too deeply: expected at most 50 levels")


@pytest.mark.parametrize("step", ["[*a{0}, *a{0}, *a{0}]", "{{<<: [*a{0}, *a{0}, *a{0}]}}"])
def test_aliases_are_bounded(tmp_path: Path, step: str) -> None:
    """A few lines whose aliases multiply into millions of values are refused."""
    first = "a0: &a0 {k: v}\n"
    bomb = first + "".join(f"a{n}: &a{n} {step.format(n - 1)}\n" for n in range(1, 30))
    line, column, message = refusal(tmp_path, bomb)
    assert line is not None
    assert column is not None
    assert message == "more than 50000 values with all aliases written out"


def test_large_file(tmp_path: Path) -> None:
    """A file of more than one MiB is refused before it is parsed."""
    found = refusal(tmp_path, "a: " + "x" * 2**20)
    assert found == (None, None, "larger than 1 MiB: expected a configuration file")


def test_missing_file(tmp_path: Path) -> None:
    """A file that does not exist is a problem with its path, not with a line."""
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / "none.yaml")
    assert str(caught.value) == (
        f"{tmp_path}/none.yaml: (top level): cannot be read: No such file or directory: "
        "check the path and its permissions"
    )


@pytest.mark.parametrize("name", [".", "a\0b"])
def test_unreadable_path(tmp_path: Path, name: str) -> None:
    """A directory, or a path that no system takes, is told in the same way."""
    with pytest.raises(ConfigError, match=r"cannot be read: .*: check the path"):
        read_yaml(tmp_path / name)


def test_problems_come_in_order_and_once() -> None:
    """An error has its problems in the order of the file, and one for each key and place."""
    document = Document(
        file="f",
        keys={("b",): Place(2, 1)},
        values={(): Place(1, 1), ("b",): Place(2, 4)},
        problems=[],
    )
    error = document.error(
        [
            Problem(("b",), "value"),
            Problem(("b",), "key", at_key=True),
            Problem(("b", "c", 0), "inside"),
            Problem(("x",), "missing"),
            Problem(("b",), "again"),
        ]
    )
    assert [str(problem) for problem in error.problems] == [
        "f:1:1: x: missing",
        "f:2:1: b: key",
        "f:2:4: b: value",
        "f:2:4: b.c[0]: inside",
    ]


def test_nothing_unprintable_reaches_a_terminal(tmp_path: Path) -> None:
    """Control characters of a file are escaped in what is told about it."""
    (found,) = read(tmp_path, '"\\e[2J": {"a\\ud800": !mine 1}').problems
    assert str(found).isprintable()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=10,
)


@given(value=VALUES)
def test_json_is_read_as_itself(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    """Any JSON value is read as a JSON parser reads it, with a place for every part."""
    document = read(tmp_path_factory.getbasetemp(), json.dumps({"a": value}))
    assert document.data == {"a": value}
    assert document.problems == []
    assert set(document.keys) <= set(document.values)
