"""Worlds for the tests of the HTTP layer."""

from collections.abc import AsyncIterator

import pytest

from tests.harness.registry_world import RegistryWorld, enveloped, registry_world, server


@pytest.fixture
async def empty_world() -> AsyncIterator[RegistryWorld]:
    """A default registry with nothing in it."""
    async with registry_world() as world:
        yield world


@pytest.fixture
async def world(empty_world: RegistryWorld) -> RegistryWorld:
    """A few servers: several versions, a deleted and a deprecated one, an odd version."""
    await empty_world.sync(
        "main",
        [
            server("com.example/one", "1.0.0"),
            server("com.example/one", "1.1.0", title="The One"),
            enveloped(server("com.example/one", "2.0.0"), status="deleted", statusMessage="broken"),
            enveloped(server("com.example/two", "0.1.0"), status="deprecated"),
            enveloped(server("com.example/gone", "1.0.0"), status="deleted"),
            server("com.example/plus", "1.0.0+build.5", description="Finds 100 % of it."),
        ],
    )
    return empty_world
