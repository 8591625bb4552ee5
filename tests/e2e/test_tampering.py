"""Whatever is changed in the tables of a log, `registry verify` names it."""

import json
import shutil
import sqlite3
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import Any

import anyio
import attrs
import pytest

from adapters.storage.sqlite import SqliteStorage
from application.verify import verify
from domain.errors import AnnalsError
from domain.ports.storage import Damage
from entrypoints.config import Config, load
from entrypoints.container import opened, synced_sources
from entrypoints.running import prepare
from entrypoints.settings import Settings
from tests.harness.clock import SteppingClock
from tests.harness.sqlite_files import run_script, tamper

TABLES = ("commits", "events", "documents", "frontier")
KEYS = ("commit_number", "position", "only_row")
"""Columns that are the row's number."""
CONFIGURATION = """
sources:
  - {{name: one, file: {{path: {directory}/one.json}}}}
  - {{name: two, file: {{path: {directory}/two.json}}}}
"""


def server(name: str, **members: Any) -> dict[str, Any]:
    return {"name": f"io.example/{name}", "version": "1", "description": "Does things.", **members}


UNDESCRIBED = {"name": "io.example/undescribed", "version": "1"}
DEPRECATED = {
    "server": server("c"),
    "_meta": {"io.modelcontextprotocol.registry/official": {"status": "deprecated"}},
}
SYNCS: Sequence[tuple[Any, Any]] = (
    ([server("a"), server("b"), UNDESCRIBED], [server("c")]),
    ([server("a", description="Does more.")], "<html>"),
    ([server("a", description="Does more.")], [DEPRECATED]),
)
"""What the two sources offer: listed and rejected; revised, delisted, failed; status changed."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small log in which everything happens once."""
    directory = tmp_path_factory.mktemp("small")
    file = directory / "annals.yaml"
    file.write_text(CONFIGURATION.format(directory=directory))
    settings = Settings(config=load(file), config_file=file, data_dir=directory)

    async def work() -> None:
        async with opened(settings.config, directory) as container:
            await prepare(container, settings)
            for offers in SYNCS:
                for source, offer in zip(synced_sources(settings.config, directory), offers):
                    (directory / f"{source.name}.json").write_text(json.dumps(offer))
                    await container.syncer().sync(source)

    anyio.run(work)
    return directory / "annals.db"


@attrs.frozen(kw_only=True)
class Cell:
    """A value in a table, with what `verify` has to name when it is changed.

    `positions` are those that the row is about, none for a document or the frontier; `name` is
    what a document is known by.
    """

    table: str
    column: str
    rowid: int
    value: Any
    positions: range
    name: str

    def is_named(self, damages: Sequence[Damage]) -> bool:
        """Whether the damages tell of this cell's row."""
        if self.positions:
            return any(damage.position in self.positions for damage in damages)
        return any(self.name in damage.what for damage in damages)


def cells_of(path: Path, table: str) -> Iterator[Cell]:
    """Every cell of a table; texts as bytes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute(f"SELECT rowid AS row_id, * FROM {table}").fetchall():
            for column in row.keys()[1:]:
                yield Cell(
                    table=table,
                    column=column,
                    rowid=row["row_id"],
                    value=row[column],
                    positions=_positions(table, row),
                    name=row["hash"] if table == "documents" else "frontier",
                )


def _positions(table: str, row: sqlite3.Row) -> range:
    match table:
        case "events":
            return range(row["position"], row["position"] + 1)
        case "commits":
            return range(row["first_position"], row["last_position"] + 1)
        case _:
            return range(0)


def changes_of(value: int | str | bytes, *, every: bool) -> Iterator[int | bytes]:
    """Values that differ from *value* in one bit, and of numbers the neighbours as well.

    With *every* all bits of numbers and three of each byte; else a sample of both.
    """
    if isinstance(value, int):
        yield from (value - 1, value + 1)
        for bit in range(64) if every else range(3, 64, 12):
            yield from struct.unpack("q", struct.pack("Q", value ^ 1 << bit))
        return
    raw = value.encode() if isinstance(value, str) else value
    for index in range(0 if every else len(raw) % 5, len(raw), 1 if every else 5):
        for bit in (0, 4, 7) if every else (index % 8,):
            yield raw[:index] + bytes([raw[index] ^ 1 << bit]) + raw[index + 1 :]


class TamperedLog:
    """A log without its triggers, open both for `verify` and for changes by another program."""

    def __init__(self, storage: SqliteStorage, connection: sqlite3.Connection) -> None:
        self._storage = storage
        self._connection = connection

    async def misses(self, cell: Cell, change: int | bytes) -> bool:
        """Whether nothing tells of a cell that has been changed. It is as before afterwards.

        A change that SQLite refuses, because two rows would have the same key, is none.
        """
        is_key = cell.value == cell.rowid and cell.column in KEYS
        try:
            self._set(cell, change, cell.rowid)
        except sqlite3.IntegrityError:
            return False
        try:
            return not cell.is_named(await self.damages())
        finally:
            self._set(cell, cell.value, change if is_key else cell.rowid)

    async def damages(self) -> Sequence[Damage]:
        """What is wrong beside the triggers."""
        found = (await verify(self._storage)).damages
        return [damage for damage in found if not damage.what.startswith("trigger")]

    def _set(self, cell: Cell, value: Any, rowid: Any) -> None:
        new = "CAST(? AS TEXT)" if isinstance(cell.value, str) else "?"
        self._connection.execute(
            f"UPDATE {cell.table} SET {cell.column} = {new} WHERE rowid = ?", (value, rowid)
        )


@pytest.fixture
async def tampered(log: Path, tmp_path: Path) -> AsyncIterator[TamperedLog]:
    path = tmp_path / "tampered.db"
    shutil.copy(log, path)
    tamper(path, "")
    storage = await SqliteStorage.open(path, SteppingClock())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA ignore_check_constraints=ON")
        yield TamperedLog(storage, connection)
    await storage.close()


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "every", [pytest.param(False, id="sample"), pytest.param(True, id="all", marks=pytest.mark.slow)]
)
async def test_every_changed_cell_is_named(
    log: Path, tampered: TamperedLog, table: str, every: bool
) -> None:
    """A flipped bit of any cell is found where it is: an event at its very position, a commit
    at one of its own, a document by its hash."""
    assert await tampered.damages() == []
    missed = [
        (cell, change)
        for cell in cells_of(log, table)
        for change in changes_of(cell.value, every=every)
        if await tampered.misses(cell, change)
    ]
    assert missed == []
    assert await tampered.damages() == [], "the tampering was not undone"
