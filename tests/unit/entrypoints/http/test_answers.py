"""Headers of answers, and asking again for what is known."""

import attrs
import pytest

from adapters.scratch.memory import MemoryScratch
from application.event_log import EventLog
from application.projector import Projector
from application.registries import Registries
from tests.harness.clock import SteppingClock
from tests.harness.registry_world import (
    RELEASE,
    RegistryWorld,
    client_of,
    registry_world,
    server,
)
from tests.harness.watched_scratch import watched

PATHS = (
    "/v0.1/servers",
    "/v0.1/servers?search=one&limit=1",
    "/v0.1/servers/com.example%2Fone",
    "/v0.1/servers/com.example%2Fone/versions",
    "/v0.1/servers/com.example%2Fone/versions/latest",
    "/api/v0/info",
    "/api/v0/servers",
    "/api/v0/servers?format=upstream",
    "/api/v0/servers/com.example%2Fone",
)


async def tag(world: RegistryWorld, path: str = "/v0.1/servers") -> str:
    """The entity tag of what is at a path."""
    return (await world.client.get(path)).headers["etag"]


@pytest.mark.parametrize("path", PATHS)
async def test_headers_of_answers_from_a_registry(world: RegistryWorld, path: str):
    """The exact content type, the position, a strong tag, and that caches have to ask."""
    answer = await world.client.get(path, headers={"Accept-Encoding": "identity"})

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["registry-position"] == str((await world.registry()).position)
    assert answer.headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert answer.headers["etag"].startswith('"default-')
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("path", PATHS)
async def test_head_has_the_headers_of_get(world: RegistryWorld, path: str):
    """HEAD is everywhere where GET is."""
    got = await world.client.get(path)

    head = await world.client.head(path)

    assert (head.status_code, head.headers, head.content) == (200, got.headers, b"")


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_known_is_not_sent_again(world: RegistryWorld, path: str):
    """304 has no body, and all headers that the client updates its copy with."""
    got = await world.client.get(path)

    again = await world.client.get(path, headers={"If-None-Match": got.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert "content-type" not in again.headers
    for header in ("etag", "cache-control", "registry-position", "access-control-allow-origin"):
        assert again.headers[header] == got.headers[header]


@pytest.mark.parametrize("known", ["{}", "W/{}", '"x", {}', '"x",W/{} ,"y"', "*", " * "])
async def test_forms_of_if_none_match_that_fit(world: RegistryWorld, known: str):
    """Lists, weak tags and the star (RFC 9110 section 13.1.2)."""
    header = {"If-None-Match": known.format(await tag(world))}

    assert (await world.client.get("/v0.1/servers", headers=header)).status_code == 304
    assert (await world.client.head("/v0.1/servers", headers=header)).status_code == 304


@pytest.mark.parametrize("known", ['"x"', "", "x", '"*"', "w/{}", "{}x"])
async def test_forms_of_if_none_match_that_do_not_fit(world: RegistryWorld, known: str):
    """Anything else gets the whole answer."""
    header = {"If-None-Match": known.format(await tag(world))}

    assert (await world.client.get("/v0.1/servers", headers=header)).status_code == 200


async def test_several_headers_are_one_list(world: RegistryWorld):
    """A proxy may send If-None-Match in several lines."""
    headers = [("If-None-Match", '"x"'), ("If-None-Match", await tag(world))]

    assert (await world.client.get("/v0.1/servers", headers=headers)).status_code == 304


async def test_errors_are_found_before_what_is_known(world: RegistryWorld):
    """A star does not make a server of nothing, nor a bad query good."""
    star = {"If-None-Match": "*"}

    missing = await world.client.get("/v0.1/servers/com.example%2Fnobody", headers=star)
    refused = await world.client.get("/v0.1/servers?limit=0", headers=star)

    assert (missing.status_code, refused.status_code) == (404, 422)


async def test_a_page_that_is_known_is_not_rendered(world: RegistryWorld):
    """Where nothing can be read a page is an error, and a 304 still is none."""
    known = {"If-None-Match": await tag(world)}

    def fail() -> None:
        raise OSError

    async with client_of(await watched(world, fail)) as client:
        for path in PATHS[:5]:
            assert (await client.get(path)).status_code == 500
            assert (await client.get(path, headers=known)).status_code == 304


async def test_a_tag_lives_until_something_changes(world: RegistryWorld):
    """A sync without changes leaves it, any change in any source makes another."""
    offered = [one["server"] for one in (await world.client.get("/v0.1/servers")).json()["servers"]]
    await world.sync("main", offered)
    before = await tag(world)

    await world.sync("main", offered)
    assert await tag(world) == before

    await world.sync("main", offered[1:])
    assert await tag(world) != before


async def test_a_tag_is_that_of_one_shape_and_one_registry():
    """The shapes of ToolHive's API differ, and so do registries at one position."""
    async with registry_world({"default": ("main",), "other": ("main",)}) as world:
        await world.sync("main", [server("com.example/one")])

        tags = [
            await tag(world, path)
            for path in (
                "/v0.1/servers",
                "/registry/other/v0.1/servers",
                "/api/v0/servers",
                "/api/v0/servers?format=upstream",
            )
        ]

    assert len(set(tags)) == 4


async def test_all_processes_over_one_log_give_the_same_tag(world: RegistryWorld):
    """A client may ask another replica, or the same one after a restart."""
    projector = Projector(world.storage, EventLog(world.storage))
    await projector.load()
    registries = Registries(
        projector, world.storage, world.documents, SteppingClock(), MemoryScratch()
    )
    replica = attrs.evolve(world.services, registries=registries)

    async with client_of(replica) as client:
        assert (await client.get("/v0.1/servers")).headers["etag"] == await tag(world)


async def test_another_release_and_another_log_give_another_tag(world: RegistryWorld):
    """What is rendered may differ between releases, and positions mean nothing between logs."""
    upgraded = attrs.evolve(world.services, release={**RELEASE, "version": "1.2.4"})
    async with client_of(upgraded) as client:
        assert (await client.get("/v0.1/servers")).headers["etag"] != await tag(world)

    tags = []
    for earlier_syncs in (0, 1):
        async with registry_world() as other:
            for _ in range(earlier_syncs):
                await other.fail("main")
            await other.sync("main", [server("com.example/one")])
            tags.append((await tag(other)).split("-", 2)[2])
    assert tags[0] != tags[1]


async def test_answers_of_the_moment_are_not_kept(world: RegistryWorld):
    """No cache may tell a load balancer what was so a minute ago, nor repeat an error."""
    for path in ("/health", "/readiness", "/version", "/v0.1/health", "/metrics", "/nothing"):
        assert (await world.client.get(path)).headers["cache-control"] == "no-store"
