"""Clients that know nothing of moments, whose base names one: everything is as if it were then."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import attrs
import httpx
import pytest

from tests.harness.annals_server import annals_server
from tests.harness.api_mirror import Mirror, api_source
from tests.harness.asking_past import ways
from tests.harness.registry_world import RegistryWorld, enveloped, registry_world, server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@attrs.frozen(kw_only=True)
class Then:
    """A world that has moved on, and the base of what it was."""

    world: RegistryWorld
    base: str
    conversation: Sequence[Any]

    async def get(self, path: str) -> httpx.Response:
        return await self.world.client.get(f"{self.base}{path}")


async def converse(client: httpx.AsyncClient, base: str) -> list[Any]:
    """What the clients of the standard ask below their base, and the answers."""
    answers = [
        await client.get(f"{base}{path}")
        for path in (
            "/v0.1/servers?limit=1",
            "/v0.1/servers?limit=1&version=latest",
            "/v0.1/servers?search=NOTION&version=latest",
            "/v0.1/servers?updated_since=2020-01-01T00:00:00Z&include_deleted=true",
            "/v0.1/servers/com.notion%2Fmcp/versions",
            "/v0.1/servers/com.notion%2Fmcp/versions/latest",
            "/v0/servers/com.notion/mcp",
            "/api/v0/info",
            "/api/v0/servers",
            "/openapi.yaml",
        )
    ]
    assert {answer.status_code for answer in answers} == {200}
    walked = [await walk(client, base, query) for query in ("limit=50&version=latest", "limit=3")]
    return [*walked, *(without_cursor(answer) for answer in answers)]


def without_cursor(answer: httpx.Response) -> Any:
    """An answer but for its cursor, which names its moment."""
    if answer.headers["content-type"] != "application/json":
        return answer.text
    body = answer.json()
    body.get("metadata", {}).pop("nextCursor", None)
    return body


async def walk(client: httpx.AsyncClient, base: str, query: str) -> list[Any]:
    """As VS Code does: the cursor as it came, and no filter beside it."""
    seen: list[Any] = []
    limit, _, _ = query.partition("&")
    while True:
        page = (await client.get(f"{base}/v0.1/servers?{query}")).json()
        seen += page["servers"]
        if (cursor := page["metadata"].get("nextCursor")) is None:
            return seen
        assert quote(cursor, safe="") == cursor
        query = f"{limit}&cursor={cursor}"


@pytest.fixture
async def then() -> AsyncIterator[Then]:
    """The embedded example registry, which has been gutted since."""
    async with registry_world({"default": ("example", "more")}) as world:
        await world.sync("example", json.loads((EXAMPLES / "registry.json").read_bytes()))
        many = [server(f"com.example/s{number:03}", f"{number % 3}.0.0") for number in range(60)]
        deleted = enveloped(server("com.example/deleted"), status="deleted")
        await world.sync("more", [*many, deleted])
        conversation = await converse(world.client, "/registry/default")
        position = world.projector.live.position
        await world.sync("more", [server("com.example/s001", "9.0.0"), server("com.notion/mcp")])
        await world.sync("example", [server("com.notion/mcp", "9.0.0", title="Other")])
        assert await converse(world.client, "/registry/default") != conversation
        base = f"/registry/default@{position}"
        yield Then(world=world, base=base, conversation=conversation)


async def test_clients_hear_what_they_heard_then(then: Then) -> None:
    """Probes, walks, searches, single servers and documents of the API, below the path form."""
    assert await converse(then.world.client, then.base) == then.conversation


async def test_every_form_of_a_base_is_the_same(then: Then) -> None:
    """It may end in a time as well as in a position."""
    position = int(then.base.partition("@")[2])
    commit = await then.world.storage.commit_of(position)
    assert commit
    for way in ways(commit.recorded_at.isoformat()):
        if not way.query:
            assert await converse(then.world.client, way.base) == then.conversation


async def test_github_copilot_reads_the_past_from_a_browser(then: Then) -> None:
    """Anonymous, from any origin."""
    for path in ("", "/com.notion%2Fmcp/versions", "/com.notion%2Fmcp/versions/latest"):
        url = f"{then.base}/v0.1/servers{path}"
        preflight = await then.world.client.options(url, headers={"Origin": "https://github.com"})
        for answer in (await then.world.client.get(url), preflight):
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["access-control-allow-methods"] == "GET, OPTIONS"


async def test_apm_need_not_ask_again(then: Then) -> None:
    """A position is immutable, and its tag is good for ever."""
    first = await then.get("/v0.1/servers")
    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    await then.world.sync("more", [server("com.example/late")])
    again = await then.world.client.get(
        f"{then.base}/v0.1/servers", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_a_mirror_of_the_past_has_what_was_there(then: Then) -> None:
    """Our own source of the official API, pointed at the path form, takes over the registry of
    then, deleted versions included, and finds nothing new however often it asks."""
    every = await walk(then.world.client, then.base, "limit=100&include_deleted=true")
    async with annals_server(then.world) as annals:
        mirror = Mirror(api_source(annals.url(then.base)))
        await mirror.sync()
        there = {(one["server"]["name"], one["server"]["version"]): one for one in every}
        assert mirror.entries == there
        assert len(there) > 60
        await then.world.sync("more", [server("com.example/late")])
        await mirror.sync()
        assert mirror.entries == there
