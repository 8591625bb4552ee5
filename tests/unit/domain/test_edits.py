"""Differences: what makes one document into another, value by value."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.canonical_json import canonical_json
from domain.change import Change, ChangeClass, Difference, classify_change, differences
from domain.entry import PUBLISHER_META, TOOLHIVE_META
from tests.harness.applied_differences import applied
from tests.harness.strategies import json_objects, json_values

EXTENSIONS = f"/_meta/{PUBLISHER_META.replace('/', '~1')}/{TOOLHIVE_META}"

_items = st.fixed_dictionaries(
    {"name": st.sampled_from("abcde")}, optional={"value": json_values, "inner": json_objects}
)
_arrays = st.one_of(
    st.lists(st.one_of(_items, json_objects), max_size=6),
    st.lists(st.sampled_from(["a", "b", "c", 1, True, 1.5, None]), max_size=6),
    st.lists(st.lists(_items, max_size=3), max_size=3),
)
_extensions = st.dictionaries(st.sampled_from("xyz"), json_objects, max_size=2)
documents = st.builds(
    lambda members, extensions: {
        **members,
        **({"_meta": {PUBLISHER_META: {TOOLHIVE_META: extensions}}} if extensions else {}),
    },
    st.dictionaries(st.sampled_from("pqr"), st.one_of(_arrays, json_values, json_objects)),
    _extensions,
)


def _told(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each.operation, each.path) for each in differences(old, new)]


@given(documents, documents)
@example({"p": {"q": 1}}, {"p": {}})
@example({"p": {}}, {"p": {"q": 1}})
@example({"p": [{"q": 1}]}, {"p": [{}]})
@example({"p": 1}, {"p": {"q": {}}})
@example({"p": ["a", "b", "c"]}, {"p": ["x", "y", "b", "z", "c"]})
def test_the_differences_make_the_old_document_into_the_new_one(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    """Applied to the old document, the differences give the new one, to the byte."""
    assert canonical_json(applied(old, differences(old, new))) == canonical_json(new)


@given(documents, documents)
def test_a_change_is_a_view_of_the_differences(old: dict[str, Any], new: dict[str, Any]) -> None:
    """What is recorded of a revision are the paths and the classes of its differences."""
    told = differences(old, new)
    change = classify_change(old, new)
    paths = sorted({each.path for each in told})
    assert change.paths == tuple(paths[:100])
    assert change.more_paths == len(paths) - len(change.paths)
    assert change.classes == tuple(sorted({each.change_class for each in told}))


@given(documents, documents)
def test_the_differences_are_told_by_path(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Two readers get the same differences in the same order."""
    told = _told(old, new)
    assert told == sorted(told, key=lambda each: (each[1], each[0]))
    assert len(set(told)) == len(told)


@given(documents, documents)
def test_the_way_back_has_the_same_classes(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Undoing a revision means what the revision meant."""
    assert classify_change(old, new).classes == classify_change(new, old).classes


def test_a_difference_has_the_values() -> None:
    """Each difference says what was and what is."""
    old = {"title": "Fetch", "status": "active", "name": "a"}
    new = {"title": "Get", "description": None, "name": "a"}
    assert differences(old, new) == (
        Difference(
            path="/description", operation="add", change_class=ChangeClass.DOCUMENTATION, new=None
        ),
        Difference(
            path="/status", operation="remove", change_class=ChangeClass.LIFECYCLE, old="active"
        ),
        Difference(
            path="/title",
            operation="replace",
            change_class=ChangeClass.DOCUMENTATION,
            old="Fetch",
            new="Get",
        ),
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (["a", "c"], ["a", "b", "c"], [("add", "/x/1")]),
        (["a", "b", "c"], ["a", "c"], [("remove", "/x/1")]),
        (["a", "b", "c"], ["a", "x", "c"], [("replace", "/x/1")]),
        (["a", "b"], ["b", "c"], [("remove", "/x/0"), ("add", "/x/1")]),
        (["a", "a"], ["a", "a", "a"], [("add", "/x/2")]),
        (["a", "b"], ["b", "a"], [("replace", "/x")]),
        ([], ["a"], [("add", "/x/0")]),
        ([1], [True], [("replace", "/x/0")]),
        (["a"], "a", [("replace", "/x")]),
        ([["a"], ["b"]], [["b"]], [("remove", "/x/0")]),
    ],
)
def test_items_are_known_by_what_they_are(old: Any, new: Any, told: list[tuple[str, str]]) -> None:
    """Items that both arrays have are no difference, unless they stand in another order."""
    assert _told({"x": old}, {"x": new}) == told


@pytest.mark.parametrize(
    ("array", "member"),
    [
        ("packages", "identifier"),
        ("remotes", "url"),
        ("icons", "src"),
        ("tool_definitions", "name"),
    ],
)
def test_objects_are_known_by_their_names(array: str, member: str) -> None:
    """An object that comes before another leaves that one what it was, changed or not."""
    old = {array: [{member: "b", "note": 1}, {member: "c"}]}
    new = {array: [{member: "a"}, {member: "b", "note": 2}, {member: "c"}]}
    assert _told(old, new) == [("add", f"/{array}/0"), ("replace", f"/{array}/1/note")]


def test_an_object_that_comes_or_goes_is_told_by_its_values() -> None:
    """Each value of it has a path and a class of its own."""
    document = {"repository": {"url": "u", "more": {"id": 1, "none": {}}}}
    paths = ["/repository/more/id", "/repository/more/none", "/repository/url"]
    assert _told({}, document) == [("add", path) for path in paths]
    assert _told(document, {}) == [("remove", path) for path in paths]


def test_what_toolhive_says_moves_with_the_image() -> None:
    """Its extensions go by image: under another one they are the same, moved, and what differs
    in them is told where they are now."""
    old = {"_meta": {PUBLISHER_META: {TOOLHIVE_META: {"a:1": {"tier": "Official", "tools": []}}}}}
    new = {
        "_meta": {PUBLISHER_META: {TOOLHIVE_META: {"a:2": {"tier": "Official", "tools": ["x"]}}}}
    }
    move, add = differences(old, new)
    assert (move.operation, move.path, move.origin) == (
        "move",
        f"{EXTENSIONS}/a:2",
        f"{EXTENSIONS}/a:1",
    )
    assert move.change_class is ChangeClass.EXECUTION
    assert (add.operation, add.path, add.new) == ("add", f"{EXTENSIONS}/a:2/tools/0", "x")


def test_the_version_is_no_difference() -> None:
    """Two versions are compared by what they are: the version itself is part of the key."""
    old = {"version": "1.0.0", "remotes": [{"url": "u"}], "other": {"version": "1"}}
    assert differences(old, {**old, "version": "1.0.1"}) == ()
    assert classify_change(old, {**old, "version": "2"}) == Change(paths=(), classes=())
    assert _told(old, {**old, "other": {"version": "2"}}) == [("replace", "/other/version")]
