"""How events are read from SQLite: whole, or what they say alone."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from adapters.storage.sqlite_database import BATCH, SqliteDatabase, beyond
from domain.errors import CorruptLogError
from domain.identifiers import ORIGIN, Position
from domain.log import Payload, StoredEvent
from domain.timestamps import from_micros

EVENTS = """
    SELECT position, commit_id, recorded_at_us, effective_at_us, stream, stream_version, type,
           schema_version, data, leaf_hash
    FROM events JOIN commits USING (commit_number)
"""
_PAYLOADS = """
    SELECT position, recorded_at_us, effective_at_us, stream, type, schema_version, data
    FROM events JOIN commits USING (commit_number)
"""
_PART = "WHERE position > ?1 AND position <= ?2"
_OF_CATEGORY = """
    AND substr(stream, 1, instr(stream || '-', '-') - 1) IN (SELECT value FROM json_each(?3))
"""
# Found by the index: where they are few among many, nothing else of the log is looked at.
_CANDIDATES = """
    SELECT candidate.position FROM json_each(?3) AS category CROSS JOIN events AS candidate
    WHERE candidate.stream = category.value
       OR candidate.stream >= category.value || '-' AND candidate.stream < category.value || '.'
"""
_FEW = 5000
_PAYLOAD_BATCH = 2000  # these are little more than rows as they come


async def read(
    database: SqliteDatabase, after: Position, upto: Position, categories: Sequence[str] | None
) -> AsyncIterator[Sequence[StoredEvent]]:
    """See EventStorePort."""
    sql = f"{EVENTS} {_PART}"
    arguments: list[Any] = []
    if categories is not None:
        arguments = [json.dumps(categories)]
        sql += _OF_CATEGORY
        if upto - after > _FEW and await _are_few(database, after, upto, *arguments):
            sql += f" AND position IN ({_CANDIDATES})"
    sql += f" ORDER BY position LIMIT {BATCH}"
    while rows := await database.fetch(sql, after, upto, *arguments):
        yield [event_of(row) for row in rows]
        after = beyond(after, rows[-1][0])


async def _are_few(database: SqliteDatabase, *arguments: Any) -> bool:
    """Whether there are few events of some categories in all of the log."""
    return len(await database.fetch(f"{_CANDIDATES} LIMIT {_FEW}", *arguments)) < _FEW


async def payloads(
    database: SqliteDatabase, upto: Position, categories: Sequence[str]
) -> AsyncIterator[Sequence[Payload]]:
    """See EventStorePort."""
    sql = f"{_PAYLOADS} {_PART} {_OF_CATEGORY} ORDER BY position LIMIT {_PAYLOAD_BATCH}"
    after = ORIGIN
    while rows := await database.fetch(sql, after, upto, json.dumps(categories)):
        yield [Payload._make(row) for row in rows]
        after = beyond(after, rows[-1][0])


def event_of(row: Sequence[Any]) -> StoredEvent:
    """What a row of EVENTS says.

    Raises:
        CorruptLogError: its commit has a time that is none.
    """
    try:
        return StoredEvent(
            position=row[0],
            commit_id=row[1],
            recorded_at=from_micros(row[2]),
            effective_at=from_micros(row[3]),
            stream=row[4],
            stream_version=row[5],
            type=row[6],
            schema_version=row[7],
            data=row[8],
            leaf_hash=row[9],
        )
    except OverflowError as error:
        raise CorruptLogError(f"position {row[0]}: its commit has an impossible time") from error
