"""What can be wrong with the SQLite file itself, below the level of events and commits."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

from adapters.storage import frontier_row
from adapters.storage.sqlite_database import SCHEMA, SqliteDatabase
from domain.errors import CorruptLogError
from domain.ports.storage import Damage

_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"


async def find_damage(database: SqliteDatabase) -> list[Damage]:
    """Everything that SQLite, the triggers, the counters and the Merkle frontier tell."""
    damages: list[Damage] = []
    try:
        async for what in _findings(database):
            damages.append(Damage(position=None, what=what))
    except CorruptLogError as error:
        damages.append(Damage(position=None, what=str(error)))
    return damages


async def _findings(database: SqliteDatabase) -> AsyncIterator[str]:
    for (message,) in await database.fetch("PRAGMA integrity_check"):
        if message != "ok":
            yield f"SQLite integrity check: {message}"
    for table, row, parent, _ in await database.fetch("PRAGMA foreign_key_check"):
        yield f"row {row} of {table} points at nothing in {parent}"
    altered = _triggers_as_made() ^ set(await database.fetch(_TRIGGERS))
    for name in sorted({name for name, _ in altered}):
        yield f"trigger {name} is not as it was made: the log can be changed"
    for table, key in (("commits", "commit_number"), ("events", "position")):
        ((rows, last, ever),) = await database.fetch(
            f"SELECT count(*), coalesce(max({key}), 0),"
            f" coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0) FROM {table}"
        )
        if not rows == last == ever:
            yield f"{table} has {rows} rows, {key} up to {last}, and once had {ever}"
    (frontier,) = await database.fetch(frontier_row.SELECT)
    frontier_row.unpack(*frontier)


def _triggers_as_made() -> set[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as made:
        made.executescript(SCHEMA.read_text(encoding="utf-8"))
        return set(made.execute(_TRIGGERS))
