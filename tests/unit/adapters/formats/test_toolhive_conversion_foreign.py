"""server.json of any origin as ToolHive entries: what is run, and what strangers cannot do."""

from typing import Any

import pytest

from adapters.sources.formats.toolhive_conversion import (
    NOTES_META,
    REMOTE_SERVERS,
    SERVERS,
    from_server_json,
)
from domain.entry import PUBLISHER_META, TOOLHIVE_META

IMAGE = "ghcr.io/a/fetch:1.2.3"
URL = "https://example.com/mcp"


def foreign(**members: Any) -> dict[str, Any]:
    """A server.json that no ToolHive tool has seen."""
    return {"name": "com.example/fetch", "version": "2.0.0", "description": "Fetches", **members}


def package(kind: str, identifier: str = "fetch", **members: Any) -> dict[str, Any]:
    """A package that speaks over standard input and output."""
    return {
        "registryType": kind,
        "identifier": identifier,
        "transport": {"type": "stdio"},
        **members,
    }


@pytest.mark.parametrize(
    ("packages", "image"),
    [
        ([package("oci", IMAGE)], IMAGE),
        ([package("npm", "@a/b", version="1.0.0")], "npx://@a/b@1.0.0"),
        ([package("pypi", version="1.0.0")], "uvx://fetch@1.0.0"),
        ([package("nuget", version="1.0.0")], "nuget://fetch@1.0.0"),
        ([package("npm")], "npx://fetch"),
        ([package("npm"), package("oci", IMAGE), package("oci", "other")], IMAGE),
        ([package("pypi"), package("npm")], "uvx://fetch"),
    ],
)
def test_a_foreign_server_gets_something_toolhive_can_run(packages: list[Any], image: str):
    """An OCI image before all else, then the first package in ToolHive's notation."""
    assert from_server_json(foreign(packages=packages)) == (
        SERVERS,
        "com.example/fetch",
        {
            "image": image,
            "description": "Fetches",
            "transport": "stdio",
            "tier": "Community",
            "status": "Active",
            "tools": [],
        },
    )


def test_remotes_count_where_there_is_no_package():
    """The first one, with its headers."""
    header = {"name": "X-Key", "isSecret": True}
    remotes = [
        {"type": "streamable-http", "url": URL, "headers": [header]},
        {"type": "sse", "url": "https://example.com/sse"},
    ]
    section, _, entry = from_server_json(foreign(remotes=remotes, packages=[]))

    assert (section, entry["url"], entry["transport"]) == (REMOTE_SERVERS, URL, "streamable-http")
    assert entry["headers"] == [{"name": "X-Key", "required": False, "secret": True}]
    assert from_server_json(foreign(remotes=remotes, packages=[package("npm")]))[0] == SERVERS


def test_a_server_without_package_and_remote_has_nothing_to_run():
    """It is a server of ToolHive's all the same, for those who only list them."""
    section, key, entry = from_server_json(foreign())

    assert (section, key) == (SERVERS, "com.example/fetch")
    assert entry.keys() == {"description", "tier", "status", "tools"}


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://localhost:8080/mcp", 8080),
        ("http://[::1]:80", 80),
        ("https://localhost", None),
        ("http://[::1]/", None),
        ("http://localhost:{port}/mcp", None),
        ("http://localhost/a:80", None),
        ("http://localhost:123456", None),
    ],
)
def test_the_port_of_a_foreign_package_is_found(url: str, port: int | None):
    """Where its URL has one."""
    over_http = package("oci", transport={"type": "sse", "url": url})

    assert from_server_json(foreign(packages=[over_http]))[2].get("target_port") == port


@pytest.mark.parametrize("notes", [None, 4, [], {"key": 4, "absent": 4}, {"key": "github"}])
def test_notes_of_strangers_rename_nothing(notes: Any):
    """A document cannot take the key of another server."""
    meta = {PUBLISHER_META: {NOTES_META: notes}}

    assert from_server_json(foreign(_meta=meta))[1] == "com.example/fetch"


def test_an_extension_cannot_replace_what_is_run():
    """What people approved is what the document itself says."""
    document = foreign(packages=[package("oci", IMAGE)])
    document["_meta"] = {PUBLISHER_META: {TOOLHIVE_META: {IMAGE: {"image": "evil", "tier": "x"}}}}
    _, _, entry = from_server_json(document)

    assert (entry["image"], entry["tier"]) == (IMAGE, "x")
