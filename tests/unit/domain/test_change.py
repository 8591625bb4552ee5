"""Changes: which members differ, and what that means to those who run the server."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.canonical_json import canonical_json
from domain.change import Change, ChangeClass, classify_change, reuses_version
from domain.entry import PUBLISHER_META, TOOLHIVE_META
from tests.harness.strategies import json_objects, json_values

IMAGE = "ghcr.io/a/fetch:1.0.0"
NO_CHANGE = Change(paths=(), classes=())
EXTENSION = ["_meta", PUBLISHER_META, TOOLHIVE_META, IMAGE]
EXTENSION_POINTER = (
    "/_meta/io.modelcontextprotocol.registry~1publisher-provided"
    "/io.github.stacklok/ghcr.io~1a~1fetch:1.0.0"
)

CLASSES: dict[ChangeClass, list[list[str | int]]] = {
    ChangeClass.EXECUTION: [
        ["packages", 0, "identifier"],
        ["packages", 0, "runtimeArguments", 0, "value"],
        ["packages", 0, "transport", "type"],
        ["remotes", 0, "url"],
        [*EXTENSION, "args", 0, "x"],
        [*EXTENSION, "stateless"],
        [*EXTENSION, "image"],
        [*EXTENSION, "transport"],
        [*EXTENSION, "metadata", "kubernetes", "image"],
        ["packages", 0, "registryBaseUrl"],
        ["packages", 0, "fileSha256"],
        ["packages", 0, "version"],
        ["packages", 0, "runtimeHint"],
        ["packages", 0, "packageArguments", 0, "isRequired"],
        ["packages", 0, "digest"],
        ["packages", 0, "commit"],
        ["remotes", 0, "type"],
        [*EXTENSION, "oauth_config", "issuer"],
        [*EXTENSION, "permissions", "network", "outbound", "allow_host"],
        [*EXTENSION, "proxy_port"],
        [*EXTENSION, "target_port"],
        [*EXTENSION, "volumes"],
    ],
    ChangeClass.INPUTS: [
        ["packages", 0, "environmentVariables", 0, "default"],
        ["packages", 0, "packageArguments", 0, "variables", "port", "isRequired"],
        ["packages", 0, "transport", "headers", 0, "value"],
        ["remotes", 0, "headers", 0, "isSecret"],
        ["remotes", 0, "variables", "tenant", "default"],
        [*EXTENSION, "env_vars", 0, "required"],
        [*EXTENSION, "headers", 0, "name"],
    ],
    ChangeClass.CAPABILITY: [
        ["allowedTools"],
        [*EXTENSION, "tools"],
        [*EXTENSION, "tool_definitions", 0, "inputSchema", "type"],
    ],
    ChangeClass.IDENTITY: [
        ["name"],
        ["namespace"],
        ["repository", "url"],
        ["provenance", "signer"],
        [*EXTENSION, "provenance", "repository_uri"],
        [*EXTENSION, "tier"],
        [*EXTENSION, "repository_url"],
        ["repository", "subfolder"],
        ["provenance", "attestation", "predicate_type"],
    ],
    ChangeClass.LIFECYCLE: [["status"], [*EXTENSION, "status"]],
    ChangeClass.DOCUMENTATION: [
        ["description"],
        ["title"],
        ["websiteUrl"],
        ["icons", 0, "src"],
        ["something", "new"],
        ["_meta", "com.example/other", "stars"],
        ["_meta", PUBLISHER_META, "github", "readme"],
        ["$schema"],
        ["license"],
        ["compatibility"],
        ["metadata", "author"],
        [*EXTENSION, "overview"],
        [*EXTENSION, "docker_tags"],
        [*EXTENSION, "tags"],
        [*EXTENSION, "custom_metadata", "author"],
        [*EXTENSION, "metadata", "kubernetes", "kind"],
    ],
    ChangeClass.POPULARITY: [
        ["_meta", PUBLISHER_META, "github", "stargazerCount"],
        ["_meta", PUBLISHER_META, "github", "pushedAt"],
        [*EXTENSION, "metadata", "stars"],
        [*EXTENSION, "metadata", "pulls"],
        [*EXTENSION, "metadata", "last_updated"],
    ],
}
MEMBERS = [(path, meaning) for meaning, paths in CLASSES.items() for path in paths]


def _document(path: Sequence[str | int], value: Any) -> Any:
    """A document with one value, at the end of that path."""
    if not path:
        return value
    inner = _document(path[1:], value)
    return [inner] if path[0] == 0 else {path[0]: inner}


def _pointer(path: Sequence[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _find(document: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        member = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and member in document:
            document = document[member]
        elif isinstance(document, list) and member in map(str, range(len(document))):
            document = document[int(member)]
        else:
            return ...
    return document


def _toolhive(image: str, **extension: Any) -> dict[str, Any]:
    return {
        "packages": [{"identifier": image}],
        "_meta": {PUBLISHER_META: {TOOLHIVE_META: {image: extension}}},
    }


@st.composite
def revisions(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two documents that have something in common, or all."""
    common, old, new = draw(st.tuples(json_objects, json_objects, json_objects))
    if draw(st.booleans()):
        return {**old, **common}, {**common, **new}
    return {"inner": {**common, **old}}, {"inner": {**old, **common}}


