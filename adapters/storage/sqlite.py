"""The event log and its views in one SQLite file. Tables: see schema.sql."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import aiosqlite
import anyio.to_thread

from adapters.storage import (
    document_body,
    frontier_row,
    sqlite_check,
    sqlite_erasure,
    sqlite_events,
    sqlite_views,
)
from adapters.storage.growth import Growth
from adapters.storage.sqlite_database import BATCH, SqliteDatabase, beyond, read_through
from adapters.storage.sqlite_documents import SqliteDocuments
from adapters.storage.sqlite_events import EVENTS, events_of
from domain.asof import AtPosition, AtRecorded, RecordedAsOf
from domain.errors import CorruptLogError
from domain.identifiers import ORIGIN, CommitId, DocumentHash, Position, StreamName
from domain.log import (
    Appended,
    Head,
    MadeCommit,
    NewCommit,
    Payload,
    Standing,
    StoredCommit,
    StoredEvent,
    StreamHead,
    make_commit,
    refuse_other_content,
)
from domain.ports.clock import ClockPort
from domain.ports.storage import Compaction, Damage, RowVersion, Stretch, View, ViewChange
from domain.timestamps import from_micros, to_micros

_COMMITS = """
    SELECT commit_id, recorded_at_us, effective_at_us, first_position, last_position, root
    FROM commits
