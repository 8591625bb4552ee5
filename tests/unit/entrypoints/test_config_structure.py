"""Plain values become attrs classes strictly, and every problem has its key path."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NewType

import attrs
import pytest
from cattrs.errors import BaseValidationError

from domain.errors import InvalidNameError
from entrypoints.config_structure import key_paths, keys_of, problems_of, strict_converter
from entrypoints.config_yaml import KeyPath

Label = NewType("Label", str)
BASE = Path("/base")


def label(text: str) -> Label:
    if not text.islower():
        raise InvalidNameError(f"{text!r} is not lower case")
    return Label(text)


def is_even(_instance: object, _field: object, value: int) -> None:
    if value % 2:
        raise ValueError("expected an even number")


def has_short_names(_instance: object, _field: object, value: Mapping[str, str]) -> None:
    for name in value:
        if len(name) > 3:
            raise ValueError(f"expected a name shorter than {name}")


@attrs.frozen(kw_only=True)
class Wheel:
    label: Label
    spokes: int = attrs.field(default=36, validator=is_even)


@attrs.frozen(kw_only=True)
class Cover:
    length: int | None = attrs.field(default=None)


@attrs.frozen(kw_only=True)
class Cart:
    owner: str
    wheels: tuple[Wheel, ...] = ()
    tags: tuple[str, ...] = ()
    marks: Mapping[str, str] = attrs.field(default=MappingProxyType({}), validator=has_short_names)
    load: float = 0.0
    is_red: bool = False
    kind: Literal["hand", "horse"] = "hand"
    note: str | None = None
    spare: Wheel = Wheel(label=Label("spare"))
    rest_seconds: float = 60.0
    pause_seconds: float | None = None
    max_load_mib: int = 1
    token_file: str | None = attrs.field(default=None, metadata={"path": True})
    map_path: str = attrs.field(default="m", metadata={"path": True})
    origin: str = attrs.field(default="here", metadata={"path": "or URL"})
    cover: Cover | None = attrs.field(default=None, metadata={"word": "all"})

    def __attrs_post_init__(self) -> None:
        if self.is_red and self.kind == "horse":
            raise ValueError("a horse cart is never red")


HOOKS = {Label: label}


def cart(value: Any, **changes: Any) -> Cart:
    return strict_converter(BASE, HOOKS).structure({"owner": "o", **value, **changes}, Cart)


def problems(value: Any) -> dict[KeyPath, str]:
    with pytest.raises(BaseValidationError) as caught:
        strict_converter(BASE, HOOKS).structure(value, Cart)
    return {problem.path: problem.message for problem in problems_of(caught.value)}


def test_defaults() -> None:
    """What is left out has its default."""
    assert cart({}) == Cart(owner="o")


def test_every_type() -> None:
    """Values of the right types arrive, under camelCase keys."""
    value = {
        "wheels": [{"label": "a", "spokes": 2}],
        "tags": ["x", "y"],
        "marks": {"a": "1", "b-C": "2"},
        "load": 1.5,
        "isRed": True,
        "kind": "hand",
        "note": "n",
        "spare": {"label": "b"},
        "rest": "1m30s",
        "pause": "1s",
        "maxLoadMiB": 7,
    }
    assert cart(value) == Cart(
        owner="o",
        wheels=(Wheel(label=Label("a"), spokes=2),),
        tags=("x", "y"),
        marks={"a": "1", "b-C": "2"},
        load=1.5,
        is_red=True,
        kind="hand",
        note="n",
        spare=Wheel(label=Label("b")),
        rest_seconds=90.0,
        pause_seconds=1.0,
        max_load_mib=7,
    )


def test_null_leaves_an_optional_value_out() -> None:
    """Null stands for nothing where nothing is a value."""
    assert cart({"note": None, "pause": None, "tokenFile": None}) == Cart(owner="o")


def test_whole_number_is_a_number() -> None:
    """A whole number is accepted where any number is, and becomes a float."""
    assert type(cart({"load": 3}).load) is float


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("owner", 1, "expected text, got a whole number: put it in quotes"),
        ("owner", 1.5, "expected text, got a number: put it in quotes"),
        ("owner", True, "expected text, got true or false: put it in quotes"),
        ("owner", None, "expected text, got nothing"),
        ("owner", ["o"], "expected text, got a list"),
        ("owner", {}, "expected text, got a mapping"),
        ("isRed", "true", "expected true or false, got text"),
        ("isRed", 1, "expected true or false, got a whole number"),
        ("load", "1", "expected a number, got text"),
        ("load", True, "expected a number, got true or false"),
        ("maxLoadMiB", 1.0, "expected a whole number, got a number"),
        ("maxLoadMiB", True, "expected a whole number, got true or false"),
        ("maxLoadMiB", None, "expected a whole number, got nothing"),
        ("tags", "abc", "expected a list, got text"),
        ("tags", {"a": 1}, "expected a list, got a mapping"),
        ("tags", None, "expected a list, got nothing"),
        ("marks", "abc", "expected a mapping, got text"),
        ("marks", ["a"], "expected a mapping, got a list"),
        ("marks", None, "expected a mapping, got nothing"),
        ("spare", None, "expected a mapping, got nothing"),
        ("spare", ["a"], "expected a mapping, got a list"),
        ("kind", "dog", "expected hand or horse"),
        ("kind", ["hand"], "expected hand or horse"),
        ("kind", None, "expected hand or horse"),
        ("rest", 30, "expected a duration such as 30s or 1h30m, got a whole number"),
        ("rest", None, "expected a duration such as 30s or 1h30m, got nothing"),
        ("rest", "30", "'30' is no duration: write it as in 30s, 5m or 1h30m"),
        ("tokenFile", 1, "expected text, got a whole number: put it in quotes"),
        ("mapPath", "", "expected a path"),
        ("mapPath", "a\0b", "expected a path"),
        ("mapPath", None, "expected text, got nothing"),
    ],
)
def test_nothing_is_converted(key: str, value: object, message: str) -> None:
    """A value of another type or form is a problem at its key."""
    assert problems({"owner": "o", key: value}) == {(key,): message}


def test_problems_inside() -> None:
    """Problems in lists and mappings have the whole path, and come all at once."""
    value = {
        "wheels": [{"label": "A"}, {"label": "b", "spokes": 3}, "c", {"spokes": "x"}],
        "tags": ["a", 2],
        "spare": {"label": 1},
    }
    assert problems(value) == {
        ("owner",): "missing: expected text",
        ("wheels", 0, "label"): "'A' is not lower case",
        ("wheels", 1, "spokes"): "expected an even number",
        ("wheels", 2): "expected a mapping, got text",
        ("wheels", 3, "label"): "missing: expected text",
        ("wheels", 3, "spokes"): "expected a whole number, got text",
        ("tags", 1): "expected text, got a whole number: put it in quotes",
        ("spare", "label"): "expected text, got a whole number: put it in quotes",
    }


def test_problems_in_a_mapping() -> None:
    """A value of another type has the path of its name; values are not repeated."""
    value = {"owner": "o", "marks": {"a": 31337, "b": ["hunter2"], "c": None, "d": "e"}}
    assert problems(value) == {
        ("marks", "a"): "expected text, got a whole number: put it in quotes",
        ("marks", "b"): "expected text, got a list",
        ("marks", "c"): "expected text, got nothing",
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [("all", Cover()), ({"length": 3}, Cover(length=3)), (None, None)],
)
def test_a_word_or_a_mapping(value: Any, expected: Cover | None) -> None:
    """A word stands for a mapping without keys, where a field has one."""
    assert cart({"cover": value}).cover == expected


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ("half", ("cover",), "expected `all` or a mapping"),
        (True, ("cover",), "expected `all` or a mapping"),
        ({"length": "x"}, ("cover", "length"), "expected a whole number, got text"),
        ({"lenght": 1}, ("cover", "lenght"), "unknown key: did you mean `length`?"),
    ],
)
def test_neither_the_word_nor_a_mapping(value: Any, path: KeyPath, message: str) -> None:
    """Both are named; what is wrong in a mapping is told of its key."""
    assert problems({"owner": "o", "cover": value}) == {path: message}


def test_a_mapping_as_a_whole() -> None:
    """What a validator refuses of a mapping is a problem of the mapping's key."""
    message = "expected a name shorter than long"
    assert problems({"owner": "o", "marks": {"long": "hunter2"}}) == {("marks",): message}


