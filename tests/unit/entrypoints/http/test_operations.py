"""What operators and probes ask for."""

import attrs

from adapters.scratch.memory import MemoryScratch
from application.projector import Projector
from application.registries import Registries
from application.sync_counts import SyncCount, SyncEnd
from domain.identifiers import SourceName
from tests.harness.registry_world import RELEASE, RegistryWorld, client_of, server


async def test_health(world: RegistryWorld):
    """The process answers."""
    answer = await world.client.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})
    assert answer.headers["content-type"] == "application/json"


async def test_readiness_says_why_not(world: RegistryWorld):
    """Ready, or 503 with the reason."""
    ready = await world.client.get("/readiness")
    world.readiness = "waiting for the first sync of main"
    waiting = await world.client.get("/readiness")

    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert waiting.status_code == 503
    assert waiting.json()["error"] == "waiting for the first sync of main"


async def test_what_is_not_ready_still_answers(world: RegistryWorld):
    """Requests that come anyway are served: draining is the load balancer's part."""
    world.readiness = "stopping"

    assert (await world.client.get("/v0.1/servers")).status_code == 200
    assert (await world.client.get("/health")).status_code == 200


async def test_version(world: RegistryWorld):
    """The release, and what it runs on."""
    assert (await world.client.get("/version")).json() == RELEASE


async def test_metrics(world: RegistryWorld):
    """Positions, sizes, and how the syncs went."""
    await world.fail("main")

    answer = await world.client.get("/metrics")

    lines = answer.text.splitlines()
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert f"annals_log_position {world.projector.live.position}.0" in lines
    assert 'annals_registry_servers{registry="default"} 6.0' in lines
    assert 'annals_source_failing{source="main"} 1.0' in lines
    synced = next(line for line in lines if line.startswith("annals_source_synced"))
    assert float(synced.split()[1]) > 1.7e9
    assert answer.text.endswith("\n")


async def test_entries_of_sources_are_counted(world: RegistryWorld):
    """What each of them offers by its last sync that went well, before any is shadowed."""
    await world.configure({"default": ("main", "other", "third")})
    await world.sync("main", [server("one"), server("one", "2.0.0"), server("two")])
    await world.sync("other", [server("one")])
    await world.sync("main", [server("one", "2.0.0"), server("two")])
    await world.fail("main")

    lines = (await world.client.get("/metrics")).text.splitlines()

    assert [line for line in lines if line.startswith("annals_source_entries")] == [
        'annals_source_entries{source="main"} 2.0',
        'annals_source_entries{source="other"} 1.0',
        'annals_source_entries{source="third"} 0.0',
    ]


async def test_requests_are_counted_by_their_template(world: RegistryWorld):
    """Whatever names and paths clients invent, there are only so many series."""
    for path in ("/v0.1/servers", "/v0.1/servers?limit=1", "/v0.1/servers", "/x", "/y/z"):
        await world.client.get(path)
    await world.client.get("/registry/default/v0/servers/com.example%2Fone/versions/latest")
    await world.client.get("/v0.1/servers/com.example%2Fnobody")
    await world.client.request("BREW", "/v0.1/servers")

    lines = (await world.client.get("/metrics")).text.splitlines()

    counted = {line for line in lines if line.startswith("annals_http_requests_total")}
    version = "/registry/{registryName}/v0/servers/{serverName}/versions/{version}"
    assert counted == {
        f'annals_http_requests_total{{endpoint="{endpoint}",method="{method}",status="{status}"}} '
        f"{count}.0"
        for endpoint, method, status, count in (
            ("/v0.1/servers", "GET", 200, 3),
            ("/v0.1/servers/{serverName}", "GET", 404, 1),
            (version, "GET", 200, 1),
            ("unknown", "GET", 404, 2),
            ("unknown", "other", 405, 1),
        )
    }
    assert any(
        line.startswith("annals_http_request_duration_seconds_count") and line.endswith(" 3.0")
        for line in lines
    )


async def test_syncs_of_configured_sources_are_counted(world: RegistryWorld):
    """By source and outcome, with how long they took."""
    counts = [
        SyncCount(source=SourceName(name), end=SyncEnd.FAILED, syncs=2, seconds=1.5)
        for name in ("main", "gone")
    ]
    async with client_of(attrs.evolve(world.services, syncs=lambda: counts)) as client:
        lines = (await client.get("/metrics")).text.splitlines()

    assert 'annals_syncs_total{outcome="failed",source="main"} 2.0' in lines
    assert 'annals_sync_seconds_total{outcome="failed",source="main"} 1.5' in lines
    assert not any("gone" in line for line in lines)


async def test_events_that_are_not_folded_yet_are_the_lag(world: RegistryWorld):
    """Another process may have appended them."""
    behind = Projector(world.storage, world.log)
    await behind.load()
    services = attrs.evolve(
        world.services,
        registries=Registries(behind, world.storage, world.documents, world.clock, MemoryScratch()),
    )
    await world.sync("main", [])

    async with client_of(services) as client:
        text = (await client.get("/metrics")).text

    lag = world.projector.live.position - behind.live.position
    assert lag > 0
    assert f"annals_log_lag_events {lag}.0" in text.splitlines()


async def test_metrics_forget_what_was_configured_away(world: RegistryWorld):
    """A source that is no longer wanted must not go on raising alarms."""
    await world.fail("main")
    await world.configure({"team": ("other",)})

    text = (await world.client.get("/metrics")).text

    assert "main" not in text
    assert 'annals_registry_servers{registry="team"} 0.0' in text
