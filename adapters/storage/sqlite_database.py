"""One SQLite file: how it is opened, made, written in one piece, and checked."""

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite
import anyio
import anyio.to_thread

from domain.errors import CorruptLogError, StorageUnavailableError

_T = TypeVar("_T", int, str)

BATCH = 1000  # rows that are turned into objects between two turns of the event loop

SCHEMA = Path(__file__).with_name("schema.sql")
# In a file that SQLite makes where it needs one, and that ends with the connection.
_STAGING = """
    CREATE TEMP TABLE staged (
        commit_id  TEXT    NOT NULL,
        hash       TEXT    NOT NULL,
        body       BLOB    NOT NULL,
        body_crc32 INTEGER NOT NULL
    ) STRICT
"""
_APPLICATION_ID = 0x416E6E6C  # "Annl": `file` and SQLite itself can tell what this is
_SCHEMA_VERSION = 4

_BUSY_SECONDS = 5
_RETRY_SECONDS = 0.02
_PIECE = 4 * 1024 * 1024  # bytes

# `recursive_triggers`, because without it REPLACE INTO walks past the append-only triggers.
# `secure_delete`, because SQLite copies the first rows of a table when it grows beyond a page, and
# what was left behind would outlive the erasure of a document. In this form it costs no I/O.
_PRAGMAS = (
    "synchronous=FULL",
    "foreign_keys=ON",
    "recursive_triggers=ON",
    "secure_delete=FAST",
    f"busy_timeout={_BUSY_SECONDS * 1000}",
)
# In KiB: the index of a hundred thousand hashes fits, so that a large commit writes no page twice.
_WRITER_CACHE = "cache_size=-16000"


class SqliteDatabase:
    """A connection to write with and one to read with, each with a thread of its own.

    A third one, the watcher, only looks whether anybody wrote.
    """

    def __init__(
        self,
        path: Path,
        writer: aiosqlite.Connection,
        reader: aiosqlite.Connection,
        watcher: sqlite3.Connection,
    ) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._watcher = watcher
        self._writing = anyio.Lock()

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the database at *path*, which is made where there is none.

        Raises:
            StorageUnavailableError: it cannot be, or it is of another program or release.
        """
        with translated(path):
            await anyio.to_thread.run_sync(_make_file, path)
            writer = await _connect(path, _WRITER_CACHE)
            try:
                await _prepare(writer, path)
                await writer.execute_fetchall(_STAGING)
                watcher = await anyio.to_thread.run_sync(_watch, path)
                reader = await _connect(path, "query_only=ON")
            except BaseException:
                await writer.close()
                raise
        return cls(path, writer, reader, watcher)

    @asynccontextmanager
    async def transaction(
        self, begin: str = "BEGIN IMMEDIATE"
    ) -> AsyncIterator[aiosqlite.Connection]:
        """Write all or nothing.

        Shielded once it has begun: a COMMIT that is cancelled while it waits may have been made
        all the same. `asyncio.Task.cancel` passes the shield; what it cuts short is rolled back.
        """
        async with self._writing:
            with translated(self.path), anyio.CancelScope(shield=True):
                try:
                    await self._writer.execute(begin)
                    yield self._writer
                    await self._writer.execute("COMMIT")
                except BaseException:
                    await self._writer.rollback()
                    raise

    async def fetch(self, sql: str, *parameters: Any) -> list[Any]:
        """All rows of a query on committed data."""
        with translated(self.path):
            return list(await self._reader.execute_fetchall(sql, parameters))

    def version(self) -> int:
        """A number that another commit of anybody changes. To look costs microseconds."""
        with translated(self.path):
            ((number,),) = self._watcher.execute("PRAGMA data_version")
        return int(number)

    async def truncate_wal(self) -> bool:
        """Fold the WAL into the file and empty it. False where others keep it in use."""
        async with self._writing:
            with translated(self.path):
                sql = "PRAGMA wal_checkpoint(TRUNCATE)"
                ((busy, _, _),) = await self._writer.execute_fetchall(sql)
        return not busy

    async def close(self) -> None:
        """Close all connections. The last one to leave folds the WAL into the file."""
        with anyio.CancelScope(shield=True):
            try:
                self._watcher.close()
                await self._reader.close()
            finally:
                await self._writer.close()


def beyond(after: _T, last: _T) -> _T:
    """*last*, after which the next batch begins: a damaged tree can bring the same rows for ever.

    Raises:
        CorruptLogError
    """
    if type(last) is not type(after) or last <= after:
        raise CorruptLogError(
            f"rows after {after} come out of order: restore the file from a backup"
        )
    return last


def _make_file(path: Path) -> None:
    """By SQLite, as any other close of the file would take away its locks in this process.

    aiosqlite does not await the end of its thread where it cannot connect: now it can.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sqlite3.connect(path).close()


