"""How events are read from SQLite: whole, or what they say alone."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from adapters.storage.sqlite_database import BATCH, SqliteDatabase, beyond, decoded
from domain.errors import CorruptLogError
from domain.identifiers import ORIGIN, Position
from domain.log import Payload, StoredEvent
from domain.timestamps import from_micros

EVENTS = """
    SELECT position, CAST(commit_id AS BLOB), recorded_at_us, effective_at_us,
           CAST(stream AS BLOB), stream_version, CAST(type AS BLOB), schema_version, data, leaf_hash
    FROM events JOIN commits USING (commit_number)
"""
_PAYLOADS = """
    SELECT position, recorded_at_us, effective_at_us, CAST(stream AS BLOB), CAST(type AS BLOB),
           schema_version, data
    FROM events JOIN commits USING (commit_number)
"""
_PART = "WHERE position > ?1 AND position <= ?2"
_FEW = 5000
_PAYLOAD_BATCH = 5000  # these are little more than rows as they come


async def read(
    database: SqliteDatabase, after: Position, upto: Position, categories: Sequence[str] | None
) -> AsyncIterator[Sequence[StoredEvent]]:
    """See EventStorePort."""
    sql = f"{EVENTS} {_PART}"
    if categories is not None:
        if not (categories := _whole(categories)):
            return
        candidates = f"SELECT position FROM events WHERE {_of(categories, 'stream')}"
        is_few = upto - after > _FEW and await _are_few(database, candidates, categories)
        # Found by their index where they are few: nothing else of a long stretch is looked at.
        sql += f" AND position IN ({candidates})" if is_few else f" AND {_of(categories)}"
    sql += f" ORDER BY position LIMIT {BATCH}"
    while rows := await database.fetch(sql, after, upto, *(categories or ())):
        yield events_of(rows)
        after = beyond(after, rows[-1][0])


async def _are_few(database: SqliteDatabase, candidates: str, categories: Sequence[str]) -> bool:
    """Whether there are few candidates in all of the log."""
    sql = f"{candidates} LIMIT {_FEW}"
    return len(await database.fetch(sql, None, None, *categories)) < _FEW


def _whole(categories: Sequence[str]) -> Sequence[str]:
    """Those that are what a stream's name has before its first dash, which has none."""
    return [category for category in categories if "-" not in category]


def _of(categories: Sequence[str], stream: str = "+stream") -> str:
    """The condition that a stream is of a category. With a `+` it is no reason to use an index."""
    conditions = (
        f"{stream} = ?{number} OR {stream} >= ?{number} || '-' AND {stream} < ?{number} || '.'"
        for number in range(3, len(categories) + 3)
    )
    return f"({' OR '.join(conditions)})"


async def payloads(
    database: SqliteDatabase, upto: Position, categories: Sequence[str]
) -> AsyncIterator[Sequence[Payload]]:
    """See EventStorePort."""
    if not (categories := _whole(categories)):
        return
    sql = f"{_PAYLOADS} {_PART} AND {_of(categories)} ORDER BY position LIMIT {_PAYLOAD_BATCH}"
    after = ORIGIN
    texts = _Texts()
    while rows := await database.fetch(sql, after, upto, *categories):
        yield [
            Payload(position, recorded_at, effective_at, texts[stream], texts[name], version, data)
            for position, recorded_at, effective_at, stream, name, version, data in rows
        ]
        after = beyond(after, rows[-1][0])


def events_of(rows: Sequence[Sequence[Any]]) -> list[StoredEvent]:
    """What rows of EVENTS say.

    Raises:
        CorruptLogError: a commit has a time that is none.
    """
    texts, times = _Texts(), _Times()
    try:
        return [
            StoredEvent(
                position=row[0],
                commit_id=texts[row[1]],
                recorded_at=times[row[2]],
                effective_at=times[row[3]],
                stream=texts[row[4]],
                stream_version=row[5],
                type=texts[row[6]],
                schema_version=row[7],
                data=row[8],
                leaf_hash=row[9],
            )
            for row in rows
        ]
    except OverflowError as error:
        raise CorruptLogError(
            f"a commit at or soon after position {rows[0][0]} has an impossible time"
        ) from error


class _Texts(dict[bytes, Any]):
    """Texts that come again and again, each decoded once."""

    def __missing__(self, raw: bytes) -> str:
        text = self[raw] = decoded(raw)
        return text


class _Times(dict[int, datetime]):
    """The times of commits, which many events share."""

    def __missing__(self, micros: int) -> datetime:
        time = self[micros] = from_micros(micros)
        return time
