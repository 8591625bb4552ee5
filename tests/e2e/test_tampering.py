"""Whatever is changed in the tables of a log, `registry verify` names it."""

import json
import shutil
import sqlite3
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import anyio
import attrs
import pytest
import zstandard

from adapters.storage.sqlite import SqliteStorage
from application.verify import verify
from domain.errors import AnnalsError
from domain.ports.storage import Damage
from entrypoints.config import load
from entrypoints.container import opened, synced_sources
from entrypoints.running import prepare
from entrypoints.settings import Settings
from tests.harness.clock import SteppingClock
from tests.harness.new_commits import new_commit, write
from tests.harness.sqlite_files import add_dictionary, reopened_log, tamper

TABLES = ("commits", "events", "documents", "dictionaries", "frontier")
PAGE_BYTES = 4096
KEYS = {"commits": "commit_number", "events": "position", "frontier": "only_row"}
"""The column that is the row's number."""
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


def small_dictionary() -> bytes:
    """One that is much smaller than what is trained."""
    samples = [
        json.dumps(server(f"{number:x}", title=f"{number}")).encode() for number in range(99)
    ]
    return zstandard.train_dictionary(256, samples).as_bytes()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small log in which everything happens once, and that has a dictionary."""
    directory = tmp_path_factory.mktemp("small")
    file = directory / "annals.yaml"
    file.write_text(CONFIGURATION.format(directory=directory))
    settings = Settings(config=load(file), config_file=file, data_dir=directory)

    async def work() -> None:
        await reopened_log(directory / "annals.db")
        add_dictionary(directory / "annals.db", small_dictionary())
        async with opened(settings.config, directory) as container:
            await prepare(container, settings)
            for offers in SYNCS:
                sources = synced_sources(settings.config, directory)
                for source, offer in zip(sources, offers, strict=True):
                    (directory / f"{source.name}.json").write_text(json.dumps(offer))
                    await container.syncer().sync(source)

    anyio.run(work)
    return directory / "annals.db"


@attrs.frozen(kw_only=True)
class Cell:
    """A value in a table, and how a change of it has to be named: `where` and with what words."""

    table: str
    column: str
    rowid: int
    value: Any
    where: range
    words: str

    def is_named(self, damages: Sequence[Damage]) -> bool:
        """Whether the damages tell of this cell."""
        return any(
            self.words in damage.what and (not self.where or damage.position in self.where)
            for damage in damages
        )


def cells_of(path: Path, table: str) -> Iterator[Cell]:
    """Every cell of a table; texts as bytes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute(f"SELECT rowid AS row_id, * FROM {table}").fetchall():
            for column in row.keys()[1:]:
                yield _cell(table, column, row)


def _cell(table: str, column: str, row: sqlite3.Row) -> Cell:
    where, words = range(0), ""
    match table:
        case "events":
            where = range(row["position"], row["position"] + 1)
        case "commits":
            where = range(1, row["last_position"] + 2)
        case "documents":
            words = row["hash"]
        case "dictionaries":
            words = "is not what was stored, and no document that needs it can be read"
        case "frontier":
            words = "frontier"
    return Cell(
        table=table,
        column=column,
        rowid=row["row_id"],
        value=row[column],
        where=where,
        words=words,
    )


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
        is_key = KEYS.get(cell.table) == cell.column
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
    "every",
    [pytest.param(False, id="sample"), pytest.param(True, id="all", marks=pytest.mark.slow)],
)
async def test_every_changed_cell_is_named(
    log: Path, tampered: TamperedLog, table: str, every: bool
) -> None:
    """A flipped bit of any cell is found: that of an event at its very position, of a commit no
    later than where the next one begins, of a document by its hash."""
    assert await tampered.damages() == []
    missed = [
        (cell, change)
        for cell in cells_of(log, table)
        for change in changes_of(cell.value, every=every)
        if await tampered.misses(cell, change)
    ]
    assert missed == []
    assert await tampered.damages() == [], "the tampering was not undone"


