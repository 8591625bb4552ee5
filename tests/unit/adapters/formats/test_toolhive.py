"""ToolHive's registry files: what is rejected, with which name and place, and what is written."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from adapters.sources.formats.toolhive import ToolhiveFormat
from domain.canonical_json import canonical_json
from domain.entry import Status
from domain.errors import SourceContentError
from domain.events import RejectedEntry
from domain.identifiers import EntryKind
from domain.ports.format import Listed, Parsed

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
IMAGE: dict[str, Any] = {
    "image": "ghcr.io/a/fetch:1.2.3",
    "description": "Fetches",
    "transport": "stdio",
}
REMOTE: dict[str, Any] = {
    "url": "https://example.com/mcp",
    "description": "Fetches",
    "transport": "sse",
}


def parsed(**members: Any) -> Parsed:
    """What the format makes of a registry with those members."""
    return ToolhiveFormat().parse(json.dumps(members).encode())


def rendered(*documents: Mapping[str, Any], is_latest: bool = True) -> dict[str, Any]:
    """The registry, parsed, that the format makes of documents."""
    entries = [
        Listed(document=canonical_json(dict(document)), is_latest=is_latest)
        for document in documents
    ]
    pieces = ToolhiveFormat().render({EntryKind.SERVER: entries}, NOON)
    registry: dict[str, Any] = json.loads(b"".join(pieces))
    return registry


def test_images_and_remote_servers_are_entries():
    """Each under the name of its key, with the tags that filters see."""
    found = parsed(servers={"a": {**IMAGE, "tags": ["web"]}}, remote_servers={"b": REMOTE})

    assert [str(entry.key) for entry in found.entries] == [
        "io.github.stacklok/a@1.2.3",
        "io.github.stacklok/b@1.0.0",
    ]
    assert found.entries[0].tags == ("web",)


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        (IMAGE, Status.ACTIVE),
        ({**IMAGE, "status": "Active"}, Status.ACTIVE),
        ({**IMAGE, "status": "Deprecated"}, Status.DEPRECATED),
    ],
)
def test_the_status_of_an_entry_is_its_life_cycle(entry: dict[str, Any], status: Status):
    """Old files have no status."""
    (found,) = parsed(servers={"a": entry}).entries

    assert found.lifecycle.status is status


@pytest.mark.parametrize(
    ("entry", "place", "reason"),
    [
        (None, "", "expected an object, found null"),
        ({"description": "x"}, "/image", "expected this member"),
        ({**IMAGE, "image": ""}, "/image", "expected one or more characters"),
        ({**IMAGE, "image": None}, "/image", "expected this member"),
        ({**IMAGE, "image": ["x"]}, "/image", "expected a string, found an array"),
        ({"image": "x"}, "/description", "expected this member"),
        ({**IMAGE, "transport": 4}, "/transport", "expected a string, found a number"),
        ({**IMAGE, "target_port": "80"}, "/target_port", "expected a number, found a string"),
        ({**IMAGE, "repository_url": {}}, "/repository_url", "expected a string, found an object"),
        ({**IMAGE, "env_vars": {}}, "/env_vars", "expected an array, found an object"),
        ({**IMAGE, "env_vars": ["X"]}, "/env_vars/0", "expected an object, found a string"),
        ({**IMAGE, "env_vars": [{}]}, "/env_vars/0/name", "expected this member"),
        (
            {**IMAGE, "env_vars": [{"name": "X", "required": "yes"}]},
            "/env_vars/0/required",
            "expected a boolean, found a string",
        ),
    ],
)
def test_a_bad_entry_is_rejected_by_name_reason_and_place(entry: Any, place: str, reason: str):
    """The name is the one that the entry had when it was good, so that a sync can keep that."""
    (rejected,) = parsed(servers={"a/b~c": entry}).rejected

    assert (rejected.name, rejected.path) == ("a/b~c", "/servers/a~1b~0c" + place)
    assert reason in rejected.reason
    assert parsed(servers={"x": entry}).rejected[0].name == "io.github.stacklok/x"


def test_a_remote_entry_needs_a_url():
    """What an image entry needs does not help."""
    (rejected,) = parsed(remote_servers={"a": {**IMAGE, "headers": []}}).rejected

    assert rejected == RejectedEntry(
        name="io.github.stacklok/a",
        reason="url: expected this member",
        path="/remote_servers/a/url",
    )


def test_an_empty_key_is_rejected():
    """It would name nothing."""
    (rejected,) = parsed(servers={"": IMAGE}).rejected

    assert rejected.path == "/servers/"


def test_of_two_entries_with_one_name_and_version_the_first_is_kept():
    """The second one is rejected, and both places are told."""
    image = {**IMAGE, "image": "ghcr.io/a/fetch"}
    found = parsed(servers={"a": image}, remote_servers={"a": REMOTE})

    assert len(found.entries) == 1
    (rejected,) = found.rejected
    assert (rejected.name, rejected.path) == ("io.github.stacklok/a", "/remote_servers/a")
    assert "/servers/a is kept, /remote_servers/a is not" in rejected.reason


def test_one_key_may_have_two_versions():
    """An image with a version of its own and a remote server do not collide."""
    found = parsed(servers={"a": IMAGE}, remote_servers={"a": REMOTE})

    assert [entry.key.version for entry in found.entries] == ["1.2.3", "1.0.0"]


def test_what_breaks_official_limits_only_is_kept_with_a_warning():
    """The place is that of the entry, since the limits are those of server.json."""
    found = parsed(servers={"aa": {**IMAGE, "description": "x" * 101}})

    assert len(found.entries) == 1
    (warning,) = found.warnings
    assert (warning.name, warning.path) == ("io.github.stacklok/aa", "/servers/aa")
    assert warning.reason.startswith("description: expected 100 characters or fewer")


def test_a_group_with_servers_is_warned_of():
    """Its servers are not entries; a group without any is nothing to tell."""
    groups = [
        {"name": "empty", "servers": {}},
        4,
        {"name": "full", "remote_servers": {"b": REMOTE}},
    ]
    found = parsed(servers={"aa": IMAGE}, groups=groups)

    assert len(found.entries) == 1
    assert [(warning.name, warning.path) for warning in found.warnings] == [
        ("groups[2]", "/groups/2")
    ]
    assert parsed(servers={"aa": IMAGE}, groups="many").warnings == ()


@pytest.mark.parametrize(
    "members",
    [
        {"servers": []},
        {"servers": None},
        {"servers": {}, "remote_servers": []},
        {"data": {"servers": []}},
    ],
)
def test_a_registry_has_its_servers_by_key(members: dict[str, Any]):
    """Anything else is refused with a hint at the other format."""
    with pytest.raises(SourceContentError, match="set the format to `upstream`"):
        parsed(**members)


@pytest.mark.parametrize("missing", [{}, {"servers": None}])
def test_one_section_is_enough(missing: dict[str, Any]):
    """Old files have no remote servers, and some registries have no images."""
    assert len(parsed(remote_servers={"a": REMOTE}, **missing).entries) == 1


def server(name: str, **members: Any) -> dict[str, Any]:
    """A server.json with a remote, or with what is given."""
    remotes = [{"type": "sse", "url": f"https://{name}.example.com"}]
    return {"name": name, "version": "1", "description": "Fetches", "remotes": remotes, **members}


def test_a_rendered_registry_has_sorted_sections():
    """Each server stands in its section, in the order of the keys."""
    npm = {"registryType": "npm", "identifier": "x", "transport": {"type": "stdio"}}
    registry = rendered(
        server("b.b/x"), server("io.github.stacklok/a"), server("a.a/x", packages=[npm])
    )

    assert list(registry) == ["version", "last_updated", "servers", "remote_servers"]
    assert list(registry["remote_servers"]) == ["a", "b.b/x"]
    assert registry["servers"]["a.a/x"]["image"] == "npx://x"


def test_only_what_toolhive_can_run_is_rendered():
    """Latest versions of servers that have a package or a remote; no skills."""
    skill = Listed(document=b"{}", is_latest=True)

    assert rendered(server("a.a/x"), is_latest=False)["remote_servers"] == {}
    assert rendered(server("a.a/x", remotes=[])) == rendered()
    assert rendered(server("a.a/x", remotes=[{"type": "sse", "url": ""}])) == rendered()
    assert (
        json.loads(b"".join(ToolhiveFormat().render({EntryKind.SKILL: [skill]}, NOON)))
        == rendered()
    )


def test_the_registry_of_toolhive_comes_out_as_it_went_in(shared: Path):
    """Real servers in the newer form, as ToolHive's schema for the older one wants them."""
    schema = json.loads((shared / "spec" / "toolhive-legacy-registry.schema.json").read_bytes())
    newer = json.loads((shared / "data" / "upstream-registry.json").read_bytes())
    registry = rendered(*newer["data"]["servers"])

    Draft7Validator(schema).validate(registry)
    found = ToolhiveFormat().parse(json.dumps(registry).encode())
    assert len(found.entries) == len(newer["data"]["servers"]) == 12
    assert rendered(*[json.loads(entry.document) for entry in found.entries]) == registry
