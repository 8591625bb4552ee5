"""What can be wrong with the SQLite file itself, below the level of events and commits."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing

from adapters.storage import document_body, frontier_row
from adapters.storage.sqlite_database import SCHEMA, SqliteDatabase
from adapters.storage.sqlite_documents import DICTIONARIES
from domain.errors import CorruptLogError
from domain.ports.storage import Damage

_LOG = ("commits", "events", "documents", "dictionaries", "redactions", "frontier")
_SCHEMA = """
    SELECT type, name, sql FROM sqlite_master
    WHERE type = 'trigger' OR (type = 'table' AND name NOT LIKE 'sqlite%')
"""


async def find_damage(database: SqliteDatabase) -> Sequence[Damage]:
    """Everything that SQLite, the schema, the numbers and the Merkle frontier tell."""
    found: list[str] = []
    for check in _CHECKS:
        try:
            found += await check(database)
        except CorruptLogError as error:
            found.append(str(error))
    return [Damage(position=None, what=what) for what in dict.fromkeys(found)]


async def _integrity(database: SqliteDatabase) -> list[str]:
    return _told(await database.fetch("PRAGMA quick_check"))


async def _indexes(database: SqliteDatabase) -> list[str]:
    """Those of views, which can be made again, would take longer than all others."""
    checks = [f"PRAGMA integrity_check({table})" for table in _LOG]
    return _told([row for check in checks for row in await database.fetch(check)])


def _told(messages: Iterable[tuple[str]]) -> list[str]:
    return [f"SQLite integrity check: {message}" for (message,) in messages if message != "ok"]


async def _references(database: SqliteDatabase) -> list[str]:
    rows = await database.fetch("PRAGMA foreign_key_check")
    return [f"row {row} of {table} points at nothing in {parent}" for table, row, parent, _ in rows]


async def _schema(database: SqliteDatabase) -> list[str]:
    altered = _schema_as_made() ^ set(await database.fetch(_SCHEMA))
    found = sorted({(kind, name) for kind, name, _ in altered})
    return [f"{kind} {name} is not as it was made: the log can be changed" for kind, name in found]


def _schema_as_made() -> set[tuple[str, str, str]]:
    with closing(sqlite3.connect(":memory:")) as made:
        made.executescript(SCHEMA.read_text(encoding="utf-8"))
        return set(made.execute(_SCHEMA))


async def _counters(database: SqliteDatabase) -> list[str]:
    found = []
    for table, key in (("commits", "commit_number"), ("events", "position")):
        ((rows, last, ever),) = await database.fetch(
            f"SELECT count(*), coalesce(max({key}), 0),"
            f" coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0) FROM {table}"
        )
        if not rows == last == ever:
            found.append(f"{table} has {rows} rows, {key} up to {last}, and once had {ever}")
    return found


async def _order(database: SqliteDatabase) -> list[str]:
    rows = await database.fetch(
        "SELECT commit_number FROM commits WHERE first_position != 1 + coalesce((SELECT"
        " last_position FROM commits AS b WHERE b.commit_number = commits.commit_number - 1), 0)"
    )
    return [f"commit {number} does not begin where commit {number - 1} ends" for (number,) in rows]


async def _frontier(database: SqliteDatabase) -> list[str]:
    (row,) = await database.fetch(frontier_row.SELECT)
    frontier_row.unpack(*row)
    return []


async def _erasures(database: SqliteDatabase) -> list[str]:
    rows = await database.fetch(
        "SELECT hash FROM redactions JOIN documents USING (hash)"
        " WHERE body != zeroblob(length(body)) ORDER BY hash"
    )
    return [f"document {kept} is marked as erased, and its body is still there" for (kept,) in rows]


async def _dictionaries(database: SqliteDatabase) -> list[str]:
    rows = await database.fetch(DICTIONARIES)
    return [damage for row in rows if (damage := document_body.damage_of(row))]


_CHECKS = (
    _integrity,
    _indexes,
    _references,
    _schema,
    _counters,
    _order,
    _frontier,
    _erasures,
    _dictionaries,
)