def test_a_class_as_a_whole() -> None:
    """What a class refuses as a whole is a problem of its mapping."""
    value = {"owner": "o", "isRed": True, "kind": "horse"}
    assert problems(value) == {(): "a horse cart is never red"}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("wheel", "unknown key: did you mean `wheels`?"),
        ("token_file", "unknown key: did you mean `tokenFile`?"),
        ("maxLoadMib", "unknown key: did you mean `maxLoadMiB`?"),
        ("OWNERS", "unknown key: did you mean `owner`?"),
    ],
)
def test_unknown_key(key: str, message: str) -> None:
    """An unknown key is a problem that names the nearest known one."""
    assert problems({"owner": "o", key: 1}) == {(key,): message}


def test_unknown_key_near_nothing() -> None:
    """An unknown key that resembles none is answered with all of them."""
    assert problems({"owner": "o", "spare": {"label": "a", "qqq": 1}}) == {
        ("spare", "qqq"): "unknown key: expected one of `label`, `spokes`"
    }


@pytest.mark.parametrize(
    "key", ["token", "Token", "password", "secret", "sshKey", "ssh_key", "private-key", "apiKey"]
)
def test_inline_secret(key: str) -> None:
    """A secret in the file is refused with the key that takes a file, and not repeated."""
    assert problems({"owner": "o", key: "hunter2"}) == {
        (key,): "unknown key: a secret never stands in a configuration: put it in a file and "
        "give its path as `tokenFile`"
    }


