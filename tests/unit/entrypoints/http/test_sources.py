"""What operators ask about sources and registries."""

from datetime import timedelta
from typing import Any

import attrs
import httpx
import pytest

from application.source_overview import SourceOverview
from domain.events import SyncStage
from domain.filters import Filter, NamePattern
from domain.guards import Guards
from domain.ports.status import SyncPhase
from entrypoints.http.app import create_app
from tests.harness.clock import START
from tests.harness.registry_world import RegistryWorld, client_of, server
from tests.harness.sync_world import HeldSource, synced_source

SYNC = "/v1/sources/main/sync"
LOCAL = {"Host": "localhost:8080"}


async def source(world: RegistryWorld) -> dict[str, Any]:
    """The source of a world."""
    answer = await world.client.get("/v1/sources/main")
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


async def test_a_source_that_was_synced(world: RegistryWorld):
    """What it is, how its last sync went, what that brought."""
    found = await source(world)

    assert (found["name"], found["type"], found["location"]) == ("main", "test", "here")
    status, last = found["syncStatus"], found["lastSync"]
    assert (status["phase"], status["attemptCount"], status["serverCount"]) == ("Complete", 0, 4)
    assert (last["revision"], last["unread"], last["counts"]["listed"]) == ("1", False, 6)
    assert status["lastAttempt"] <= last["completedAt"] <= status["lastSyncTime"]
    assert found["rejected"] == []
    assert "lastFailure" not in found


async def test_a_source_that_fails(world: RegistryWorld):
    """The reason is told beside what was last known."""
    await world.fail("main")

    found = await source(world)

    assert found["syncStatus"]["phase"] == "Failed"
    assert found["syncStatus"]["attemptCount"] == 1
    assert found["lastFailure"]["stage"] == "parse"
    assert found["lastFailure"]["reason"] == found["syncStatus"]["message"]
    assert found["lastSync"]["counts"]["listed"] == 6


async def test_rejected_entries_are_told(empty_world: RegistryWorld):
    """By name, reason and place."""
    empty_world.offer("main", [{**server("com.example/bad"), "description": 5}])
    await empty_world.sync_now("main")

    (rejected,) = (await source(empty_world))["rejected"]

    assert rejected["name"] == "com.example/bad"
    assert rejected.keys() == {"name", "reason", "path"}


async def test_a_source_that_was_never_synced(empty_world: RegistryWorld):
    """It has no status yet."""
    found = await source(empty_world)

    assert found.keys().isdisjoint({"syncStatus", "lastSync", "nextRun", "syncSchedule"})


async def test_what_a_process_knows_of_the_sources_it_syncs(world: RegistryWorld):
    """Interval, filter, guards, and when the next sync is due."""
    filter_ = Filter(exclude_names=(NamePattern("*-test"),), include_tags=("production",))
    synced = synced_source(
        HeldSource(), filter=filter_, guards=Guards(max_removal=0.25), interval_seconds=90.0
    )

    async def overviews() -> list[SourceOverview]:
        due = START + timedelta(seconds=90)
        (overview,) = await world.overviews()
        return [attrs.evolve(overview, synced=synced, next_run=due)]

    async with client_of(attrs.evolve(world.services, overviews=overviews)) as client:
        listed = (await client.get("/v1/sources")).json()

    (found,) = listed["sources"]
    assert (found["syncSchedule"], found["nextRun"]) == ("90s", "2026-11-22T09:31:30Z")
    assert found["guards"] == {"allowEmpty": False, "maxRemoval": 0.25}
    assert found["filterConfig"] == {
        "names": {"include": [], "exclude": ["*-test"]},
        "tags": {"include": ["production"], "exclude": []},
    }


async def test_an_unknown_source(world: RegistryWorld):
    """404 names those there are; a path below a source is another path."""
    answer = await world.client.get("/v1/sources/nobody")

    assert answer.status_code == 404
    assert answer.json()["detail"] == "no source 'nobody' is configured: there is main"
    assert (await world.client.get(SYNC)).status_code == 405
    assert (await world.client.post("/v1/sources/nobody/sync", headers=LOCAL)).status_code == 404


async def test_the_configuration_and_its_problem_are_told(world: RegistryWorld):
    """In the list of sources, and as metrics."""
    before = (await world.client.get("/v1/sources")).json()["configuration"]
    world.configuration = attrs.evolve(world.configuration, file="a.yaml", problem="a.yaml: no")

    after = (await world.client.get("/v1/sources")).json()["configuration"]
    metrics = (await world.client.get("/metrics")).text.splitlines()

    assert before.keys() == {"loadedAt"}
    assert after == {**before, "file": "a.yaml", "problem": "a.yaml: no"}
    assert "annals_configuration_ok 0.0" in metrics


