"""What operators and probes ask for."""

from tests.harness.registry_world import RELEASE, RegistryWorld


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


async def test_metrics_forget_what_was_configured_away(world: RegistryWorld):
    """A source that is no longer wanted must not go on raising alarms."""
    await world.fail("main")
    await world.configure({"team": ("other",)})

    text = (await world.client.get("/metrics")).text

    assert "main" not in text
    assert 'annals_registry_servers{registry="team"} 0.0' in text