@pytest.mark.parametrize(("path", "meaning"), MEMBERS)
def test_each_member_has_its_class(path: Sequence[str | int], meaning: ChangeClass) -> None:
    """A change of one member is told as one path with the class of that member."""
    change = classify_change(_document(path, "old"), _document(path, "new"))
    assert change == Change(paths=(_pointer(path),), classes=(meaning,))


@pytest.mark.parametrize(
    ("path", "meaning"), [(path, meaning) for path, meaning in MEMBERS if 0 not in path]
)
def test_a_member_that_comes_or_goes_has_its_class_too(
    path: Sequence[str | int], meaning: ChangeClass
) -> None:
    """A value that appears or disappears in an object is told as a changed one is."""
    document, expected = _document(path, "new"), Change(paths=(_pointer(path),), classes=(meaning,))
    assert classify_change({}, document) == classify_change(document, {}) == expected


@given(revisions())
def test_no_path_means_no_difference(revision: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Paths and classes are empty exactly when both documents have the same canonical form."""
    old, new = revision
    change = classify_change(old, new)
    same = canonical_json(old) == canonical_json(new)
    assert (change == NO_CHANGE) == (not change.paths) == (not change.classes) == same


@given(revisions())
def test_every_path_points_into_one_of_the_documents(
    revision: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """Each pointer names a value that the old document has, or the new one."""
    old, new = revision
    for pointer in classify_change(old, new).paths:
        assert (_find(old, pointer), _find(new, pointer)) != (..., ...)


@given(json_objects, st.text("a/~0", min_size=1, max_size=6), json_values)
def test_the_rest_of_the_document_is_not_told(
    document: dict[str, Any], member: str, value: Any
) -> None:
    """One changed member is one path, escaped as RFC 6901 wants it."""
    old, new = {**document, member: "old"}, {**document, member: ["new", value]}
    assert classify_change(old, new).paths == (_pointer([member]),)


@pytest.mark.parametrize(
    ("member", "pointer"),
    [("a/b", "/a~1b"), ("m~n", "/m~0n"), ("~1", "/~01"), ("", "/"), (" ", "/ "), ('k"l', '/k"l')],
)
def test_pointers_escape_tilde_and_slash(member: str, pointer: str) -> None:
    """The special members of RFC 6901, section 5, point as they do there."""
    assert classify_change({}, {member: 1}).paths == (pointer,)


@pytest.mark.parametrize(
    ("old", "new"),
    [(1, True), (0, False), ("1", 1), (None, False), ([], {}), ([1], {}), ({}, None)],
)
def test_values_of_two_types_differ(old: Any, new: Any) -> None:
    """What Python or a reader may take for equal is not equal in JSON."""
    assert classify_change({"a": old}, {"a": new}).paths == ("/a",)


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (0, -0.0), (10**20, 1e20)])
def test_one_number_in_two_spellings_is_no_change(old: Any, new: Any) -> None:
    """Numbers that RFC 8785 writes alike are alike."""
    assert classify_change({"a": old}, {"a": new}) == NO_CHANGE


@pytest.mark.parametrize(
    ("member", "meaning"),
    [("environmentVariables", ChangeClass.INPUTS), ("packageArguments", ChangeClass.EXECUTION)],
)
def test_one_more_item_in_a_package_is_no_other_package(member: str, meaning: ChangeClass) -> None:
    """What comes inside a package has its own class and no other."""
    old = {"packages": [{"identifier": "a", member: [{"name": "A"}]}]}
    new = {"packages": [{"identifier": "a", member: [{"name": "B"}, {"name": "A"}]}]}
    change = classify_change(old, new)
    assert change == Change(paths=(f"/packages/0/{member}/0",), classes=(meaning,))


@pytest.mark.parametrize(
    ("array", "item"),
    [
        ("packages", {"identifier": "b", "environmentVariables": [{"name": "A"}]}),
        ("remotes", {"url": "b", "headers": [{"name": "A"}]}),
    ],
)
def test_one_more_package_or_remote_is_execution(array: str, item: dict[str, Any]) -> None:
    """Something else to run or to contact is that, whatever inputs it brings."""
    first = {"identifier": "a", "url": "a"}
    change = classify_change({array: [first]}, {array: [item, first]})
    assert change == Change(paths=(f"/{array}/0",), classes=(ChangeClass.EXECUTION,))


def test_another_image_alone_stays_a_change_of_execution() -> None:
    """ToolHive keys its extension by image: what it says moves along, and is no change."""
    old = _toolhive(IMAGE, tools=["fetch"], tier="Official", metadata={"stars": 1})
    new = _toolhive(f"{IMAGE}-2", tools=["fetch"], tier="Official", metadata={"stars": 1})
    assert classify_change(old, new) == Change(
        paths=(f"{EXTENSION_POINTER}-2", "/packages/0/identifier"),
        classes=(ChangeClass.EXECUTION,),
    )


def test_what_else_changes_with_the_image_is_told() -> None:
    """Beside another image, changed members have their classes, at the new image."""
    change = classify_change(
        _toolhive("old", tools=["fetch"]), _toolhive(IMAGE, tools=["fetch", "put"], tier="Official")
    )
    assert change == Change(
        paths=(
            EXTENSION_POINTER,
            f"{EXTENSION_POINTER}/tier",
            f"{EXTENSION_POINTER}/tools/1",
            "/packages/0/identifier",
        ),
        classes=(ChangeClass.CAPABILITY, ChangeClass.EXECUTION, ChangeClass.IDENTITY),
    )


def test_an_image_that_is_added_is_told_member_by_member() -> None:
    """With two images the extensions are no longer one that was renamed."""
    old, new = _toolhive("old", tools=["fetch"]), _toolhive("old", tools=["fetch"])
    new["_meta"][PUBLISHER_META][TOOLHIVE_META][IMAGE] = {"tools": ["put"], "tier": "Community"}
    change = classify_change(old, new)
    assert change.paths == (f"{EXTENSION_POINTER}/tier", f"{EXTENSION_POINTER}/tools")
    assert change.classes == (ChangeClass.CAPABILITY, ChangeClass.IDENTITY)


@pytest.mark.parametrize("count", [99, 100, 101, 250])
def test_a_hundred_paths_are_named_and_the_others_counted(count: int) -> None:
    """However many members differ, a change stays small, and its classes cover all of them."""
    new = {f"member-{number:03}": number for number in range(count - 1)} | {"status": "deleted"}
    change = classify_change({}, new)
    assert change.paths == tuple(f"/{member}" for member in new)[:100]
    assert change.more_paths == max(0, count - 100)
    assert change.classes == (ChangeClass.DOCUMENTATION, ChangeClass.LIFECYCLE)


def test_an_empty_object_that_comes_is_a_change() -> None:
    """An object without members has none to tell, so it is told itself."""
    assert classify_change({}, {"repository": {}}).paths == ("/repository",)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ((), False),
        ((ChangeClass.POPULARITY,), False),
        ((ChangeClass.LIFECYCLE, ChangeClass.POPULARITY), False),
        ((ChangeClass.DOCUMENTATION,), True),
        ((ChangeClass.EXECUTION, ChangeClass.POPULARITY), True),
    ],
)
def test_another_definition_reuses_its_version(
    classes: tuple[ChangeClass, ...], expected: bool
) -> None:
    """More stars or a deprecation are of the same definition; all else makes it another."""
    assert reuses_version(classes) == expected
