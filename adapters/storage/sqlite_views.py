"""How views lie in SQLite: the rows that hold now, and those that once did."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import aiosqlite

from adapters.storage.sqlite_bundle import bundled, rows_of
from adapters.storage.sqlite_database import SqliteDatabase
from domain.identifiers import ORIGIN, Position
from domain.ports.storage import RowVersion, View, ViewChange

ROWS = """
    SELECT key, value FROM view_rows WHERE projection = ? AND version = ? AND key >= ?
    ORDER BY key
"""
_ARCHIVE = """
    INSERT INTO past_rows
    SELECT projection, version, key, since, ?, value FROM view_rows
    WHERE projection = ? AND version = ? AND key = ?
"""
_PASSED = "INSERT INTO past_rows VALUES (?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM view_rows WHERE projection = ? AND version = ? AND key = ?"
_PUT = "INSERT OR REPLACE INTO view_rows VALUES (?, ?, ?, ?, ?)"
_KEYS = "projection = ?1 AND version = ?2 AND key >= ?3 AND key < ?4"
# Nothing where the view has gone beyond the position. One statement, so that it cannot meanwhile;
# by the limit, because a condition would be looked at for every row.
_ROWS_NOW = bundled(
    f"""
    SELECT key, value FROM view_rows WHERE {_KEYS} ORDER BY key
    LIMIT iif(
        ?5 >= (SELECT position FROM checkpoints WHERE projection = ?1 AND version = ?2), ?6, 0
    )
    """,
    ["key"],
    "value",
)
_BOUND = f"""
    coalesce((SELECT key FROM view_rows WHERE {_KEYS} ORDER BY key LIMIT 1 OFFSET ?5), ?4)
"""
_PART = f"projection = ?1 AND version = ?2 AND key >= ?3 AND key < {_BOUND}"
# Both halves come in the order of their keys, so no more of them is read than is wanted. The bound
# comes first, as another statement would find another one where the view has gone on.
_ROWS_AT = bundled(
    f"""
    SELECT {_BOUND} AS key, x'' AS value
    UNION ALL
    SELECT * FROM (
        SELECT key, value FROM view_rows WHERE {_PART} AND since <= ?6
        UNION ALL
        SELECT key, value FROM past_rows WHERE {_PART} AND since <= ?6 AND until > ?6
        ORDER BY key LIMIT ?7
    )
    """,
    ["key"],
    "value",
)
# JSON texts of SQLite end at a NUL, which keys just beyond others end in.
_ESCAPES = (("\1", "\1b"), ("\0", "\1a"))
_UNESCAPED = (
    "replace(replace(ranges.value ->> {}, char(1) || 'a', char(0)), char(1) || 'b', char(1))"
)
_WITHIN = f"""
    SELECT view_rows.key, view_rows.value
    FROM json_each(?3) AS ranges CROSS JOIN view_rows
    WHERE projection = ?1 AND version = ?2
      AND view_rows.key >= {_UNESCAPED.format(0)} AND view_rows.key < {_UNESCAPED.format(1)}
    ORDER BY ranges.key, view_rows.key
"""
_HISTORY = f"""
    SELECT key, since, until, value FROM past_rows WHERE {_KEYS}
    UNION ALL
    SELECT key, since, NULL, value FROM view_rows WHERE {_KEYS}
    ORDER BY key, since
"""
_PUT_BEYOND = """
    projection = ?1 AND version = ?2 AND since >= ?3 AND (since, key) > (?3, ?4) AND since <= ?5
"""
_CHANGES = f"""
    SELECT since, key FROM view_rows WHERE {_PUT_BEYOND}
    UNION ALL
    SELECT since, key FROM past_rows WHERE {_PUT_BEYOND}
    ORDER BY since, key LIMIT ?6