def read_through(path: Path) -> None:
    """Bring a file into the page cache, which takes a disk a tenth of the time that reads of it
    here and there take. Only where this process has it not open yet: closing it takes its locks.
    """
    with suppress(OSError), path.open("rb", buffering=0) as file:
        while file.read(_PIECE):
            pass


def _watch(path: Path) -> sqlite3.Connection:
    watcher = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    watcher.execute("PRAGMA query_only=ON")
    return watcher


def decoded(raw: bytes) -> str:
    """A damaged text must reach the verifier, which names it, instead of failing the read."""
    return raw.decode(errors="replace")


async def _connect(path: Path, *pragmas: str) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None)
    connection.text_factory = decoded
    try:
        for pragma in (*_PRAGMAS, *pragmas):
            await connection.execute_fetchall(f"PRAGMA {pragma}")
    except BaseException:
        await connection.close()
        raise
    return connection


async def _prepare(connection: aiosqlite.Connection, path: Path) -> None:
    """Bring the file into WAL mode, which lasts, after a look at whose it is.

    Where others do so at the same moment, SQLite fails at once and minds no `busy_timeout`.
    """
    deadline = anyio.current_time() + _BUSY_SECONDS
    while True:
        try:
            current = await _is_current(connection, path)
            # All of its answer is fetched, because until then it holds its lock.
            await connection.execute_fetchall("PRAGMA journal_mode=WAL")
            if not current:
                await _make_schema(connection, path)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or anyio.current_time() > deadline:
                raise
        await anyio.sleep(_RETRY_SECONDS)


async def _make_schema(connection: aiosqlite.Connection, path: Path) -> None:
    """Make what is missing. Of an older schema the log stays, and the views are folded again."""
    await connection.execute("BEGIN IMMEDIATE")
    try:
        if not await _is_current(connection, path):
            for kind, name in await connection.execute_fetchall(_REPLACED):
                await connection.execute(f"DROP {kind} {name}")
            known = {name for (name,) in await connection.execute_fetchall(_NAMES)}
            for statement in _statements(SCHEMA.read_text(encoding="utf-8")):
                if not known.intersection(_CREATED.findall(statement)):
                    await connection.execute(statement)
            await connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            await connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        await connection.execute("COMMIT")
    except BaseException:
        await connection.rollback()
        raise


_NAMES = "SELECT name FROM sqlite_master"
_REPLACED = """
    SELECT type, name FROM sqlite_master
    WHERE type = 'trigger' OR (type = 'table' AND name IN ('checkpoints', 'view_rows', 'past_rows'))
    ORDER BY type DESC
"""
_CREATED = re.compile(r"^CREATE \w+ (\w+)", re.MULTILINE)


async def _is_current(connection: aiosqlite.Connection, path: Path) -> bool:
    # One statement, so that a file that somebody else makes meanwhile is not seen half made.
    ((application_id, version, tables),) = await connection.execute_fetchall(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_application_id, pragma_user_version"
    )
    if tables and application_id != _APPLICATION_ID:
        raise StorageUnavailableError(f"{path} is a database of another program: choose another")
    if version > _SCHEMA_VERSION:
        raise StorageUnavailableError(
            f"{path} was written by a newer release (schema {version}, this one knows "
            f"{_SCHEMA_VERSION}): upgrade annals-registry"
        )
    return bool(tables) and version == _SCHEMA_VERSION


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into errors of the domain."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if _is_of_the_moment(error):
            raise StorageUnavailableError(
                f"{path}: {error}: is the disk full, the file writable and no other writer stuck?"
            ) from error
        raise CorruptLogError(f"{path}: {error}: restore the file from a backup") from error
    except OSError as error:
        raise StorageUnavailableError(
            f"{error.filename or path}: {error.strerror}: check the data directory"
        ) from error


def _is_of_the_moment(error: Exception) -> bool:
    """Whether the file may be sound. An unknown table or column (`SQLITE_ERROR`), or an error
    whose text cannot be decoded, comes of a damaged schema.
    """
    return (
        isinstance(error, sqlite3.OperationalError)
        and error.sqlite_errorcode != sqlite3.SQLITE_ERROR
    )
