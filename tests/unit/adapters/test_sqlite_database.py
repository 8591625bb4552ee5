"""How the SQLite file of a log is opened, shared between connections, and closed."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread
import pytest

from adapters.storage.sqlite_database import SqliteDatabase
from domain.errors import CorruptLogError, StorageUnavailableError
from tests.harness.sqlite_files import reopened_log, run_script


@pytest.fixture
def foreign(path: Path) -> bytes:
    """What lies at *path*: the database of another program."""
    run_script(path, "CREATE TABLE commits (id)")
    return path.read_bytes()


@pytest.fixture
def diary(path: Path) -> Path:
    path.write_text("Dear diary, " * 100)
    return path


def in_wal_mode(path: Path) -> bool:
    """What the header of a SQLite file says."""
    return path.read_bytes()[18:20] == b"\2\2"


async def test_every_connection_is_durable_and_strict(database: SqliteDatabase) -> None:
    """Both connections have the pragmas, and what reads cannot write."""
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "busy_timeout": 5000,
    }
    for name, value in wanted.items():
        async with database.transaction() as db:
            assert list(await db.execute_fetchall(f"PRAGMA {name}")) == [(value,)]
        assert await database.fetch(f"PRAGMA {name}") == [(value,)]
    with pytest.raises(StorageUnavailableError, match="readonly"):
        await database.fetch("DELETE FROM view_rows")


async def test_folders_are_made(tmp_path: Path) -> None:
    """A log may be opened where not even its folder is."""
    assert await reopened_log(tmp_path / "a" / "b" / "log.db") == ([], [])


async def test_the_file_of_another_program_is_left_alone(path: Path, foreign: bytes) -> None:
    """A foreign database is refused, and stays byte for byte what it was."""
    with pytest.raises(StorageUnavailableError, match="another program"):
        await SqliteDatabase.open(path)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == {path.name: foreign}


async def test_a_newer_schema_is_refused(path: Path) -> None:
    """A log that a later release wrote is not touched by this one."""
    await reopened_log(path)
    run_script(path, "PRAGMA user_version=99")
    with pytest.raises(StorageUnavailableError, match="schema 99, this one knows"):
        await SqliteDatabase.open(path)


async def test_what_is_no_database_is_refused(diary: Path) -> None:
    """Neither a text file, nor a folder, nor a file in a file is opened; no thread is left."""
    with pytest.raises(CorruptLogError, match="not a database"):
        await SqliteDatabase.open(diary)
    with pytest.raises(StorageUnavailableError, match="unable to open"):
        await SqliteDatabase.open(diary.parent)
    with pytest.raises(StorageUnavailableError, match="check the data directory"):
        await SqliteDatabase.open(diary / "log.db")
    await expect_no_thread()


async def test_a_backup_by_sqlite_is_a_log_again(path: Path, database: SqliteDatabase) -> None:
    """VACUUM INTO loses the WAL mode: opening the copy brings it back."""
    copy = path.with_name("copy.db")
    run_script(path, f"VACUUM INTO '{copy}'")
    assert await reopened_log(copy) == ([], [])
    assert in_wal_mode(path)
    assert in_wal_mode(copy)


async def test_a_new_log_is_made_once(path: Path) -> None:
    """Whoever opens a new log at the same moment, all get the same one."""
    databases: list[SqliteDatabase] = []

    async def start(number: int) -> None:
        databases.append(await SqliteDatabase.open(path))
        async with databases[-1].transaction() as db:
            await db.execute("INSERT INTO checkpoints VALUES ('opened', ?, 0)", (number,))

    try:
        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(start, number)
        for database in databases:
            assert await database.fetch("SELECT count(*) FROM checkpoints") == [(6,)]
    finally:
        for database in databases:
            await database.close()


async def test_a_file_that_somebody_else_makes_is_waited_for(path: Path) -> None:
    """Only a file that nobody else uses can be brought into WAL mode: opening has patience."""
    async with anyio.create_task_group() as group:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            group.start_soon(reopened_log, path)
            await anyio.sleep(0.05)
    assert in_wal_mode(path)


async def test_waiting_for_another_writer_can_be_cancelled(database: SqliteDatabase) -> None:
    """Whoever waits for its turn may leave the queue; whoever has begun may not."""
    release = anyio.Event()

    async def hold(*, task_status: anyio.abc.TaskStatus[None]) -> None:
        async with database.transaction():
            task_status.started()
            await release.wait()

    async with anyio.create_task_group() as group:
        await group.start(hold)
        with anyio.move_on_after(0) as waiting:
            async with database.transaction():
                pytest.fail("two transactions at once")
        assert waiting.cancelled_caught
        release.set()


async def test_closing_ends_the_threads_even_when_cancelled(path: Path) -> None:
    """A thread left running would keep the process from ending."""
    database = await SqliteDatabase.open(path)
    opened = len(connection_threads())
    with anyio.CancelScope() as scope:
        scope.cancel()
        await database.close()
    await expect_no_thread()
    assert opened == 2


def connection_threads() -> list[threading.Thread]:
    """The threads of aiosqlite; anyio keeps some of its own."""
    return [thread for thread in threading.enumerate() if "connection" in thread.name]


async def expect_no_thread() -> None:
    for thread in connection_threads():
        await anyio.to_thread.run_sync(thread.join, 10)
    assert connection_threads() == []
