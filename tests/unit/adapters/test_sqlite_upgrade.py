"""A log that an earlier release wrote, opened by this one."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from adapters.storage.sqlite import SqliteStorage
from application.projections import PROJECTIONS
from application.verify import verify
from domain.canonical_json import canonical_json
from domain.identifiers import Position
from tests.benchmarks.catalogue import documents
from tests.harness.checkers import check_past_views, check_rebuildable
from tests.harness.clock import SteppingClock
from tests.harness.new_commits import collect, documents_of, whole_log
from tests.harness.sqlite_files import as_schema_1, log_tables, opened, schema_3
from tests.harness.sync_world import HeldSource, SyncWorld, loaded_world, server, synced_source


async def synced(storage: SqliteStorage, *names: str) -> SyncWorld:
    """A world whose one source offers these."""
    world = await loaded_world(storage)
    await world.configure({"default": ["main"]})
    await world.syncer.sync(synced_source(HeldSource(*map(server, names))))
    return world


@pytest.fixture
async def early(path: Path) -> Path:
    """Two syncs and a configuration in a file of schema version 1, with views up to the end."""
    async with opened(path) as storage:
        await synced(storage, "a", "b")
        await synced(storage, "b", "c")
    return as_schema_1(path)


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        ((version,),) = connection.execute("PRAGMA user_version")
    return int(version)


async def test_the_log_stays_as_it_is(path: Path, early: Path) -> None:
    """Every row, document and counter, byte for byte; it verifies, and it goes on."""
    before = log_tables(early)
    assert before == log_tables(path)
    async with opened(early) as storage:
        assert log_tables(early) == before
        assert await storage.self_check() == []
        assert (await verify(storage)).damages == ()
        head = (await storage.head()).position
        await synced(storage, "c", "d")
        assert (await storage.head()).position > head
        assert (await verify(storage)).damages == ()
    assert version_of(early) == version_of(path) > 1


async def test_views_are_folded_again(path: Path, early: Path) -> None:
    """Nothing is left of the old rows, and the new ones know the past."""
    async with opened(early) as storage:
        for projection in PROJECTIONS:
            assert await storage.checkpoint(projection.view) == 0
            assert await collect(storage.rows(projection.view)) == []
        upgraded = (await loaded_world(storage)).projector.live
        await check_rebuildable(storage)
        await check_past_views(storage)
    async with opened(path) as storage:
        assert (await loaded_world(storage)).projector.live == upgraded


async def test_it_is_stepped_up_once(early: Path) -> None:
    """Whoever opens it at the same moment, all find the same log and the same views."""
    found: list[Position] = []

    async def start() -> None:
        storage = await SqliteStorage.open(early, SteppingClock())
        try:
            found.append((await loaded_world(storage)).projector.live.position)
            assert await storage.self_check() == []
        finally:
            await storage.close()

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(start)
    async with opened(early) as storage:
        await check_past_views(storage)
        commits, _ = await whole_log(storage)
    assert found == [commits[-1].last_position] * 4


OFFERED = (server("b"), server("b", title="Another"), server("c"))
ERASED = documents_of([canonical_json(server("a", description="What must go."))])


@pytest.fixture
def released(path: Path) -> Path:
    """What a release before dictionaries wrote, byte for byte."""
    return schema_3(path)


async def test_a_log_without_dictionaries_stays_as_it_is(released: Path) -> None:
    """Its documents are read, what it has erased stays erased, and its past is told."""
    before, bodies = log_tables(released), documents_of(map(canonical_json, OFFERED))
    async with opened(released) as storage:
        assert log_tables(released) == before
        assert await storage.documents([*bodies, *ERASED]) == bodies
        assert (await storage.erasures()).keys() == ERASED.keys()
        world = await loaded_world(storage)
        assert await world.offered() == {"b@1.0.0", "c@1.0.0"}
        await check_rebuildable(storage)
        await check_past_views(storage)
        assert (await verify(storage)).damages == ()
    assert version_of(released) > 3


async def test_a_log_without_dictionaries_gets_one(released: Path) -> None:
    """Documents to come are packed with it, those from before are as they were."""
    news = list(documents(600))
    async with opened(released) as storage:
        world = await loaded_world(storage)
        await world.syncer.sync(synced_source(HeldSource(*OFFERED[1:], *news)))
        bodies = documents_of(map(canonical_json, (*OFFERED, *news)))
        assert await storage.documents(bodies) == bodies
        assert (await verify(storage)).damages == ()
    with closing(sqlite3.connect(released)) as connection:
        assert connection.execute("SELECT count(*) FROM dictionaries").fetchall() == [(1,)]
