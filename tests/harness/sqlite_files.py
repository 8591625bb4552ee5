"""Log files of SqliteStorage as others find them: reopened, or tampered with."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from adapters.storage import document_body
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
    for table in ("commits", "events", "documents", "dictionaries"):
        for change in ("update", "delete"):
            run_script(path, f"DROP TRIGGER {table}_no_{change}")
    run_script(path, script)


def add_dictionary(path: Path, content: bytes) -> None:
    """Put a dictionary into a log, for documents that come later."""
    with closing(sqlite3.connect(path)) as connection, connection:
        row = document_body.dictionary_row(content)
        connection.execute("INSERT INTO dictionaries VALUES (?, ?, ?)", row)


def as_schema_1(path: Path) -> Path:
    """A copy of a log as an early release wrote it: the file beside *path*.

    Of its views, that release had other rows, without a past.
    """
    early = path.with_name(f"early-{path.name}")
    run_script(early, _SCHEMA_1.read_text(encoding="utf-8"))
    run_script(early, f"ATTACH '{path}' AS log; {_COPIED}")
    return early


def schema_3(path: Path) -> Path:
    """A log as a release without dictionaries wrote it, made at *path*."""
    run_script(path, _LOG_OF_SCHEMA_3.read_text(encoding="utf-8"))
    return path


_SCHEMA_1 = Path(__file__).with_name("schema_1.sql")
_LOG_OF_SCHEMA_3 = Path(__file__).with_name("log_of_schema_3.sql")
_COPIED = """
    PRAGMA application_id = 0x416E6E6C;
    PRAGMA user_version = 1;
    PRAGMA journal_mode = WAL;
    INSERT INTO commits SELECT * FROM log.commits ORDER BY commit_number;
    INSERT INTO events SELECT * FROM log.events ORDER BY position;
    INSERT INTO documents SELECT * FROM log.documents ORDER BY rowid;
    INSERT INTO frontier SELECT * FROM log.frontier;
    INSERT INTO checkpoints SELECT projection, version, position FROM log.checkpoints;
    INSERT INTO view_rows SELECT projection, version, key, CAST('of then' AS BLOB)
        FROM log.view_rows;
"""


def log_tables(path: Path) -> dict[str, list[Any]]:
    """Every row of the tables that are the log, and of the counters that guard it."""
    tables = ("commits", "events", "documents", "frontier", "sqlite_sequence")
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: connection.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall()
            for table in tables
        }