def test_inline_secret_where_none_is_used() -> None:
    """A secret where no key takes a file is refused as well."""
    message = problems({"owner": "o", "spare": {"label": "a", "token": "x"}})["spare", "token"]
    assert message.endswith("put it in a file")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.json", "/base/a.json"),
        ("./a.json", "/base/a.json"),
        ("../a.json", "/base/../a.json"),
        ("a:b.json", "/base/a:b.json"),
        ("/a.json", "/a.json"),
        ("~", "/home/ann"),
        ("~/a.json", "/home/ann/a.json"),
    ],
)
def test_paths(monkeypatch: pytest.MonkeyPatch, text: str, path: str) -> None:
    """Relative paths are taken from the directory, and `~` is the home directory."""
    monkeypatch.setenv("HOME", "/home/ann")
    assert cart({"mapPath": text}).map_path == path
    assert cart({"tokenFile": text}).token_file == path


def test_unknown_home() -> None:
    """The home directory of an unknown user is a problem of its key."""
    found = problems({"owner": "o", "mapPath": "~no-such-user/a"})
    assert found == {("mapPath",): "Could not determine home directory."}


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://example.com/a.git", "https://example.com/a.git"),
        ("file:///a", "file:///a"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
        ("a.git", "/base/a.git"),
        ("../a.git", "/base/../a.git"),
        ("./a:b", "/base/a:b"),
    ],
)
def test_paths_or_urls(text: str, origin: str) -> None:
    """Where a URL may stand, what looks like one stays as it is."""
    assert cart({"origin": text}).origin == origin


def test_keys() -> None:
    """The keys of a class are known, and those of all classes below it with their paths."""
    assert keys_of(Wheel) == ("label", "spokes")
    assert tuple(key_paths(Cart, HOOKS)) == (
        "owner",
        "wheels",
        "wheels[].label",
        "wheels[].spokes",
        "tags",
        "marks",
        "load",
        "isRed",
        "kind",
        "note",
        "spare",
        "spare.label",
        "spare.spokes",
        "rest",
        "pause",
        "maxLoadMiB",
        "tokenFile",
        "mapPath",
        "origin",
        "cover",
        "cover.length",
    )
