"""What clients of MCP registries send and expect: a conversation with each of them.

Facts from the official OpenAPI document and from the sources of the clients.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.entry import OFFICIAL_META
from tests.harness.registry_world import RegistryWorld, registry_world, server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture
async def world() -> AsyncIterator[RegistryWorld]:
    """The embedded example registry, and a second one of many small servers."""
    async with registry_world({"default": ("example",), "many": ("many",)}) as made:
        await made.sync("example", json.loads((EXAMPLES / "registry.json").read_bytes()))
        await made.sync("many", [server(f"com.example/s{number:03}") for number in range(250)])
        yield made


def assert_list(answer: httpx.Response) -> list[dict[str, Any]]:
    """That an answer is a ServerList in all its parts; its entries."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    page = answer.json()
    assert page.keys() == {"servers", "metadata"}
    assert page["metadata"]["count"] == len(page["servers"])
    for entry in page["servers"]:
        assert_entry(entry)
    return list(page["servers"])


def assert_entry(entry: dict[str, Any]) -> None:
    """That an entry is a ServerResponse in all its parts."""
    assert entry.keys() == {"server", "_meta"}
    assert {"name", "version", "description"} <= entry["server"].keys()
    official = entry["_meta"][OFFICIAL_META]
    assert official["status"] in ("active", "deprecated", "deleted")
    assert isinstance(official["isLatest"], bool)
    for member in ("statusChangedAt", "publishedAt", "updatedAt"):
        assert TIME.fullmatch(official[member])


async def test_vs_code_browses_and_searches(world: RegistryWorld):
    """It probes, lists latest versions, and follows a cursor as it is and without the filters."""
    get = world.client.get
    assert_list(await get("/v0.1/servers?limit=1"))
    base = "/registry/many/v0.1/servers"
    page = await get(f"{base}?limit=50&version=latest")
    seen = assert_list(page)
    while cursor := page.json()["metadata"].get("nextCursor"):
        page = await get(f"{base}?limit=50&cursor={cursor}")
        seen += assert_list(page)

    assert len({entry["server"]["name"] for entry in seen}) == len(seen) == 250


async def test_vs_code_finds_what_it_shows(world: RegistryWorld):
    """Title, website, repository, packages and remotes are where it looks for them."""
    entries = assert_list(await world.client.get("/v0.1/servers?limit=50&version=latest"))

    members = {member for entry in entries for member in entry["server"]}
    assert {"title", "websiteUrl", "repository", "packages", "remotes"} <= members


@pytest.mark.parametrize("base", ["", "/registry/many"])
async def test_github_copilot_checks_its_allowlist(world: RegistryWorld, base: str):
    """Three endpoints, anonymous, open to every origin, below any base."""
    entries = assert_list(await world.client.get(f"{base}/v0.1/servers"))
    name = entries[0]["server"]["name"].replace("/", "%2F")
    for path in ("", f"/{name}/versions", f"/{name}/versions/latest"):
        url = f"{base}/v0.1/servers{path}"
        answer = await world.client.get(url, headers={"Accept": "application/json"})
        preflight = await world.client.options(
            url, headers={"Origin": "https://github.com", "Access-Control-Request-Method": "GET"}
        )

        assert (answer.status_code, preflight.status_code) == (200, 204)
        for one in (answer, preflight):
            assert one.headers["access-control-allow-origin"] == "*"
            assert one.headers["access-control-allow-methods"] == "GET, OPTIONS"
            assert one.headers["access-control-allow-headers"] == "Authorization, Content-Type"


async def test_a_token_does_no_harm(world: RegistryWorld):
    """Reading is open to everybody: 401 and 403 would block everything."""
    headers = {"Authorization": "Bearer nonsense"}

    assert_list(await world.client.get("/v0.1/servers", headers=headers))


async def test_thv_searches(world: RegistryWorld):
    """ToolHive's CLI probes, reads all pages of a hundred, one page of a search, one server."""
    probe = await world.client.get("/v0.1/servers?limit=1&version=latest")
    assert isinstance(probe.json()["servers"], list)
    assert isinstance(probe.json()["metadata"], dict)
    page = await world.client.get("/registry/many/v0.1/servers?limit=100&version=latest")
    assert len(assert_list(page)) == 100
    found = assert_list(await world.client.get("/v0.1/servers?search=NOTION&version=latest"))
    name = found[0]["server"]["name"]
    one = await world.client.get(f"/v0.1/servers/{name.replace('/', '%2F')}/versions/latest")

    assert name == "com.notion/mcp"
    assert one.json() == found[0]