CUT_OFF = """
    DELETE FROM events WHERE position > 13;
    DELETE FROM commits WHERE last_position > 13;
"""
SWAPPED_EVENTS = """
    UPDATE events SET position = -4 WHERE position = 4;
    UPDATE events SET position = 4 WHERE position = 5;
    UPDATE events SET position = 5 WHERE position = -4;
"""
SWAPPED_DATA = """
    UPDATE events SET data =
        (SELECT data FROM events AS other WHERE other.position = 9 - events.position)
    WHERE position IN (4, 5);
"""
SWAPPED_BODIES = """
    UPDATE documents SET (body, body_crc32) =
        (SELECT body, body_crc32 FROM documents AS other WHERE other.rowid = 3 - documents.rowid)
    WHERE rowid IN (1, 2);
"""
SWAPPED_COMMIT_NUMBERS = """
    UPDATE commits SET commit_number = -2 WHERE commit_number = 2;
    UPDATE commits SET commit_number = 2 WHERE commit_number = 3;
    UPDATE commits SET commit_number = 3 WHERE commit_number = -2;
    UPDATE events SET commit_number = 5 - commit_number WHERE commit_number IN (2, 3);
"""
LOWER_COMMIT_NUMBER = """
    UPDATE commits SET commit_number = 0 WHERE commit_number = 2;
    UPDATE events SET commit_number = 0 WHERE commit_number = 2;
"""
SPLIT_COMMIT = """
    UPDATE commits SET first_position = 6 WHERE commit_number = 2;
    INSERT INTO commits SELECT 8, 'other', recorded_at_us - 1, effective_at_us - 1, 4, 5, root
        FROM commits WHERE commit_number = 2;
    UPDATE events SET commit_number = 8 WHERE position IN (4, 5);
    UPDATE sqlite_sequence SET seq = 8 WHERE name = 'commits';
"""
FORGED_LEAF = """
    UPDATE events SET data = CAST(replace(data, 'active', 'deleted') AS BLOB),
        leaf_hash = (SELECT leaf_hash FROM events WHERE position = 5) WHERE position = 4;
"""
LOOSE = """
    PRAGMA writable_schema=ON;
    UPDATE sqlite_master SET sql = replace(replace(sql, ' NOT NULL', ''), ' STRICT', '')
    WHERE type = 'table' AND name IN ('commits', 'events', 'documents');
    PRAGMA writable_schema=RESET;
"""


