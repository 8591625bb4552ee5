"""ToolHive entries as server.json and back, invented ones and all that ToolHive ever published."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pygit2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.formats.toolhive_conversion import (
    NOTES_META,
    REMOTE_SERVERS,
    SECTIONS,
    SERVERS,
    from_server_json,
    server_name,
    to_server_json,
    toolhive_lifecycle,
)
from domain.canonical_json import canonical_json
from domain.entry import PUBLISHER_META, TOOLHIVE_META, Status
from domain.server_json import CURRENT_SCHEMA, is_of_shape, issues_of, validate
from tests.harness.git_repository import ISOLATED
from tests.harness.strategies import json_objects, unicode_text

IMAGE = "ghcr.io/a/fetch:1.2.3"
URL = "https://example.com/mcp"

keys = unicode_text | st.sampled_from(
    ["fetch", "com.example/fetch", "io.github.stacklok/x", "io.github.stacklok/a/b", "/", "a/b/c"]
)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


def optional(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have any of the members, or none."""
    return st.fixed_dictionaries({}, optional=members)


def joined(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the members of all parts; the later part wins."""
    return st.tuples(*parts).map(lambda found: {m: v for part in found for m, v in part.items()})


inputs = st.none() | st.lists(
    joined(
        json_objects,
        optional(isRequired=st.booleans(), isSecret=st.booleans(), value=unicode_text),
        optional(
            description=unicode_text,
            required=st.booleans(),
            secret=st.booleans(),
            default=unicode_text,
            choices=st.lists(unicode_text, max_size=2),
        ),
        st.fixed_dictionaries({"name": unicode_text}),
    ),
    max_size=3,
)
both = joined(
    json_objects,
    optional(
        name=unicode_text,
        status=st.sampled_from(["Active", "Deprecated", None, 4]),
        tier=st.sampled_from(["Official", "Community"]),
        tools=st.lists(unicode_text, max_size=2),
        repository_url=st.sampled_from([None, "", "https://gitlab.com/a/b", "https://[/", "x"]),
        transport=st.sampled_from([None, "", "stdio", "sse", "streamable-http", "carrier-pigeon"]),
        env_vars=inputs,
        headers=inputs,
        target_port=st.none() | st.integers(-1, 100_000),
        packages=json_objects,
    ),
    st.fixed_dictionaries({"description": unicode_text}),
)
entries = st.one_of(
    st.tuples(
        st.just(SERVERS),
        keys,
        joined(both, st.fixed_dictionaries({"image": texts | st.just(IMAGE)})),
    ),
    st.tuples(st.just(REMOTE_SERVERS), keys, joined(both, st.fixed_dictionaries({"url": texts}))),
)


def image_entry(**members: Any) -> dict[str, Any]:
    """An ordinary entry of an image, with other members beside or in the place of its own."""
    return {
        "image": IMAGE,
        "description": "Fetches",
        "transport": "stdio",
        "tier": "Official",
        "status": "Active",
        "tools": ["fetch"],
        **members,
    }


def remote_entry(**members: Any) -> dict[str, Any]:
    """An ordinary entry of a remote server."""
    return {"url": URL, "description": "Fetches", "transport": "sse", **members}


def publisher_provided(document: dict[str, Any]) -> dict[str, Any]:
    """What stands beside the document."""
    return document["_meta"][PUBLISHER_META]


@given(entry=entries)
def test_there_and_back_gives_the_entry_again(entry: tuple[str, str, dict[str, Any]]):
    """Section, key and every member, straight away and after a walk through the log."""
    given_entry = copy.deepcopy(entry)
    document = to_server_json(*entry)
    stored = json.loads(canonical_json(document))

    assert entry == given_entry
    assert from_server_json(document) == entry
    assert canonical_json(list(from_server_json(stored))) == canonical_json(list(entry))


@given(entry=entries)
def test_every_conversion_can_be_served(entry: tuple[str, str, dict[str, Any]]):
    """Required members are there; types are those of the schema, but for strange inputs."""
    document = to_server_json(*entry)
    shape = [issue for issue in issues_of(document) if is_of_shape(issue)]
    issues = [issue for issue in shape if "environmentVariables" not in issue.path]

    assert [issue for issue in issues if "headers" not in issue.path] == []
    assert document["name"] == server_name(entry[1])


@given(entry=entries)
def test_only_rare_entries_leave_notes(entry: tuple[str, str, dict[str, Any]]):
    """Notes are of an absent transport or of a key that already has the namespace."""
    _, key, members = entry
    notes = publisher_provided(to_server_json(*entry)).get(NOTES_META, {})

    assert ("absent" in notes) == ("transport" not in members)
    assert ("key" in notes) <= key.startswith("io.github.stacklok/")


def test_an_image_becomes_an_oci_package():
    """Every member that server.json has a place for moves there, the rest stands beside."""
    entry = image_entry(
        transport="streamable-http",
        target_port=5000,
        repository_url="https://github.com/a/b",
        tags=["web"],
        env_vars=[
            {"name": "KEY", "description": "A key", "required": True, "secret": True},
            {"name": "MODE", "description": "A mode", "required": False, "default": "fast"},
        ],
    )

    assert to_server_json(SERVERS, "fetch", entry) == {
        "$schema": CURRENT_SCHEMA,
        "name": "io.github.stacklok/fetch",
        "description": "Fetches",
        "version": "1.2.3",
        "repository": {"url": "https://github.com/a/b", "source": "github"},
        "packages": [
            {
                "registryType": "oci",
                "identifier": IMAGE,
                "transport": {"type": "streamable-http", "url": "http://localhost:5000"},
                "environmentVariables": [
                    {"name": "KEY", "description": "A key", "isRequired": True, "isSecret": True},
                    {
                        "name": "MODE",
                        "description": "A mode",
                        "isRequired": False,
                        "default": "fast",
                    },
                ],
            }
        ],
        "_meta": {
            PUBLISHER_META: {
                TOOLHIVE_META: {
                    IMAGE: {
                        "tier": "Official",
                        "status": "Active",
                        "tools": ["fetch"],
                        "tags": ["web"],
                    }
                }
            }
        },
    }


def test_a_remote_entry_becomes_a_remote():
    """Headers are inputs like environment variables; environment variables stay beside."""
    header = {"name": "X-Key", "description": "A key", "required": True, "choices": ["a", "b"]}
    variables = [{"name": "KEY", "description": "A key", "required": True}]
    document = to_server_json(
        REMOTE_SERVERS, "fetch", remote_entry(headers=[header], env_vars=variables)
    )

    assert document["version"] == "1.0.0"
    assert document["remotes"] == [
        {
            "type": "sse",
            "url": URL,
            "headers": [
                {"name": "X-Key", "description": "A key", "isRequired": True, "choices": ["a", "b"]}
            ],
        }
    ]
    assert publisher_provided(document) == {TOOLHIVE_META: {URL: {"env_vars": variables}}}
    assert "packages" not in document


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("mcp/fetch:0.1.0a4", "0.1.0a4"),
        ("mcp/fetch:v0.2.2", "v0.2.2"),
        ("mcp/fetch:1.0.20250808001", "1.0.20250808001"),
        ("mcp/fetch:1.2", "1.2"),
        ("mcp/fetch:3.12-alpine_x", "3.12-alpine_x"),
        ("host:5000/mcp/fetch:1.2.3", "1.2.3"),
        ("mcp/fetch:1.2.3@sha256:0.1", "1.2.3"),
        ("mcp/fetch", "1.0.0"),
        ("mcp/fetch:latest", "1.0.0"),
        ("mcp/fetch:main", "1.0.0"),
        ("mcp/fetch:alpine", "1.0.0"),
        ("mcp/fetch:1", "1.0.0"),
        ("mcp/fetch:v1", "1.0.0"),
        ("mcp/fetch:1.", "1.0.0"),
        ("mcp/fetch:٣.٤", "1.0.0"),
        ("host:5000/fetch", "1.0.0"),
        ("host:5000.1/fetch", "1.0.0"),
        ("mcp/fetch@sha256:0.1", "1.0.0"),
        (":", "1.0.0"),
    ],
)
def test_the_version_is_the_tag_where_it_is_a_specific_one(image: str, version: str):
    """Moving tags and digests name no version, and the port of a registry is no tag."""
    assert to_server_json(SERVERS, "fetch", image_entry(image=image))["version"] == version


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("fetch", "io.github.stacklok/fetch"),
        ("com.example/fetch", "com.example/fetch"),
        ("io.github.stacklok/fetch", "io.github.stacklok/fetch"),
        ("a/b/c", "a/b/c"),
    ],
)
def test_keys_without_a_namespace_get_the_one_of_toolhive(key: str, name: str):
    """Other keys are names already."""
    assert server_name(key) == name
    assert from_server_json(to_server_json(SERVERS, key, image_entry()))[1] == key


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://github.com/a/b", "github"),
        ("https://gitlab.com/a/b", "gitlab"),
        ("HTTPS://GitLab.com:443/a/b", "gitlab"),
        ("https://gitlab.com.example.org/a/b", "github"),
        ("https://github.com/gitlab.com/b", "github"),
    ],
)
def test_the_host_tells_the_source_of_a_repository(url: str, source: str):
    """ToolHive does not say it, and server.json wants it."""
    document = to_server_json(SERVERS, "fetch", image_entry(repository_url=url))

    assert document["repository"] == {"url": url, "source": source}


@pytest.mark.parametrize("url", ["", None])
def test_an_entry_without_repository_gets_none(url: str | None):
    """An empty URL is none; the way back finds it beside the document."""
    entry = image_entry(repository_url=url)
    document = to_server_json(SERVERS, "fetch", entry)

    assert "repository" not in document
    assert from_server_json(document)[2] == entry


@pytest.mark.parametrize(
    ("members", "transport"),
    [
        ({"transport": "stdio"}, {"type": "stdio"}),
        ({"transport": "stdio", "target_port": 80}, {"type": "stdio"}),
        ({"transport": None}, {"type": "stdio"}),
        ({"transport": "sse"}, {"type": "sse", "url": "http://localhost"}),
        ({"transport": "sse", "target_port": 80}, {"type": "sse", "url": "http://localhost:80"}),
    ],
)
def test_a_transport_over_http_has_a_local_url(members: dict[str, Any], transport: Any):
    """The port is part of it where there is one."""
    document = to_server_json(SERVERS, "fetch", image_entry(**members))

    assert document["packages"][0]["transport"] == transport
    assert validate(document) == ()


def test_an_absent_transport_is_noted():
    """The document needs one: stdio for images, sse for remotes, as the schema of ToolHive has."""
    image, remote = image_entry(), remote_entry()
    del image["transport"], remote["transport"]
    documents = [to_server_json(SERVERS, "a", image), to_server_json(REMOTE_SERVERS, "a", remote)]

    assert documents[0]["packages"][0]["transport"] == {"type": "stdio"}
    assert documents[1]["remotes"][0]["type"] == "sse"
    assert [publisher_provided(d)[NOTES_META] for d in documents] == [{"absent": ["transport"]}] * 2


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Deprecated", Status.DEPRECATED),
        ("deprecated", Status.DEPRECATED),
        ("Active", Status.ACTIVE),
        (None, Status.ACTIVE),
        (["Deprecated"], Status.ACTIVE),
    ],
)
def test_the_extension_tells_whether_a_server_is_deprecated(said: Any, status: Status):
    """Anything that is not known counts as active."""
    document = to_server_json(SERVERS, "fetch", image_entry(status=said))

    assert toolhive_lifecycle(document).status is status


@pytest.fixture(scope="module")
def published(
    shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[str, str, dict[str, Any]]]:
    """Every distinct entry of every revision of ToolHive's own registry."""
    clone = tmp_path_factory.mktemp("toolhive") / "history.git"
    bundle = shared / "data" / "toolhive-registry-history.bundle"
    git("clone", "--quiet", "--bare", "--branch", "main", str(bundle), str(clone))
    path = "pkg/registry/data/registry.json"
    commits = git("-C", str(clone), "log", "--format=%H", "--", path).split()
    repository = pygit2.Repository(clone)
    found = {}
    for commit in commits:
        registry = json.loads(repository.revparse_single(f"{commit}:{path}").data)
        for section in SECTIONS:
            for key, entry in registry.get(section, {}).items():
                found[section, key, json.dumps(entry)] = entry
    assert len(commits) == 387
    return [(section, key, entry) for (section, key, _), entry in found.items()]


def git(*arguments: str) -> str:
    """What a git command prints."""
    done = subprocess.run(
        ["git", *arguments], check=True, capture_output=True, encoding="utf-8", env=ISOLATED
    )
    return done.stdout


def test_every_published_entry_comes_back_without_notes(
    published: list[tuple[str, str, dict[str, Any]]],
):
    """The entries of all revisions, thousands, and none of them needs a note."""
    documents = [to_server_json(*entry) for entry in published]

    assert len(published) > 5000
    assert [from_server_json(document) for document in documents] == published
    assert not [d for d in documents if NOTES_META in publisher_provided(d)]


def test_every_published_entry_can_be_served(published: list[tuple[str, str, dict[str, Any]]]):
    """No type is wrong, and what breaks the official limits is the length of descriptions."""
    issues = [issue for entry in published for issue in validate(to_server_json(*entry))]

    assert {issue.path for issue in issues} <= {"description"}
