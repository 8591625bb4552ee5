"""ToolHive's own API."""

import json

import pytest

from tests.harness.registry_world import RegistryWorld, enveloped, registry_world, server

IMAGE = {
    "image": "ghcr.io/example/fetch:1.2.3",
    "description": "Fetches pages from the web",
    "tier": "Community",
    "status": "Active",
    "transport": "streamable-http",
    "target_port": 8080,
    "tools": ["fetch", "fetch_raw"],
    "tags": ["web"],
    "args": ["--quiet"],
    "repository_url": "https://github.com/example/fetch",
    "docker_tags": ["1.2.3", "1.2"],
    "permissions": {"network": {"outbound": {"insecure_allow_all": True}}},
    "metadata": {"stars": 7, "pulls": 9, "last_updated": "2026-01-01T00:00:00Z"},
    "custom_metadata": {"team": "web"},
    "env_vars": [
        {"name": "TOKEN", "description": "A token", "required": True, "secret": True},
        {"name": "DEPTH", "description": "How deep", "required": False, "default": "1"},
    ],
}
REMOTE = {
    "url": "https://mcp.example.com/mcp",
    "description": "Answers from far away",
    "tier": "Official",
    "status": "Deprecated",
    "transport": "sse",
    "tools": ["ask"],
    "headers": [{"name": "Authorization", "description": "Bearer", "required": True}],
    "oauth_config": {"issuer": "https://example.com"},
}
BASES = ("/api/v0", "/registry/default/api/v0")


@pytest.fixture
async def toolhive(empty_world: RegistryWorld) -> RegistryWorld:
    """A registry that is fed from a ToolHive file."""
    await empty_world.sync(
        "main",
        {
            "version": "1.0.0",
            "last_updated": "2026-01-01T00:00:00Z",
            "servers": {"fetch": IMAGE},
            "remote_servers": {"oracle": REMOTE},
        },
    )
    return empty_world


@pytest.mark.parametrize("base", BASES)
async def test_the_list_has_every_server_in_short(toolhive: RegistryWorld, base: str):
    """By the keys of ToolHive's files."""
    answer = await toolhive.client.get(f"{base}/servers")

    assert answer.json() == {
        "servers": [
            {
                "name": "fetch",
                "description": "Fetches pages from the web",
                "tier": "Community",
                "status": "Active",
                "transport": "streamable-http",
                "tools_count": 2,
            },
            {
                "name": "oracle",
                "description": "Answers from far away",
                "tier": "Official",
                "status": "Deprecated",
                "transport": "sse",
                "tools_count": 1,
            },
        ],
        "total": 2,
    }


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    "name", ["fetch", "io.github.stacklok%2Ffetch", "io.github.stacklok/fetch"]
)
async def test_an_image_in_full(toolhive: RegistryWorld, base: str, name: str):
    """By its short key or its full name, with everything that is known of it."""
    answer = await toolhive.client.get(f"{base}/servers/{name}")

    assert answer.json() == {
        "name": "fetch",
        "description": "Fetches pages from the web",
        "tier": "Community",
        "status": "Active",
        "transport": "streamable-http",
        "tools": ["fetch", "fetch_raw"],
        "env_vars": [
            {"name": "TOKEN", "description": "A token", "required": True, "secret": True},
            {"name": "DEPTH", "description": "How deep", "required": False, "default": "1"},
        ],
        "permissions": {"profile": IMAGE["permissions"]},
        "metadata": {
            "stars": 7,
            "pulls": 9,
            "last_updated": "2026-01-01T00:00:00Z",
            "team": "web",
            "target_port": 8080,
            "docker_tags": ["1.2.3", "1.2"],
        },
        "repository_url": "https://github.com/example/fetch",
        "tags": ["web"],
        "args": ["--quiet"],
        "image": "ghcr.io/example/fetch:1.2.3",
    }


async def test_a_remote_server_in_full(toolhive: RegistryWorld):
    """It has an address in place of an image; what is not known is left out."""
    answer = await toolhive.client.get("/api/v0/servers/oracle")

    assert answer.json() == {
        "name": "oracle",
        "description": "Answers from far away",
        "tier": "Official",
        "status": "Deprecated",
        "transport": "sse",
        "tools": ["ask"],
        "metadata": {
            "url": "https://mcp.example.com/mcp",
            "headers_count": 1,
            "oauth_enabled": True,
        },
    }


async def test_only_latest_versions_that_are_not_deleted_are_shown(world: RegistryWorld):
    """ToolHive's API knows one version of each server."""
    listed = (await world.client.get("/api/v0/servers")).json()
    info = (await world.client.get("/api/v0/info")).json()

    assert [one["name"] for one in listed["servers"]] == [
        "com.example/one",
        "com.example/plus",
        "com.example/two",
    ]
    assert info["total_servers"] == listed["total"] == 3
    assert (await world.client.get("/api/v0/servers/com.example/gone")).status_code == 404