@pytest.mark.parametrize(
    ("script", "position", "words"),
    [
        ("DELETE FROM events WHERE position = 5", 5, "the next event is at 6"),
        ("DELETE FROM events WHERE position = 15", 15, "has lost its events"),
        ("DELETE FROM events WHERE position BETWEEN 4 AND 6", 4, "the next event is at 7"),
        ("DELETE FROM commits WHERE commit_number = 7", None, "points at nothing"),
        ("DELETE FROM commits WHERE commit_number = 3", 7, "the next event is at 9"),
        (CUT_OFF, None, "once had 15"),
        (CUT_OFF + "DELETE FROM sqlite_sequence", None, "the Merkle frontier, of 15 events"),
        ("UPDATE events SET position = position + 1 WHERE position = 15", 15, "the next event"),
        ("UPDATE events SET position = -position", 1, "has lost its events"),
        (SWAPPED_EVENTS, 4, "is not the one that was appended"),
        (SWAPPED_DATA, 4, "is not the one that was appended"),
        (SWAPPED_BODIES, 4, "has another body"),
        (SWAPPED_COMMIT_NUMBERS, None, "commit 2"),
        (LOWER_COMMIT_NUMBER, None, "commit 0"),
        (SPLIT_COMMIT, 4, "is not the one that was appended"),
        (FORGED_LEAF, 4, "is not the one that was appended"),
        ("DELETE FROM documents WHERE rowid = 1", 4, "is missing"),
        ("INSERT INTO documents VALUES ('ab', x'', 0)", None, "document ab"),
        ("DELETE FROM dictionaries", 4, "which it was packed with, is missing"),
        ("DELETE FROM frontier", None, "the Merkle frontier, of 0 events"),
        ("UPDATE sqlite_sequence SET seq = 99", None, "once had 99"),
        (LOOSE, None, "table commits is not as it was made"),
        (LOOSE + "UPDATE events SET data = NULL WHERE position = 1", 1, "cannot be read"),
        (
            LOOSE + "UPDATE commits SET first_position = 'x' WHERE commit_number = 7",
            1,
            "cannot be read",
        ),
        (LOOSE + "UPDATE documents SET body = NULL", 4, "NoneType"),
        ("ALTER TABLE commits RENAME COLUMN root TO tree", 1, "no such column: root"),
        ("ALTER TABLE documents RENAME COLUMN hash TO sum", None, "no such column: hash"),
    ],
)
async def test_what_more_can_be_done_to_rows_is_named(
    log: Path, tmp_path: Path, script: str, position: int | None, words: str
) -> None:
    """Rows deleted, swapped, renumbered, forged or added are named, where they are first."""
    path = tmp_path / "tampered.db"
    shutil.copy(log, path)
    tamper(path, script)
    found = [damage for damage in await damages_of(path) if not damage.what.startswith("trigger")]
    assert found[0].position == position
    assert any(words in damage.what for damage in found if damage.position == position), found


async def damages_of(path: Path) -> Sequence[Damage]:
    storage = await SqliteStorage.open(path, SteppingClock())
    try:
        return (await verify(storage)).damages
    finally:
        await storage.close()


@pytest.mark.parametrize(
    "flips", [pytest.param(300, id="sample"), pytest.param(5000, id="many", marks=pytest.mark.slow)]
)
async def test_a_flipped_byte_of_the_file_is_named_or_does_not_matter(
    log: Path, tmp_path: Path, flips: int
) -> None:
    """Wherever the file is damaged: either that is told, or every row of the log is as it was."""
    path, chance, rows = tmp_path / "damaged.db", Random(flips), rows_of(log)
    for _ in range(flips):
        changed = flip_a_byte(log, path, chance)
        assert await is_told(path) or rows_of(path) == rows, changed


def flip_a_byte(sound: Path, damaged: Path, chance: Random) -> tuple[int, int]:
    """Copy a file with one byte of it changed: which byte, and to what."""
    content = bytearray(sound.read_bytes())
    offset = chance.randrange(len(content))
    content[offset] ^= chance.randrange(1, 256)
    damaged.write_bytes(content)
    return offset, content[offset]


def rows_of(path: Path) -> Sequence[Any]:
    """Every row of the log's tables, read without a look at anything else; none if unreadable."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        connection.text_factory = bytes
        try:
            return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]
        except (sqlite3.Error, UnicodeDecodeError):
            return []


async def is_told(path: Path) -> bool:
    """Whether a log is refused or found to be damaged."""
    try:
        return bool(await damages_of(path))
    except AnnalsError:
        return True


async def test_a_tree_that_leads_back_is_named(tmp_path: Path) -> None:
    """Where a damaged tree brings the same events again and again, reading ends with an error."""
    path = tmp_path / "log.db"
    storage = await SqliteStorage.open(path, SteppingClock())
    await storage.append(new_commit("first", write("a", count=15)))
    await storage.close()
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'events'"
        ((page,),) = connection.execute(query)
    content = bytearray(path.read_bytes())
    start = (page - 1) * PAGE_BYTES
    (cell,) = struct.unpack_from(">H", content, start + 8 + 2 * 7)  # where the eighth row lies
    assert content[start + cell + 1] == 8  # its position
    content[start + cell + 1] = 100
    path.write_bytes(content)
    assert any("out of order" in damage.what for damage in await damages_of(path))
