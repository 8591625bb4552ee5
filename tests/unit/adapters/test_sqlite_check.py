"""The self-check of a SQLite file finds what is wrong below the level of events."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.storage.sqlite import SqliteStorage
from domain.errors import CorruptLogError
from tests.harness.new_commits import collect, new_commit, write
from tests.harness.sqlite_files import opened, run_script, tamper

FIRST = new_commit("first", write("a", count=3), bodies=[b"{}"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
async def storage(path: Path) -> AsyncIterator[SqliteStorage]:
    async with opened(path) as storage:
        await storage.append(FIRST)
        yield storage


async def findings(storage: SqliteStorage) -> list[str]:
    damages = await storage.self_check()
    assert all(damage.position is None for damage in damages)
    return [damage.what for damage in damages]


NO_OP = "CREATE TRIGGER documents_no_update BEFORE UPDATE ON documents BEGIN SELECT 1; END;"
EXTRA = "CREATE TRIGGER extra AFTER INSERT ON events BEGIN DELETE FROM view_rows; END;"
ORPHAN = "INSERT INTO events SELECT 4, 8, 'b', 1, type, 1, data, leaf_hash FROM events LIMIT 1"


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("DROP TRIGGER commits_no_update", "trigger commits_no_update is not"),
        ("DROP TRIGGER events_no_delete", "trigger events_no_delete is not"),
        ("DROP TRIGGER documents_no_update;" + NO_OP, "trigger documents_no_update is not"),
        (EXTRA, "trigger extra is not"),
        ("ALTER TABLE events ADD COLUMN extra ANY", "table events is not"),
        ("UPDATE frontier SET size = 4", "frontier, of 4 events"),
        ("UPDATE frontier SET size = 2", "frontier, of 2 events"),
        ("UPDATE frontier SET subtrees = zeroblob(64)", "frontier, of 3 events"),
        ("UPDATE frontier SET subtrees = (SELECT root FROM commits)", "frontier, of 3 events"),
        ("UPDATE frontier SET subtrees = CAST(subtrees || 'x' AS BLOB)", "frontier, of 3 events"),
        ("DELETE FROM frontier", "frontier, of 0 events"),
        ("UPDATE sqlite_sequence SET seq = 9 WHERE name = 'events'", "and once had 9"),
        (ORPHAN, "row 4 of events points at nothing in commits"),
    ],
)
async def test_one_thing_that_is_wrong_is_found(
    storage: SqliteStorage, path: Path, script: str, found: str
) -> None:
    """Triggers, counters, references and the Merkle frontier must be as appends left them."""
    assert await findings(storage) == []
    run_script(path, script)
    assert any(found in what for what in await findings(storage))


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("DELETE FROM events WHERE position = 2", ["events"]),
        ("DELETE FROM events WHERE position = 3", ["events"]),
        ("UPDATE commits SET first_position = 2", ["commit"]),
        ("DELETE FROM commits", ["row", "row", "row", "commits", "the"]),
        ("DELETE FROM events; DELETE FROM commits", ["commits", "events", "the"]),
        ("DELETE FROM events; DELETE FROM commits; DELETE FROM sqlite_sequence", ["the"]),
    ],
)
async def test_lost_rows_are_missed(
    storage: SqliteStorage, path: Path, script: str, found: list[str]
) -> None:
    """All that tells of them is listed, with the triggers that were dropped for it."""
    tamper(path, script)
    subjects = [what.split()[0] for what in await findings(storage)]
    assert [subject for subject in subjects if subject != "trigger"] == found
    assert subjects.count("trigger") == 8


async def test_a_log_that_was_cut_and_patched_up_stays_known(
    storage: SqliteStorage, path: Path
) -> None:
    """Where the frontier was cut too, the gap in the commits' numbers tells of it for good."""
    run_script(path, "CREATE TABLE kept AS SELECT * FROM frontier")
    await storage.append(new_commit("second"))
    tamper(
        path,
        "DELETE FROM events WHERE position = 4; DELETE FROM commits WHERE commit_number = 2;"
        "REPLACE INTO frontier SELECT * FROM kept",
    )
    await storage.append(new_commit("third"))
    assert "commits has 2 rows, commit_number up to 3, and once had 3" in await findings(storage)


def overwrite_pages(path: Path) -> None:
    pages = bytearray(path.read_bytes())
    for page in range(4096 * 20, len(pages), 4096):
        pages[page : page + 8] = b"\xff" * 8
    path.write_bytes(pages)


@pytest.fixture
async def damaged(storage: SqliteStorage, path: Path) -> AsyncIterator[SqliteStorage]:
    """A log with most pages overwritten at their start."""
    await storage.append(new_commit("long", write("a", *[b"payload" * 20] * 2000)))
    await storage.close()
    overwrite_pages(path)
    async with opened(path) as damaged:
        yield damaged


async def test_damaged_pages_are_reported(damaged: SqliteStorage) -> None:
    """What SQLite itself cannot read is a finding; reading it is an error that says so."""
    assert any("integrity" in what for what in await findings(damaged))
    with pytest.raises(CorruptLogError, match="restore the file from a backup"):
        await collect(damaged.read())
