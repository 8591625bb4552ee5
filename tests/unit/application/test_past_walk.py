"""Sources of the past, walked in the order of names."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from adapters.storage.memory import MemoryStorage
from adapters.storage.sqlite import SqliteStorage
from application.cursor import Cursor, ListFilters
from application.moments import resolve_from_log
from application.past_walk import PastSources, recorded_sources
from application.queries import Page
from application.replay import replay
from application.responses import joined
from application.served import PastRegistry
from domain.asof import Asked, AtPosition
from domain.composition import RegistryEntry, compose
from domain.guards import Guards
from domain.identifiers import EntryKind, EntryName, SourceName
from domain.ports.storage import StoragePort
from tests.harness.clock import SteppingClock
from tests.harness.live_view import stored_catalogs
from tests.harness.sync_world import (
    HeldSource,
    SyncWorld,
    enveloped,
    loaded_world,
    server,
    synced_source,
)

MANY = 2100  # more than is read at a time, whichever way


@pytest.fixture(params=["memory", "sqlite"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SyncWorld]:
    """Three sources that share names, in two states, and then nothing of one of them."""
    clock = SteppingClock()
    storage: StoragePort = MemoryStorage(clock)
    if request.param == "sqlite":
        storage = await SqliteStorage.open(tmp_path / "log.db", clock)
    world = await loaded_world(storage)
    await world.configure({"default": ["x", "y", "z"]})
    many = [server(f"n{n:04}", f"{n % 2}.0.0") for n in range(0, MANY, 2)]
    await offer(world, "y", *many, *(server("n0500", f"1.{n}.0") for n in range(150)))
    await offer(world, "x", *(server(f"n{n:04}") for n in range(400, 460)))
    await offer(world, "z", *(server(f"n{n:04}", "7.0.0") for n in range(0, MANY, 3)))
    await offer(world, "x", server("n0000"), enveloped(server("n0403"), status="deleted"))
    await offer(world, "y")
    yield world
    await storage.close()


async def offer(world: SyncWorld, source: str, *items: object) -> None:
    guards = Guards(allow_empty=True, max_removal=1.0)
    name = SourceName(source)
    outcome = await world.syncer.sync(synced_source(HeldSource(*items), name, guards=guards))
    assert outcome.completed


async def ends(world: SyncWorld) -> Sequence[int]:
    """Where commits end."""
    return [c.last_position async for batch in world.storage.commits() for c in batch]


def sources_at(world: SyncWorld, position: int) -> PastSources:
    definition = world.projector.live.definitions.registries["default"]  # type: ignore[index]
    return recorded_sources(world.storage, definition, position)


async def walked(sources: PastSources, start: EntryName | None = None) -> Sequence[RegistryEntry]:
    names: list[EntryName] = []
    entries: list[RegistryEntry] = []
    async with aclosing(sources.walk(start)) as walk:
        async for name, offered in walk:
            names.append(name)
            entries += offered
    assert names == sorted(set(names), key=lambda name: (name.kind, name.name))
    return entries


async def test_a_walk_is_the_composed_registry_in_its_order(world: SyncWorld) -> None:
    """After each commit: every name once, out of the source that owned it then."""
    for position in await ends(world):
        sources = sources_at(world, position)
        moment = await resolve_from_log(Asked(at=AtPosition(position)), world.log, world.clock)
        past = await replay(world.log, moment)
        assert await walked(sources) == list(past.registry().entries)
    catalogs = await stored_catalogs(world.storage)
    assert await walked(sources) == list(compose(sources.definition, catalogs))


async def test_some_names_are_what_the_walk_has_of_them(world: SyncWorld) -> None:
    """Many at once, at the end of the view and before it."""
    for position in (await ends(world))[-3:]:
        sources = sources_at(world, position)
        every = await walked(sources)
        shorts = ("n0000", "n0403", "n0500", "n0501", "never")
        names = [EntryName(EntryKind.SERVER, f"io.example/{short}") for short in shorts]
        found = await sources.of(names)
        assert list(found) == names
        for name in names:
            expected = [e for e in every if e.entry.key.entry_name == name]
            assert list(found[name].entries) == expected


async def test_a_walk_begins_anywhere(world: SyncWorld) -> None:
    """At a name that is there, between two, before the first, beyond the last."""
    for position in (await ends(world))[-3:]:
        sources = sources_at(world, position)
        every = await walked(sources)
        for name in ("", "io.example/n0500", "io.example/n0501x", "io.example/z"):
            expected = [e for e in every if e.entry.key.name >= name]
            assert await walked(sources, EntryName(EntryKind.SERVER, name)) == expected


async def test_one_name_is_what_the_walk_has_of_it(world: SyncWorld) -> None:
    """With all its versions; also one that nobody offered."""
    for position in (await ends(world))[-3:]:
        sources = sources_at(world, position)
        every = await walked(sources)
        for short in ("n0000", "n0403", "n0500", "n0501", "never"):
            name = EntryName(EntryKind.SERVER, f"io.example/{short}")
            expected = [e for e in every if e.entry.key.entry_name == name]
            assert list(await sources.named(name)) == expected


async def shown(page: Page) -> tuple[bytes, Cursor | None]:
    """All there is to see of a page."""
    return await joined(page.responses, page.servers), page.next_cursor


AFTERS = (None, ("io.example/n0403", "1.0.0"), ("io.example/n0500", "1.7"), ("z", ""))
PAGES = [
    (ListFilters(version=version, include_deleted=deleted), after, limit)
    for version in (None, "latest")
    for deleted in (None, True)
    for after in AFTERS
    for limit in (1, 30, 100)
]


async def test_a_page_of_the_view_is_one_of_the_whole(world: SyncWorld) -> None:
    """Wherever it begins: read from the view first, and then from the composed registry."""
    for position in (await ends(world))[-3:]:
        registry = await world.registries.asked("default", Asked(at=AtPosition(position)))
        assert isinstance(registry, PastRegistry)
        pages = [await shown(await registry.page(*page)) for page in PAGES]
        await registry.whole()
        assert [await shown(await registry.page(*page)) for page in PAGES] == pages