async def test_the_list_has_no_pages(empty_world: RegistryWorld):
    """All servers come at once, whatever limit is asked for."""
    await empty_world.sync("main", [server(f"com.example/s{number}") for number in range(300)])

    for shape in ("toolhive", "upstream"):
        answer = await empty_world.client.get(f"/api/v0/servers?limit=5&format={shape}")
        assert len(answer.json()["servers"]) == answer.json()["total"] == 300


async def test_upstream_shows_the_documents_themselves(toolhive: RegistryWorld):
    """Byte for byte what the official API has under `server`."""
    documents = [await toolhive.document(one) for one in (await toolhive.registry()).servers]

    listed = await toolhive.client.get("/api/v0/servers?format=upstream")
    one = await toolhive.client.get("/api/v0/servers/fetch?format=upstream")
    official = await toolhive.client.get("/v0.1/servers/io.github.stacklok%2Ffetch")

    assert listed.content == b'{"servers":[%b],"total":2}' % b",".join(documents)
    assert one.content == documents[0]
    assert official.content.startswith(b'{"server":' + documents[0])


async def test_info(toolhive: RegistryWorld):
    """When anything last changed, where it comes from, and how much it is."""
    for query in ("", "?format=toolhive", "?format=upstream"):
        answer = await toolhive.client.get(f"/api/v0/info{query}")
        assert answer.json() == {
            "version": "1.0.0",
            "last_updated": answer.json()["last_updated"],
            "source": "main",
            "total_servers": 2,
        }
    before = answer.json()["last_updated"]
    await toolhive.sync("main", [server("com.example/one")])
    assert (await toolhive.client.get("/api/v0/info")).json()["last_updated"] > before


async def test_info_names_all_sources():
    """Comma separated, in their order."""
    async with registry_world({"default": ("b", "a")}) as world:
        assert (await world.client.get("/api/v0/info")).json()["source"] == "b,a"


@pytest.mark.parametrize("path", ["/info", "/servers", "/servers/fetch"])
async def test_other_formats_are_refused(toolhive: RegistryWorld, path: str):
    """400 names the two that there are."""
    answer = await toolhive.client.get(f"/api/v0{path}?format=yaml")

    assert answer.status_code == 400
    assert answer.json()["error"] == "format: expected toolhive or upstream"
    assert (await toolhive.client.get(f"/api/v0{path}?format=")).status_code == 200


async def test_an_unknown_server_is_not_found(toolhive: RegistryWorld):
    """The body has the member that ToolHive's clients read."""
    answer = await toolhive.client.get("/api/v0/servers/nobody")

    assert answer.status_code == 404
    assert answer.json()["error"] == "Server not found"


async def test_publishing_is_not_offered(toolhive: RegistryWorld):
    """501, as in the official API."""
    assert (await toolhive.client.post("/api/v0/publish")).status_code == 501


@pytest.mark.parametrize("odd", [None, 5, "text", [], {}, [None], [{"name": 5}], {"": None}])
async def test_oddities_of_a_source_do_not_spoil_the_list(empty_world: RegistryWorld, odd):
    """Whatever stands in the extensions of a server, the others are served, and it is too."""
    members = (
        *("tier", "status", "transport", "tools", "tags", "args", "permissions", "metadata"),
        *("custom_metadata", "env_vars", "docker_tags", "volumes", "headers", "oauth_config"),
    )
    url = "https://mcp.example.com"
    extension = {"io.github.stacklok": {url: dict.fromkeys(members, odd)}}
    document = server(
        "com.example/odd",
        remotes=[{"type": "sse", "url": url}],
        _meta={"io.modelcontextprotocol.registry/publisher-provided": extension},
    )
    await empty_world.sync("main", [document, server("com.example/plain")])

    listed = await empty_world.client.get("/api/v0/servers")
    one = await empty_world.client.get("/api/v0/servers/com.example/odd")

    assert [one["name"] for one in listed.json()["servers"]] == [
        "com.example/odd",
        "com.example/plain",
    ]
    assert one.status_code == 200


async def test_a_change_is_in_the_next_list(toolhive: RegistryWorld):
    """What is kept is kept for one registry version."""
    await toolhive.client.get("/api/v0/servers")
    await toolhive.sync("main", [enveloped(server("com.example/one"))])

    answer = await toolhive.client.get("/api/v0/servers")

    assert json.loads(answer.content)["total"] == 1
