"""Checks of JSON values: how paths are written, and how checks are put together."""

from collections.abc import Iterator
from typing import Any

import pytest

from domain.json_checks import (
    Check,
    Issue,
    Place,
    Severity,
    array_of,
    expect,
    length,
    map_of,
    object_of,
    one_of,
    shown,
    string,
    typed,
)


def found(check: Check, value: Any) -> list[tuple[str, str]]:
    return [(issue.path, issue.reference) for issue in check(value, Place())]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("$schema", "$schema"),
        ("API_KEY-2", "API_KEY-2"),
        ("a.b", '["a.b"]'),
        ("", '[""]'),
        ('say "hi"', '["say \\"hi\\""]'),
        ("\ud800", '["\\ud800"]'),
        ("n" * 81, '["' + "n" * 80 + '..."]'),
    ],
    ids=ascii,
)
def test_a_path_can_be_read_and_sent_whatever_members_are_called(name: str, path: str) -> None:
    """Plain names stand after a dot, others short and quoted in brackets."""
    assert Place().member(name, {}).path == path
    beneath = f".{path}" if not path.startswith("[") else path
    assert Place("list").item(2).member(name, {}).path == "list[2]" + beneath


def test_a_place_knows_the_objects_around_it() -> None:
    """The nearest comes first; arrays do not count."""
    outer: dict[str, Any] = {"inner": [{"leaf": 1}]}
    inner = outer["inner"][0]
    leaf = Place().member("inner", outer).item(0).member("leaf", inner)
    assert leaf.path == "inner[0].leaf"
    assert leaf.owners == (inner, outer)


@pytest.mark.parametrize(
    ("reference", "kind"),
    [("json-x", "json"), ("schema-x", "schema"), ("invalid-x", "semantic"), ("jsonx", "semantic")],
)
def test_the_type_of_an_issue_follows_from_its_reference(reference: str, kind: str) -> None:
    """Codes of the JSON schema and of JSON itself have a prefix of their own."""
    issue = Place("here").issue(reference, "expected more", Severity.WARNING)
    assert (issue.type, issue.path, issue.message) == (kind, "here", "expected more")
    assert issue.severity == "warning"
    assert Place().issue(reference, "").severity is Severity.ERROR


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *[({}, "an object"), ([], "an array"), ("", "a string"), (None, "null")],
        *[(True, "a boolean"), (1, "a number"), (1.5, "a number"), ((), "()")],
    ],
)
def test_a_wrong_type_is_named_as_json_names_it(value: object, name: str) -> None:
    """The message says what was expected and what was found."""
    for expected, check in {"a string": string(), "a boolean": typed(bool)}.items():
        messages = [issue.message for issue in check(value, Place())]
        assert messages == ([] if name == expected else [f"expected {expected}, found {name}"])


def test_further_checks_see_only_values_of_the_right_type() -> None:
    """A wrong type is one issue: there is nothing else to say about the value."""
    check = string(length(2, 3), one_of("ab", "abc"))
    assert found(check, ["ab"]) == [("", "schema-type")]
    assert found(check, "ab") == []
    assert found(check, "a") == [("", "schema-min-length"), ("", "schema-enum")]
    assert found(check, "abcd") == [("", "schema-max-length"), ("", "schema-enum")]


def test_an_object_tells_what_is_missing_then_the_whole_then_its_members() -> None:
    """Members come in the order that they have in the document; unknown ones are free."""

    def whole(value: Any, place: Place) -> Iterator[Issue]:
        yield place.issue("whole", f"{len(value)} members")

    check = object_of({"a": string(), "b": string()}, whole, required=("c", "a"))
    assert found(check, {"b": 1, "z": object(), "a": 2}) == [
        ("c", "schema-required"),
        ("", "whole"),
        ("b", "schema-type"),
        ("a", "schema-type"),
    ]


def test_maps_and_arrays_check_everything_inside() -> None:
    """Every item has its index, every member its name."""
    check = map_of(array_of(string()))
    assert found(check, {"x": ["a", 1, None], "y z": {}}) == [
        ("x[1]", "schema-type"),
        ("x[2]", "schema-type"),
        ('["y z"]', "schema-type"),
    ]
    assert found(check, []) == [("", "schema-type")]


def test_a_message_shows_a_short_and_printable_part_of_the_value() -> None:
    """Neither control characters nor megabytes of a hostile document reach an answer."""
    assert shown("a\x00\ud800") == r"'a\x00\ud800'"
    assert shown("a" * 1000) == repr("a" * 80 + "...")
    (issue,) = expect("odd", "an even length", lambda text: len(text) % 2 == 0)("abc", Place())
    assert issue.message == "expected an even length, found 'abc'"