"""


async def checkpoint(database: SqliteDatabase, view: View) -> Position:
    """Up to where a view has been brought."""
    sql = "SELECT position FROM checkpoints WHERE projection = ? AND version = ?"
    rows = await database.fetch(sql, *_name(view))
    return int(rows[0][0]) if rows else ORIGIN


async def advance(
    db: aiosqlite.Connection,
    view: View,
    changes: Iterable[ViewChange],
    *,
    after: Position,
    upto: Position,
) -> bool:
    """Write changes and the checkpoint, inside a transaction."""
    if not await _move_checkpoint(db, view, after, upto):
        return False
    held = _held(changes)
    if view.keeps_past:
        await _keep_past(db, view, held, is_new=after == ORIGIN)
    gone = [key for key, values in held.items() if values[-1][1] is None]
    await db.executemany(_DELETE, ((*_name(view), key) for key in gone))
    put = ((key, *values[-1]) for key, values in held.items() if values[-1][1] is not None)
    await db.executemany(_PUT, ((*_name(view), *row) for row in put))
    return True


_Held = list[tuple[Position, bytes | None]]
"""What a key came to hold, and from which position, None for nothing."""


def _held(changes: Iterable[ViewChange]) -> Mapping[str, _Held]:
    """By key, so that many small changes take few statements."""
    held: dict[str, _Held] = {}
    for change in changes:
        for key in change.deletes:
            held.setdefault(key, []).append((change.since, None))
        for key, value in change.puts.items():
            held.setdefault(key, []).append((change.since, value))
    return held


async def _keep_past(
    db: aiosqlite.Connection, view: View, held: Mapping[str, _Held], *, is_new: bool
) -> None:
    if not is_new:
        first = ((values[0][0], *_name(view), key) for key, values in held.items())
        await db.executemany(_ARCHIVE, first)
    passed = (
        (*_name(view), key, since, until, value)
        for key, values in held.items()
        for (since, value), (until, _) in pairwise(values)
        if value is not None
    )
    await db.executemany(_PASSED, passed)


async def rows_within(
    database: SqliteDatabase, view: View, ranges: Sequence[tuple[str, str]]
) -> Sequence[tuple[str, bytes]]:
    """The rows of many ranges."""
    listed = json.dumps([[_escaped(bound) for bound in bounds] for bounds in ranges])
    return await database.fetch(_WITHIN, *_name(view), listed)


def _escaped(key: str) -> str:
    for character, escape in _ESCAPES:
        key = key.replace(character, escape)
    return key


async def rows_at(
    database: SqliteDatabase, view: View, position: Position, start: str, stop: str, limit: int
) -> Sequence[tuple[str, bytes]]:
    """Rows of a range as they were.

    Beyond the checkpoint they are those that hold now. All else is read in parts, or a half that
    has nothing of that position would be read to its end.
    """
    now = rows_of(await database.fetch(_ROWS_NOW, *_name(view), start, stop, position, limit))
    if now:
        return now
    found: list[tuple[str, bytes]] = []
    some = 2 * limit
    while True:
        wanted = (start, stop, some, position, limit - len(found))
        (start, _), *rows = rows_of(await database.fetch(_ROWS_AT, *_name(view), *wanted))
        found += rows
        if len(found) == limit or start == stop:
            return found
        some *= 2


async def row_history(
    database: SqliteDatabase, view: View, start: str, stop: str
) -> Sequence[RowVersion]:
    """All that the rows of a range ever held."""
    rows = await database.fetch(_HISTORY, *_name(view), start, stop)
    return [RowVersion(key=k, since=since, until=u, value=v) for k, since, u, v in rows]


async def row_changes(
    database: SqliteDatabase, view: View, after: tuple[Position, str], upto: Position, limit: int
) -> Sequence[tuple[Position, str]]:
    """Positions and keys at which rows were put."""
    return await database.fetch(_CHANGES, *_name(view), *after, upto, limit)


async def drop(db: aiosqlite.Connection, view: View) -> None:
    """Delete everything of a view, inside a transaction."""
    for table in ("view_rows", "past_rows", "checkpoints"):
        await db.execute(f"DELETE FROM {table} WHERE projection = ? AND version = ?", _name(view))


async def _move_checkpoint(
    db: aiosqlite.Connection, view: View, after: Position, upto: Position
) -> bool:
    await db.execute(
        "INSERT INTO checkpoints VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (*_name(view), ORIGIN)
    )
    moved = await db.execute(
        "UPDATE checkpoints SET position = ? WHERE projection = ? AND version = ? AND position = ?",
        (upto, *_name(view), after),
    )
    return moved.rowcount == 1


def _name(view: View) -> tuple[str, int]:
    return view.projection, view.version
