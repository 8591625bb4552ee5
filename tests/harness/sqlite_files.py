"""Log files of SqliteStorage as others find them: reopened, or tampered with."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from adapters.storage.sqlite import SqliteStorage
from domain.log import StoredCommit, StoredEvent
from tests.harness.clock import SteppingClock
from tests.harness.new_commits import whole_log


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStorage]:
    """A storage of its own, closed also where a test fails: its threads outlive the test."""
    storage = await SqliteStorage.open(path, SteppingClock())
    try:
        yield storage
    finally:
        await storage.close()


async def reopened_log(path: Path) -> tuple[list[StoredCommit], list[StoredEvent]]:
    """All that a file holds, which must be sound."""
    async with opened(path) as storage:
        assert await storage.self_check() == []
        return await whole_log(storage)


def run_script(path: Path, script: str) -> None:
    """Run SQL on a file as another program would: without the pragmas of ours."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def tamper(path: Path, script: str) -> None:
    """Run SQL on a log with the triggers out of the way."""
    for table in ("commits", "events", "documents"):
        for change in ("update", "delete"):
            run_script(path, f"DROP TRIGGER {table}_no_{change}")
    run_script(path, script)
