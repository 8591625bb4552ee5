"""How events are read from SQLite: whole, or what they say alone."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from adapters.storage.sqlite_database import BATCH, SqliteDatabase, beyond, decoded
from domain.errors import CorruptLogError
from domain.identifiers import Position
from domain.log import Payload, StoredEvent
from domain.ports.storage import Compaction, Stretch
from domain.timestamps import from_micros, to_micros

EVENTS = """
    SELECT position, CAST(commit_id AS BLOB), recorded_at_us, effective_at_us,
           CAST(stream AS BLOB), stream_version, CAST(type AS BLOB), schema_version, data, leaf_hash
    FROM events JOIN commits USING (commit_number)
"""
_PART = "WHERE position > ?1 AND position <= ?2"
_FEW = 5000


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


# SQLite would take some short JSON of bytes for its own binary form.
_JSON = "CAST(data AS TEXT)"
_WANTED = f"""
    {_PART} AND {_of(["category"])} AND (?4 IS NULL OR commit_number IN (
        SELECT commit_number FROM commits WHERE effective_at_us <= ?4
    ))
"""
# Most of a long history are superseded. SQLite finds them beside Python, and in half the time.
_LAST = f"""
    SELECT max(position) FROM events {_WANTED} AND type = ?5
    GROUP BY stream, ifnull(iif(json_valid({_JSON}), json_extract({_JSON}, ?6), NULL), position)
"""
_COMPACTED = f"""
    SELECT position, recorded_at_us, effective_at_us, CAST(stream AS BLOB), CAST(type AS BLOB),
           schema_version, data
    FROM events JOIN commits USING (commit_number) {_WANTED}
      AND (type <> ?5 OR position IN ({_LAST}))
    ORDER BY position
"""


async def compacted(
    database: SqliteDatabase, category: str, stretch: Stretch, compaction: Compaction
) -> Sequence[Payload]:
    """See EventStorePort."""
    if not _whole([category]):
        return []
    by = None if stretch.by is None else to_micros(stretch.by)
    wanted = stretch.after, stretch.upto, category, by, compaction.type, f"$.{compaction.member}"
    rows = await database.fetch(_COMPACTED, *wanted)
    texts = _Texts()
    return [
        Payload(position, recorded_at, effective_at, texts[stream], texts[name], version, data)
        for position, recorded_at, effective_at, stream, name, version, data in rows
    ]


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