async def test_registries(world: RegistryWorld):
    """In the order of the configuration, with their sources."""
    await world.configure({"team": ("main", "other"), "default": ("other",)})

    listed = (await world.client.get("/v1/registries")).json()["registries"]

    team, default = listed
    assert (team["name"], team["sources"], team["default"]) == ("team", ["main", "other"], False)
    assert (default["name"], default["sources"], default["default"]) == ("default", ["other"], True)
    assert (team["serverCount"], team["versionCount"]) == (4, 6)
    assert team["position"] == world.projector.live.changed_position
    assert team["definedAt"] <= team["updatedAt"]
    assert (await world.client.get("/v1/registries/team")).json() == team
    assert (await world.client.get("/v1/registries/nobody")).status_code == 404


async def test_a_sync_on_demand(world: RegistryWorld):
    """The answer comes when it is done, and is what `registry sync --json` tells."""
    world.offer("main", [server("com.example/new")])

    answer = await world.client.post(SYNC, headers=LOCAL)

    outcome = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert (outcome["source"], outcome["failed"]) == ("main", False)
    assert outcome["counts"]["listed"] == 1
    assert outcome["position"] == world.projector.live.position
    assert (await world.client.get("/v0.1/servers")).json()["metadata"]["count"] == 1


async def test_a_sync_on_demand_that_fails(world: RegistryWorld):
    """502 with the stage and the reason."""
    world.offer_bytes("main", b"<html>")

    answer = await world.client.post(SYNC, headers=LOCAL)

    problem = answer.json()
    assert (answer.status_code, problem["stage"]) == (502, "parse")
    assert "HTML" in problem["detail"]


async def test_a_sync_on_demand_that_a_guard_refuses(world: RegistryWorld):
    """409 says what to set if it is meant."""
    world.guards = Guards()
    world.offer("main", [])

    answer = await world.client.post(SYNC, headers=LOCAL)

    problem = answer.json()
    assert (answer.status_code, problem["stage"]) == (409, SyncStage.GUARD)
    assert "allowEmpty" in problem["detail"]
    assert (await source(world))["syncStatus"]["phase"] == SyncPhase.FAILED


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "127.0.0.1:8080"),
        ("127.1.2.3", "LOCALHOST:1"),
        ("::1", "[::1]:8080"),
        ("::ffff:127.0.0.1", "localhost"),
    ],
)
async def test_who_may_ask_for_a_sync(world: RegistryWorld, address: str, host: str):
    """Whoever comes from this machine to this machine, also from a page of the registry."""
    async with client_at(world, address) as client:
        for headers in ({}, {"Origin": f"http://{host}"}):
            answer = await client.post(SYNC, headers={"Host": host, **headers})
            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("address", "headers", "reason"),
    [
        ("192.0.2.7", {}, "another machine"),
        ("::ffff:192.0.2.7", {}, "another machine"),
        ("somewhere", {}, "another machine"),
        ("127.0.0.1", {"Host": "evil.example"}, "not to localhost"),
        ("127.0.0.1", {"Host": "localhost.evil.example:80"}, "not to localhost"),
        ("127.0.0.1", {"Host": "[::1"}, "not to localhost"),
        ("127.0.0.1", {"Host": ""}, "not to localhost"),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, "x-forwarded-for"),
        ("127.0.0.1", {"X-Forwarded-Host": "localhost"}, "x-forwarded-host"),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, "forwarded"),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}, "x-real-ip"),
        ("127.0.0.1", {"Via": "1.1 proxy"}, "via"),
        ("127.0.0.1", {"Origin": "https://evil.example"}, "web page"),
        ("127.0.0.1", {"Origin": "http://localhost:3000"}, "web page"),
        ("127.0.0.1", {"Origin": "null"}, "web page"),
        ("127.0.0.1", {"Host": "evil.example", "Origin": "http://evil.example"}, "localhost"),
    ],
)
async def test_who_may_not_ask_for_a_sync(
    world: RegistryWorld, address: str, headers: dict[str, str], reason: str
):
    """403 says why, and what to do; nothing was synced."""
    before = world.projector.live.position
    async with client_at(world, address) as client:
        answer = await client.post(SYNC, headers={**LOCAL, **headers})

    assert answer.status_code == 403
    assert reason in answer.json()["detail"]
    assert "run `registry sync main` there" in answer.json()["detail"]
    assert world.projector.live.position == before


async def test_who_has_no_address_may_not_ask_for_a_sync(world: RegistryWorld):
    """Behind a socket of Unix there may be anybody."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": SYNC, "query_string": b"", "client": None}
    headers = [(b"host", b"localhost")]
    await create_app(world.services)({**scope, "headers": headers}, None, send)  # type: ignore[arg-type]

    assert sent[0]["status"] == 403


def client_at(world: RegistryWorld, address: str) -> httpx.AsyncClient:
    """A client with that address."""
    transport = httpx.ASGITransport(create_app(world.services), client=(address, 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://registry.test")