"""


class SqliteStorage:
    """StoragePort in a SQLite file. One process writes at a time, any number reads."""

    def __init__(self, database: SqliteDatabase, clock: ClockPort) -> None:
        self._database = database
        self._documents = SqliteDocuments(database)
        self._growth = Growth(database.version)
        self._clock = clock

    @classmethod
    async def open(cls, path: Path, clock: ClockPort) -> Self:
        """Open the log at *path*, which is made where there is none.

        Raises:
            StorageUnavailableError
        """
        return cls(await SqliteDatabase.open(path), clock)

    @classmethod
    async def open_whole(cls, path: Path, clock: ClockPort) -> Self:
        """The same in a process that is about to read all of it, and has it not open yet."""
        await anyio.to_thread.run_sync(read_through, path)
        return await cls.open(path, clock)

    async def stage(self, commit_id: CommitId, documents: Mapping[DocumentHash, bytes]) -> None:
        bodies = await self._documents.pack(documents)
        # Not `IMMEDIATE`: nobody else has to wait for what only this connection sees.
        async with self._database.transaction("BEGIN") as db:
            await db.executemany(
                "INSERT INTO staged VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(commit_id, *body) for body in bodies],
            )

    async def unstage(self, commit_id: CommitId) -> None:
        async with self._database.transaction("BEGIN") as db:
            await db.execute("DELETE FROM staged WHERE commit_id = ?", (commit_id,))

    async def append(self, commit: NewCommit) -> Appended:
        bodies = await self._documents.pack(commit.documents)
        async with self._database.transaction() as db:
            if known := await _find_commit(db, commit.commit_id):
                refuse_other_content(commit, await _events_of(db, known))
                return Appended(commit=known, repeated=True)
            standing = await _standing(db, [write.stream for write in commit.writes])
            made = await anyio.to_thread.run_sync(make_commit, commit, standing, self._clock.now())
            number = await _insert(db, made, bodies)
            await sqlite_erasure.erase(db, commit.erased, number)
        self._growth.tell()
        return Appended(commit=made.commit, repeated=False)

    async def read(
        self,
        *,
        after: Position = ORIGIN,
        upto: Position | None = None,
        categories: Sequence[str] | None = None,
    ) -> AsyncIterator[Sequence[StoredEvent]]:
        last = (await self.head()).position if upto is None else upto
        async for batch in sqlite_events.read(self._database, after, last, categories):
            yield batch

    async def compacted(
        self, category: str, stretch: Stretch, compaction: Compaction
    ) -> Sequence[Payload]:
        return await sqlite_events.compacted(self._database, category, stretch, compaction)

    async def head(self) -> Head:
        return _head(await self._one_commit("ORDER BY commit_number DESC"))

    async def stream_version(self, stream: StreamName) -> int:
        sql = "SELECT coalesce(max(stream_version), 0) FROM events WHERE stream = ?"
        ((version,),) = await self._database.fetch(sql, stream)
        return int(version)

    async def commit_at(self, as_of: RecordedAsOf) -> StoredCommit | None:
        match as_of:
            case AtPosition(position):
                return await self._one_commit(
                    "WHERE last_position <= ? ORDER BY last_position DESC", position
                )
            case AtRecorded(at):
                return await self._one_commit(
                    "WHERE recorded_at_us <= ? ORDER BY recorded_at_us DESC", to_micros(at)
                )

    async def commit_of(self, position: Position) -> StoredCommit | None:
        clause = "WHERE first_position <= ?1 AND last_position >= ?1 ORDER BY first_position DESC"
        return await self._one_commit(clause, position)

    async def effective_times(self, recorded: Iterable[datetime]) -> Mapping[datetime, datetime]:
        sql = """
            SELECT recorded_at_us, effective_at_us FROM commits
            WHERE recorded_at_us IN (SELECT value FROM json_each(?))
        """
        rows = await self._database.fetch(sql, json.dumps([to_micros(at) for at in recorded]))
        return {from_micros(at): from_micros(effective_at) for at, effective_at in rows}

    async def first_of(self, stream: StreamName) -> StoredEvent | None:
        return next(iter(await self._event_of(stream, 1)), None)

    async def _event_of(self, stream: StreamName, version: int) -> list[StoredEvent]:
        sql = f"{EVENTS} WHERE stream = ? AND stream_version = ?"
        return events_of(await self._database.fetch(sql, stream, version))

    async def in_effect(
        self, stream: StreamName, effective_at: datetime, *, upto: Position
    ) -> Position:
        """Both times of a stream only grow, so a few looks at its versions find the place."""
        low, high, found = 1, await self.stream_version(stream), ORIGIN
        while low <= high:
            middle = (low + high) // 2
            (event,) = await self._event_of(stream, middle)
            if event.position <= upto and event.effective_at <= effective_at:
                low, found = middle + 1, event.position
            else:
                high = middle - 1
        return found

    async def first_commit(self) -> StoredCommit | None:
        return await self._one_commit("ORDER BY commit_number")

    async def _one_commit(self, clause: str, *parameters: Any) -> StoredCommit | None:
        rows = await self._database.fetch(f"{_COMMITS} {clause} LIMIT 1", *parameters)
        return _commit(rows[0]) if rows else None

    async def commits(self, *, after: Position = ORIGIN) -> AsyncIterator[Sequence[StoredCommit]]:
        sql = f"{_COMMITS} WHERE first_position > ? ORDER BY first_position LIMIT {BATCH}"
        while rows := await self._database.fetch(sql, after):
            yield [_commit(row) for row in rows]
            after = beyond(after, rows[-1][3])

    async def leaf_hashes(self, *, after: Position, upto: Position) -> Sequence[bytes]:
        sql = "SELECT leaf_hash FROM events WHERE position > ? AND position <= ? ORDER BY position"
        return [leaf for (leaf,) in await self._database.fetch(sql, after, upto)]

    async def documents(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        return await self._documents.documents(hashes)

    async def packed(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        return await self._documents.packed(hashes)

    def unpack(self, packed: Sequence[bytes]) -> Sequence[bytes]:
        return self._documents.unpack(packed)

    async def grown(self) -> None:
        await self._growth.wait()

    def all_documents(self) -> AsyncIterator[Mapping[DocumentHash, bytes | None]]:
        return self._documents.all_documents()

    async def erasures(self) -> Mapping[DocumentHash, CommitId]:
        return await sqlite_erasure.erasures(self._database)

    async def scrub(self) -> bool:
        return await self._database.truncate_wal()

    async def checkpoint(self, view: View) -> Position:
        return await sqlite_views.checkpoint(self._database, view)

    async def advance(
        self, view: View, changes: Sequence[ViewChange], *, after: Position, upto: Position
    ) -> bool:
        async with self._database.transaction() as db:
            moved = await sqlite_views.advance(db, view, changes, after=after, upto=upto)
        self._growth.tell()
        return moved

    async def rows(self, view: View) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        sql = f"{sqlite_views.ROWS} LIMIT {BATCH}"
        start = ""
        while rows := await self._database.fetch(sql, view.projection, view.version, start):
            yield rows
            start = beyond(start, rows[-1][0] + "\0")  # the next key there can be

    async def rows_within(
        self, view: View, ranges: Sequence[tuple[str, str]]
    ) -> Sequence[tuple[str, bytes]]:
        return await sqlite_views.rows_within(self._database, view, ranges)

    async def rows_at(
        self, view: View, position: Position, *, start: str, stop: str, limit: int
    ) -> Sequence[tuple[str, bytes]]:
        return await sqlite_views.rows_at(self._database, view, position, start, stop, limit)

    async def row_history(self, view: View, *, start: str, stop: str) -> Sequence[RowVersion]:
        return await sqlite_views.row_history(self._database, view, start, stop)

    async def row_changes(
        self, view: View, *, after: tuple[Position, str], upto: Position, limit: int
    ) -> Sequence[tuple[Position, str]]:
        return await sqlite_views.row_changes(self._database, view, after, upto, limit)

    async def drop(self, view: View) -> None:
        async with self._database.transaction() as db:
            await sqlite_views.drop(db, view)
        self._growth.tell()

    async def self_check(self) -> Sequence[Damage]:
        return await sqlite_check.find_damage(self._database)

    async def close(self) -> None:
        await self._database.close()


async def _find_commit(db: aiosqlite.Connection, commit_id: CommitId) -> StoredCommit | None:
    rows = list(await db.execute_fetchall(f"{_COMMITS} WHERE commit_id = ?", (commit_id,)))
    return _commit(rows[0]) if rows else None


async def _events_of(db: aiosqlite.Connection, commit: StoredCommit) -> Sequence[StoredEvent]:
    rows = await db.execute_fetchall(
        f"{EVENTS} WHERE commit_id = ? ORDER BY position", (commit.commit_id,)
    )
    return events_of(list(rows))


async def _standing(db: aiosqlite.Connection, streams: Iterable[StreamName]) -> Standing:
    rows = list(await db.execute_fetchall(f"{_COMMITS} ORDER BY commit_number DESC LIMIT 1"))
    (frontier,) = await db.execute_fetchall(frontier_row.SELECT)
    return Standing(
        head=_head(_commit(rows[0]) if rows else None),
        frontier=frontier_row.unpack(*frontier),
        streams={stream: await _stream_head(db, stream) for stream in streams},
    )


async def _stream_head(db: aiosqlite.Connection, stream: StreamName) -> StreamHead:
    rows = await db.execute_fetchall(
        "SELECT stream_version, effective_at_us FROM events JOIN commits USING (commit_number)"
        " WHERE stream = ? ORDER BY stream_version DESC LIMIT 1",
        (stream,),
    )
    return next(
        (StreamHead(version, from_micros(effective_at)) for version, effective_at in rows),
        StreamHead(),
    )


async def _insert(
    db: aiosqlite.Connection, made: MadeCommit, bodies: Sequence[document_body.Row]
) -> int | None:
    """Write a commit with its events and documents. Returns its number."""
    commit = made.commit
    cursor = await db.execute(
        "INSERT INTO commits (commit_id, recorded_at_us, effective_at_us, first_position,"
        " last_position, root) VALUES (?, ?, ?, ?, ?, ?)",
        (
            commit.commit_id,
            to_micros(commit.recorded_at),
            to_micros(commit.effective_at),
            commit.first_position,
            commit.last_position,
            commit.root,
        ),
    )
    await db.executemany(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (_event_row(event, cursor.lastrowid) for event in made.events),
    )
    await db.executemany(
        "INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING", bodies
    )
    await db.execute(
        "INSERT INTO documents SELECT hash, body, body_crc32 FROM staged WHERE commit_id = ?"
        " ORDER BY rowid ON CONFLICT (hash) DO NOTHING",
        (commit.commit_id,),
    )
    await db.execute("DELETE FROM staged WHERE commit_id = ?", (commit.commit_id,))
    await db.execute(
        "INSERT OR REPLACE INTO frontier VALUES (1, ?, ?)", frontier_row.pack(made.frontier)
    )
    return cursor.lastrowid


def _event_row(event: StoredEvent, commit_number: int | None) -> tuple[Any, ...]:
    return (
        event.position,
        commit_number,
        event.stream,
        event.stream_version,
        event.type,
        event.schema_version,
        event.data,
        event.leaf_hash,
    )


def _head(last: StoredCommit | None) -> Head:
    return Head(last.last_position, last.recorded_at, last.root) if last else Head()


def _commit(row: Sequence[Any]) -> StoredCommit:
    try:
        return StoredCommit(
            commit_id=row[0],
            recorded_at=from_micros(row[1]),
            effective_at=from_micros(row[2]),
            first_position=row[3],
            last_position=row[4],
            root=row[5],
        )
    except OverflowError as error:
        raise CorruptLogError(
            f"commit {row[0]} at position {row[3]} has an impossible time"
        ) from error