async def test_a_toolhive_registry_server_takes_this_as_its_source(world: RegistryWorld):
    """It looks for the standard in the document of the base, then reads pages of a hundred."""
    for base in ("", "/registry/many"):
        document = (await world.client.get(f"{base}/openapi.yaml")).text
        assert re.search(r"^  version: '?1\.0\.0'?$", document, re.MULTILINE)
        assert "https://github.com/modelcontextprotocol/registry" in document
        assert_list(await world.client.get(f"{base}/v0.1/servers?limit=100"))


async def test_apm_asks_again_only_for_what_is_new(world: RegistryWorld):
    """It reads max-age, and sends the tag it was given."""
    first = await world.client.get("/v0.1/servers")
    assert re.search(r"max-age=\d+", first.headers["cache-control"])

    again = await world.client.get(
        "/v0.1/servers", headers={"If-None-Match": first.headers["etag"]}
    )

    assert (again.status_code, again.content) == (304, b"")


async def test_the_registry_sdk_keeps_a_mirror(world: RegistryWorld):
    """It asks what changed, deletions included, and refuses a cursor that repeats."""
    query = "updated_since=2020-01-01T00:00:00Z&include_deleted=true"
    page = await world.client.get(f"/registry/many/v0.1/servers?{query}")
    cursors: list[str] = []
    seen = assert_list(page)
    while cursor := page.json()["metadata"].get("nextCursor"):
        assert cursor not in cursors
        cursors.append(cursor)
        page = await world.client.get(f"/registry/many/v0.1/servers?{query}&cursor={cursor}")
        seen += assert_list(page)

    assert len(seen) == 250


async def test_older_clients_are_served(world: RegistryWorld):
    """The latest version by name, a plain slash, no prefix, and cursors of the official form."""
    one = await world.client.get("/v0/servers/com.notion/mcp")
    assert_entry(one.json())
    assert one.json()["_meta"][OFFICIAL_META]["isLatest"] is True
    everything = assert_list(await world.client.get("/servers?limit=100"))
    last = everything[0]["server"]

    rest = await world.client.get(f"/v0/servers?cursor={last['name']}:{last['version']}")

    assert assert_list(rest) == everything[1:31]


async def test_add_mcp_sends_parameters_of_its_own(world: RegistryWorld):
    """They are ignored."""
    plain = assert_list(await world.client.get("/v0.1/servers?limit=10"))

    assert assert_list(await world.client.get("/v0.1/servers?limit=10&sort=a&source=b")) == plain


async def test_a_list_is_ordered_bytewise(world: RegistryWorld):
    """By name and version, both as text."""
    for base in ("", "/registry/many"):
        entries = assert_list(await world.client.get(f"{base}/v0.1/servers?limit=100"))
        keys = [(one["server"]["name"].encode(), one["server"]["version"]) for one in entries]
        assert keys == sorted(keys)


async def test_exactly_one_version_is_the_latest(world: RegistryWorld):
    """Of every server."""
    entries = assert_list(await world.client.get("/v0.1/servers?limit=100&include_deleted=true"))
    latest = [one["server"]["name"] for one in entries if one["_meta"][OFFICIAL_META]["isLatest"]]

    assert sorted(latest) == sorted({one["server"]["name"] for one in entries})


async def test_toolhives_own_clients_find_what_they_read(world: RegistryWorld):
    """The shapes of ToolHive's first API, its probes included."""
    get = world.client.get
    info = (await get("/api/v0/info")).json()
    listed = (await get("/api/v0/servers")).json()
    one = (await get(f"/api/v0/servers/{listed['servers'][0]['name']}")).json()
    summary = {"name", "description", "tier", "status", "transport"}

    assert info.keys() == {"version", "last_updated", "source", "total_servers"}
    assert listed.keys() == {"servers", "total"}
    assert info["total_servers"] == listed["total"] == len(listed["servers"])
    assert all(entry.keys() == {*summary, "tools_count"} for entry in listed["servers"])
    assert {*summary, "tools"} <= one.keys()
    assert (await get("/health")).json() == {"status": "healthy"}
    assert (await get("/readiness")).json() == {"status": "ready"}
    assert (await get("/version")).json().keys() >= {"version", "commit", "build_date"}
