"""Lists: their pages, their filters and their cursors."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entry import OFFICIAL_META
from domain.timestamps import from_rfc_3339, to_rfc_3339
from tests.harness.registry_world import RegistryWorld, enveloped, registry_world, server

WORDS = ("fetch", "Größe", "100 %", "a_b", "SQL")
STATUSES = ("active", "active", "deprecated", "deleted")


def keys(servers):
    """Name and version of every server."""
    return [(one["server"]["name"], one["server"]["version"]) for one in servers]


async def walk(world: RegistryWorld, path: str = "/v0.1/servers", **query: Any):
    """Every server of a list, page by page; the first page alone is told the filters."""
    servers: list[dict[str, Any]] = []
    limit = query.get("limit", 30)
    while True:
        answer = await world.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["metadata"]["count"] == len(page["servers"]) <= limit
        servers += page["servers"]
        if "nextCursor" not in page["metadata"]:
            return servers
        assert len(page["servers"]) == limit
        query = {"limit": limit, "cursor": page["metadata"]["nextCursor"]}


async def test_a_walk_sees_everything_once_and_in_order_for_every_limit():
    """Over two sources, of which the first owns the names that both have."""
    async with registry_world({"default": ("first", "second")}) as world:
        first = [(f"com.example/s{n:02}", f"1.{v}.0") for n in range(30) for v in range(5)]
        second = [(f"com.example/s{n:02}", "9.0.0") for n in range(20, 60)]
        second += [(f"com.example/s{n:02}-b", f"{v}.0") for n in range(30) for v in range(2)]
        await world.sync("first", [server(*key) for key in first])
        await world.sync("second", [server(*key) for key in second])
        owned = {name for name, _ in first}
        expected = sorted([*first, *(key for key in second if key[0] not in owned)])

        for limit in range(1, 101):
            assert keys(await walk(world, limit=limit)) == expected


@pytest.fixture
async def varied():
    """Servers of all kinds, recorded at three times."""
    async with registry_world({"default": ("first", "second")}) as world:
        for step in range(3):
            await world.sync("first", _varied(12 + 4 * step, "a"))
        await world.sync("second", _varied(9, "b"))
        yield world


def _varied(count: int, prefix: str):
    return [
        enveloped(
            server(
                f"com.example/{prefix}{n // 3}",
                f"1.{n % 3}.0",
                title=WORDS[n % len(WORDS)],
                description=f"{WORDS[(n + 2) % len(WORDS)]} things.",
            ),
            status=STATUSES[n % len(STATUSES)],
        )
        for n in range(count)
    ]


queries = st.fixed_dictionaries(
    {"limit": st.integers(1, 100)},
    optional={
        "search": st.sampled_from(
            ["fetch", "GRÖSSE", "größe", "%", "_", "a1", "THINGS", "no such"]
        ),
        "version": st.sampled_from(["latest", "1.0.0", "1.2.0", "7"]),
        "include_deleted": st.sampled_from(["true", "1", "false", "0"]),
    },
)


@given(query=queries, minutes=st.none() | st.integers(-1, 60))
async def test_filters_agree_with_a_naive_oracle(query: dict[str, Any], minutes: int | None):
    """Any filters together leave what each of them leaves of the whole list."""
    async with registry_world({"default": ("first", "second")}) as world:
        for step in range(3):
            await world.sync("first", _varied(12 + 4 * step, "a"))
        await world.sync("second", _varied(9, "b"))
        everything = await walk(world, include_deleted="true", limit=100)
        if minutes is not None and query.get("include_deleted") not in ("false", "0"):
            oldest = min(_updated_at(one) for one in everything)
            query = {**query, "updated_since": to_rfc_3339(oldest + timedelta(minutes=minutes))}

        assert await walk(world, **query) == [one for one in everything if _passes(one, query)]


def _passes(one: dict[str, Any], query: dict[str, Any]) -> bool:
    document, official = one["server"], one["_meta"][OFFICIAL_META]
    texts = (document["name"], document["title"], document["description"])
    shows_deleted = query.get("include_deleted") in ("true", "1") or "updated_since" in query
    return all(
        (
            shows_deleted or official["status"] != "deleted",
            any(query.get("search", "").lower() in text.lower() for text in texts),
            query.get("version") in (None, document["version"])
            or (query["version"] == "latest" and official["isLatest"]),
            "updated_since" not in query
            or _updated_at(one) > from_rfc_3339(query["updated_since"]),
        )
    )


def _updated_at(one: dict[str, Any]) -> datetime:
    return from_rfc_3339(one["_meta"][OFFICIAL_META]["updatedAt"])


async def test_a_page_holds_thirty_where_nothing_is_said(empty_world: RegistryWorld):
    """The default limit is 30."""
    await empty_world.sync("main", [server(f"com.example/s{n:02}") for n in range(31)])

    page = (await empty_world.client.get("/v0.1/servers")).json()

    assert page["metadata"]["count"] == 30
    assert "nextCursor" in page["metadata"]


async def test_a_last_page_that_is_full_has_no_cursor(world: RegistryWorld):
    """Nobody has to ask for an empty page."""
    page = (await world.client.get("/v0.1/servers?limit=4")).json()

    assert page["metadata"] == {"count": 4}


async def test_a_cursor_stays_good_when_servers_come_and_go(world: RegistryWorld):
    """A walk goes on behind the last key, whatever has become of it."""
    first = (await world.client.get("/v0.1/servers?limit=1")).json()
    await world.sync("main", [server("com.example/a"), server("com.example/z")])

    rest = await world.client.get(
        "/v0.1/servers", params={"cursor": first["metadata"]["nextCursor"]}
    )

    assert keys(rest.json()["servers"]) == [("com.example/z", "1.0.0")]


async def test_a_cursor_needs_no_encoding_and_carries_its_filters(varied: RegistryWorld):
    """VS Code puts it into the URL as it is, and does not repeat search and version."""
    query = "/v0.1/servers?limit=1&version=latest&search=THINGS"
    first = (await varied.client.get(query)).json()
    cursor = first["metadata"]["nextCursor"]
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert cursor.isascii()

    expected = await varied.client.get(f"{query}&cursor={cursor}")
    answer = await varied.client.get(f"/v0.1/servers?limit=1&cursor={cursor}")

    assert answer.content == expected.content
    assert answer.json()["servers"] != first["servers"]


@pytest.mark.parametrize(
    "other",
    [
        "search=fetch",
        "version=1.0.0",
        "include_deleted=true",
        "updated_since=2020-01-01T00:00:00Z",
    ],
)
async def test_a_cursor_refuses_other_filters_beside_it(varied: RegistryWorld, other: str):
    """A page of one list must not continue another."""
    first = (await varied.client.get("/v0.1/servers?limit=1&search=things&version=latest")).json()

    answer = await varied.client.get(
        f"/v0.1/servers?cursor={first['metadata']['nextCursor']}&{other}"
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["location"] == "query.cursor"


async def test_a_cursor_of_everything_refuses_a_filter(varied: RegistryWorld):
    """That a list had no filters is part of it; saying the default aloud is no filter."""
    first = (await varied.client.get("/v0.1/servers?limit=1")).json()
    url = f"/v0.1/servers?cursor={first['metadata']['nextCursor']}"

    assert (await varied.client.get(f"{url}&search=things")).status_code == 400
    assert (await varied.client.get(f"{url}&include_deleted=false")).status_code == 200


async def test_a_cursor_in_the_official_form_is_read(varied: RegistryWorld):
    """`name:version`, encoded or not, goes on behind that version with the filters beside it."""
    everything = keys(await walk(varied))
    name, version = everything[3]

    for cursor in (f"{name}:{version}", f"{name.replace('/', '%2F')}%3A{version}"):
        answer = await varied.client.get(f"/v0.1/servers?limit=100&cursor={cursor}")
        assert keys(answer.json()["servers"]) == everything[4:]
    filtered = await varied.client.get(f"/v0.1/servers?version=1.0.0&cursor={name}:{version}")
    assert keys(filtered.json()["servers"]) == [key for key in everything[4:] if key[1] == "1.0.0"]


@pytest.mark.parametrize("cursor", ["x", "%21", "W10", "WzFd", "bnVsbA", "%C3%A9", "eyJhIjoxfQ"])
async def test_a_cursor_that_nobody_gave_is_refused(world: RegistryWorld, cursor: str):
    """400 says to send the nextCursor of the page before."""
    answer = await world.client.get(f"/v0.1/servers?cursor={cursor}")

    assert answer.status_code == 400
    assert "nextCursor" in answer.json()["detail"]


async def test_a_lost_flag_is_an_update(world: RegistryWorld):
    """Who asks what changed hears that 1.1.0 is no longer the latest."""
    before = await walk(world)
    since = max(_updated_at(one) for one in before)
    await world.sync(
        "main", [*(one["server"] for one in before), server("com.example/one", "1.2.0")]
    )

    changed = await walk(world, updated_since=to_rfc_3339(since))

    assert ("com.example/one", "1.1.0") in keys(changed)
    assert ("com.example/one", "1.2.0") in keys(changed)
    assert ("com.example/one", "1.0.0") not in keys(changed)


async def test_a_deletion_is_an_update(world: RegistryWorld):
    """Who asks what changed hears of deleted versions without asking for them."""
    since = max(_updated_at(one) for one in await walk(world))
    await world.sync("main", [enveloped(server("com.example/two", "0.1.0"), status="deleted")])

    changed = await walk(world, updated_since=to_rfc_3339(since))

    assert keys(changed) == [("com.example/two", "0.1.0")]
    again = await walk(world, updated_since=to_rfc_3339(since), include_deleted="true")
    assert again == changed


async def test_updated_since_is_strictly_later(world: RegistryWorld):
    """A version that changed at that very moment is known already."""
    at = max(_updated_at(one) for one in await walk(world))

    assert await walk(world, updated_since=to_rfc_3339(at)) == []
    assert len(await walk(world, updated_since=to_rfc_3339(at - timedelta(microseconds=1)))) == 6
