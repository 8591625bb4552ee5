"""Statuses in a SQLite file of their own, so that reporting never waits for the log."""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import aiosqlite

from adapters.status.status_json import UNREADABLE, dump_status, load_status
from domain.errors import StorageUnavailableError
from domain.identifiers import SourceName
from domain.ports.status import SourceStatus

_SCHEMA = "CREATE TABLE IF NOT EXISTS statuses (source TEXT PRIMARY KEY, status TEXT NOT NULL)"

# Not `synchronous=FULL`: a report need not outlive a power cut, and no sync has to wait for it.
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA busy_timeout=5000",
)


class SqliteStatus:
    """StatusPort in a SQLite file."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the statuses at *path*, which is made where there is none.

        Raises:
            StorageUnavailableError
        """
        async with _translated(path):
            connection = await aiosqlite.connect(path, isolation_level=None)
            try:
                for statement in (*_PRAGMAS, _SCHEMA):
                    await connection.execute(statement)
            except BaseException:
                await connection.close()
                raise
        return cls(path, connection)

    async def save(self, source: SourceName, status: SourceStatus) -> None:
        async with _translated(self._path):
            await self._connection.execute(
                "INSERT OR REPLACE INTO statuses VALUES (?, ?)", (source, dump_status(status))
            )

    async def load(self) -> Mapping[SourceName, SourceStatus]:
        async with _translated(self._path):
            rows = await self._connection.execute_fetchall("SELECT source, status FROM statuses")
            return {SourceName(source): load_status(text) for source, text in rows}

    async def discard(self, source: SourceName) -> None:
        async with _translated(self._path):
            await self._connection.execute("DELETE FROM statuses WHERE source = ?", (source,))

    async def close(self) -> None:
        await self._connection.close()


@asynccontextmanager
async def _translated(path: Path) -> AsyncIterator[None]:
    try:
        yield
    except (sqlite3.Error, *UNREADABLE) as error:
        raise StorageUnavailableError(
            f"{path}: {error}: the file holds no history, so it may be deleted"
        ) from error
