"""What can be asked of a registry version."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from application.cursor import Cursor, ListFilters
from application.queries import live_servers, server_version, versions_of
from application.registry_index import ServedVersion
from application.registry_version import ServerKey
from application.served import LiveRegistry
from domain.errors import ServerNotFoundError
from domain.timestamps import from_micros
from tests.harness.clock import MICROSECOND
from tests.harness.live_view import live_version
from tests.harness.sync_world import (
    HeldSource,
    SyncWorld,
    enveloped,
    loaded_world,
    server,
    synced_source,
)

OFFERED = (
    server("a", "1.0.0"),
    enveloped(server("a", "2.0.0"), status="deprecated", publishedAt="2026-01-02T00:00:00Z"),
    enveloped(server("a", "3.0.0"), status="deleted", publishedAt="2026-01-03T00:00:00Z"),
    server("b", "1.0.0", title="Größe"),
)
NEW = server("c", "1.0.0")
ALL = ["a@1.0.0", "a@2.0.0", "b@1.0.0", "c@1.0.0"]


@pytest.fixture
async def world() -> SyncWorld:
    """Three servers, of which the last came with a second sync."""
    world = await loaded_world()
    await world.configure({"default": ["main"]})
    for items in (OFFERED, (*OFFERED, NEW)):
        outcome = await world.syncer.sync(synced_source(HeldSource(*items)))
        assert outcome.completed
        assert not outcome.completed.rejected
    return world


@pytest.fixture(params=["outline", "whole"])
async def registry(world: SyncWorld, request: pytest.FixtureRequest) -> LiveRegistry:
    """What it serves, before and after it was laid down."""
    registry = await world.registries.asked()
    if request.param == "whole":
        await registry.whole()
    return await world.registries.asked()


def short(servers: Sequence[ServedVersion]) -> list[str]:
    """Names and versions without the namespace."""
    return [f"{served.name}@{served.version}".removeprefix("io.example/") for served in servers]


async def listed(registry: LiveRegistry, filters: ListFilters) -> list[str]:
    """All that a list shows."""
    page = await registry.page(filters, None, 100)
    assert page.next_cursor is None
    return short(page.servers)


async def test_pages_go_on_where_the_last_one_ended(registry: LiveRegistry) -> None:
    """For every limit; a page that ends with the list has no cursor."""
    for limit in range(1, 6):
        seen: list[str] = []
        after: ServerKey | None = None
        while True:
            page = await registry.page(ListFilters(), after, limit)
            seen += short(page.servers)
            if page.next_cursor is None:
                break
            assert len(page.servers) == limit
            last = page.servers[-1]
            assert page.next_cursor == Cursor((last.name, last.version), ListFilters())
            after = page.next_cursor.after
        assert seen == ALL


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (ListFilters(), ALL),
        (ListFilters(include_deleted=True), sorted([*ALL, "a@3.0.0"])),
        (ListFilters(include_deleted=False), ALL),
        (ListFilters(version="1.0.0"), ["a@1.0.0", "b@1.0.0", "c@1.0.0"]),
        (ListFilters(version="latest"), ["a@2.0.0", "b@1.0.0", "c@1.0.0"]),
        (ListFilters(version="9.9.9"), []),
        (ListFilters(version=""), ALL),
        (ListFilters(search="EXAMPLE/B"), ["b@1.0.0"]),
        (ListFilters(search="nowhere"), []),
        (ListFilters(search=""), ALL),
        (ListFilters(search="example/a", version="latest"), ["a@2.0.0"]),
    ],
)
async def test_filters_restrict_a_list(
    registry: LiveRegistry, filters: ListFilters, expected: list[str]
) -> None:
    """Each by itself and together; an empty one is none."""
    assert await listed(registry, filters) == expected


async def test_updated_since_is_exclusive_and_tells_of_deletions(registry: LiveRegistry) -> None:
    """What changed at that very time is known already to who asks."""
    changed_at = from_micros(registry.index.changed_us)
    assert await listed(registry, ListFilters(updated_since=changed_at)) == []
    just_before = ListFilters(updated_since=changed_at - MICROSECOND)
    assert await listed(registry, just_before) == ["c@1.0.0"]
    long_before = ListFilters(updated_since=changed_at - timedelta(days=1))
    assert "a@3.0.0" in await listed(registry, long_before)


async def test_a_plain_list_shows_what_is_live(world: SyncWorld) -> None:
    """Deprecated versions are live, deleted ones are not."""
    live = live_servers(await live_version(world.projector, world.storage))
    assert [str(served.entry.key).removeprefix("io.example/") for served in live] == ALL


async def test_versions_come_with_the_newest_publication_first(registry: LiveRegistry) -> None:
    """Where a source is silent, the time of the first record is that of the publication."""
    entries = (await registry.versions("io.example/a")).servers
    versions = versions_of(entries, include_deleted=True)
    assert short(versions) == ["a@1.0.0", "a@3.0.0", "a@2.0.0"]
    versions = versions_of(entries, include_deleted=False)
    assert short(versions) == ["a@1.0.0", "a@2.0.0"]


async def test_of_versions_published_at_once_the_latest_comes_first() -> None:
    """The others follow by the text of their versions, the greatest first."""
    world = await loaded_world()
    await world.configure({"default": ["main"]})
    versions = [server("a", version) for version in ("2.0.0", "10.0.0", "9.0.0")]
    await world.syncer.sync(synced_source(HeldSource(*versions)))
    found = (await (await world.registries.asked()).versions("io.example/a")).servers
    found = versions_of(found, include_deleted=False)
    assert short(found) == ["a@10.0.0", "a@9.0.0", "a@2.0.0"]


async def test_one_version_by_itself_or_as_latest(registry: LiveRegistry) -> None:
    """A deleted version is there for those who ask for it, and never the latest of others."""
    entries = (await registry.versions("io.example/a")).servers
    assert server_version(entries, "1.0.0", include_deleted=False).version == "1.0.0"
    assert server_version(entries, "3.0.0", include_deleted=True).version == "3.0.0"
    for include_deleted in (False, True):
        latest = server_version(entries, "latest", include_deleted=include_deleted)
        assert latest.version == "2.0.0"


@pytest.mark.parametrize(
    ("name", "version"),
    [("a", "3.0.0"), ("a", "9.9.9"), ("none", "1.0.0"), ("none", "latest"), ("", "latest")],
)
async def test_what_is_not_there_is_not_found(
    registry: LiveRegistry, name: str, version: str
) -> None:
    """Names and versions that were never offered, and deleted ones."""
    versions = (await registry.versions(f"io.example/{name}")).servers
    with pytest.raises(ServerNotFoundError, match="Server not found"):
        server_version(versions, version, include_deleted=False)
