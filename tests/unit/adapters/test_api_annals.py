"""Following another Annals: entries arrive as they are there."""

from collections.abc import AsyncIterator

import pytest

from adapters.sources.formats import DetectedFormat
from domain.entry import Entry
from domain.ports.source import Fetched, Unchanged
from tests.harness.annals_server import annals_server
from tests.harness.api_mirror import Mirror, api_source
from tests.harness.hostile_server import HostileServer
from tests.harness.registry_world import RegistryWorld, enveloped, registry_world, server

OFFERED = [
    server("com.example/one", "1.0.0"),
    server("com.example/one", "1.1.0", title="The One", x_unknown={"é": [1.5, None]}),
    enveloped(server("com.example/two"), status="deleted", statusMessage="broken"),
    enveloped(
        server("com.example/three", "1.0.0+build.5"),
        status="deprecated",
        publishedAt="2025-01-01T00:00:00.5Z",
    ),
]


@pytest.fixture
async def world() -> AsyncIterator[RegistryWorld]:
    """Two registries, of which one has something."""
    async with registry_world({"empty": ("nothing",), "public": ("main",)}) as world:
        await world.sync("main", OFFERED)
        yield world


@pytest.fixture
async def annals(world: RegistryWorld) -> AsyncIterator[HostileServer]:
    """Its server."""
    async with annals_server(world) as annals:
        yield annals


async def entries(fetched: Fetched) -> list[Entry]:
    pages = [DetectedFormat().parse(payload) async for payload in fetched.payloads]
    assert not any(page.rejected for page in pages)
    return [entry for page in pages for entry in page.entries]


async def test_documents_arrive_byte_for_byte(annals: HostileServer, world: RegistryWorld) -> None:
    """With the life cycle that they have there, deleted ones included."""
    fetched = await api_source(annals.url("/registry/public")).fetch(None)
    assert isinstance(fetched, Fetched)
    there = (await world.registry("public")).servers
    arrived = await entries(fetched)
    assert [entry.document for entry in arrived] == [await world.document(e) for e in there]
    assert [e.lifecycle.status for e in arrived] == [e.entry.status for e in there]
    assert [e.lifecycle.published_at for e in arrived] == [e.entry.published_at for e in there]


async def test_registry_is_chosen_by_path(annals: HostileServer) -> None:
    """An empty registry is a registry."""
    for path in ("", "/registry/empty"):
        fetched = await api_source(annals.url(path)).fetch(None)
        assert isinstance(fetched, Fetched)
        assert await entries(fetched) == []


async def test_changes_are_followed(annals: HostileServer, world: RegistryWorld) -> None:
    """One request brings what was listed, revised, deleted or lost the flag of the latest."""
    mirror = Mirror(api_source(annals.url("/registry/public")))
    await mirror.sync()
    changed = [
        enveloped(server("com.example/one", "1.0.0"), status="deleted"),
        server("com.example/one", "1.1.0", title="Another"),
        *OFFERED[2:],
        server("com.example/one", "2.0.0"),
    ]
    await world.sync("main", changed)
    before = len(annals.requests)
    await mirror.sync()
    assert len(annals.requests) == before + 1
    whole = Mirror(api_source(annals.url("/registry/public")))
    await whole.sync()
    assert mirror.entries == whole.entries


async def test_registry_at_rest_costs_a_304(annals: HostileServer) -> None:
    """Annals tags its answers."""
    mirror = Mirror(api_source(annals.url("/registry/public")))
    for _ in range(2):
        await mirror.sync()
    assert [await mirror.sync() for _ in range(2)] == [Unchanged(), Unchanged()]
    assert "if-none-match" in annals.requests[-1].headers
