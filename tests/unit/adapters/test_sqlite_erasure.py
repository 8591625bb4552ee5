"""Erased bodies are gone from the files, and only erased ones can go."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import attrs
import pytest
import zstandard

from adapters.storage.sqlite import SqliteStorage
from adapters.storage.sqlite_database import SqliteDatabase
from domain.canonical_json import canonical_json
from domain.errors import CorruptLogError
from domain.identifiers import DocumentHash
from domain.log import NewCommit
from tests.benchmarks.catalogue import documents
from tests.harness.clock import SteppingClock
from tests.harness.new_commits import documents_of, new_commit
from tests.harness.sqlite_files import opened, run_script

SIZES = (40, 700, 3000, 4090, 9000, 20_000)  # within a page, about one, and over many
PIECE = 32  # bytes that none but their own body has


def secret(number: int, size: int) -> bytes:
    """A body that cannot be compressed, so that it lies in the file as it is."""
    return hashlib.shake_256(str(number).encode()).digest(size)


BODIES = [secret(number, SIZES[number % len(SIZES)]) for number in range(30)]


@pytest.fixture
def storage(database: SqliteDatabase) -> SqliteStorage:
    return SqliteStorage(database, SteppingClock())


async def fill(storage: SqliteStorage) -> list[DocumentHash]:
    """A log that grew document by document, as page after page was filled."""
    for number, body in enumerate(BODIES):
        await storage.append(new_commit(f"filled-{number}", bodies=[body]))
    return list(documents_of(BODIES))


def erasing(*hashes: DocumentHash) -> NewCommit:
    return attrs.evolve(new_commit(f"erasing-{len(hashes)}-{hashes[0]}"), erased=frozenset(hashes))


def files(path: Path) -> bytes:
    """All that lies beside each other under the name of the log."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


def remains(path: Path, body: bytes) -> int:
    """How many pieces of a body the files hold."""
    found = files(path)
    starts = range(0, len(body) - PIECE + 1, PIECE)
    return sum(body[start : start + PIECE] in found for start in starts)


@pytest.mark.parametrize("chosen", [[0], [1], [3, 4, 5], [29], range(30)], ids=len)
async def test_nothing_of_an_erased_body_is_left_in_the_files(
    storage: SqliteStorage, path: Path, chosen: list[int]
) -> None:
    """Whether it was one of the first, the last, in one page or in many: the others are whole."""
    hashes = await fill(storage)
    assert all(remains(path, BODIES[number]) for number in chosen)
    await storage.append(erasing(*(hashes[number] for number in chosen)))
    assert await storage.scrub()
    assert [remains(path, BODIES[number]) for number in chosen] == [0] * len(chosen)
    kept = {
        known: body
        for number, (known, body) in enumerate(zip(hashes, BODIES, strict=True))
        if number not in chosen
    }
    assert await storage.documents(hashes) == kept
    assert await storage.self_check() == []


@pytest.mark.parametrize("chosen", [slice(800, 804), slice(940, None)], ids=["few", "many"])
async def test_nothing_is_left_of_what_was_packed_with_a_dictionary(
    storage: SqliteStorage, path: Path, chosen: slice
) -> None:
    """Its frame is gone from the files, and the others are still unpacked."""
    bodies = documents_of(map(canonical_json, documents(1000)))
    parts = (dict(list(bodies.items())[part]) for part in (slice(500), slice(500, None)))
    for number, part in enumerate(parts):
        await storage.append(attrs.evolve(new_commit(f"filled-{number}"), documents=part))
    gone = list(bodies)[chosen]
    frames = [(await storage.packed(gone))[known] for known in gone]
    assert all(zstandard.get_frame_parameters(frame).dict_id for frame in frames)
    assert all(remains(path, frame) for frame in frames)

    await storage.append(erasing(*gone))
    assert await storage.scrub()
    assert [remains(path, frame) for frame in frames] == [0] * len(gone)
    assert await storage.documents(bodies) == {
        known: body for known, body in bodies.items() if known not in gone
    }
    assert await storage.self_check() == []


async def test_erasing_one_by_one_leaves_nothing_either(storage: SqliteStorage, path: Path) -> None:
    """What was moved while another went would show here."""
    hashes = await fill(storage)
    for known in hashes[::2]:
        await storage.append(erasing(known))
    assert await storage.scrub()
    assert [remains(path, body) for body in BODIES[::2]] == [0] * 15
    assert len(await storage.documents(hashes)) == 15


async def test_a_reader_of_the_past_keeps_the_files_from_being_scrubbed(
    storage: SqliteStorage, database: SqliteDatabase, path: Path
) -> None:
    """That is told, and trying again when it has ended succeeds."""
    hashes = await fill(storage)
    async with database.transaction() as db:
        await db.execute("PRAGMA busy_timeout=0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM documents").fetchall()
        await storage.append(erasing(hashes[1]))
        assert not await storage.scrub()
        assert await storage.documents(hashes[1:2]) == {}
    assert await storage.scrub()
    assert remains(path, BODIES[1]) == 0


async def execute(database: SqliteDatabase, sql: str) -> None:
    async with database.transaction() as db:
        await db.execute(sql)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE documents SET body = zeroblob(length(body))",
        "UPDATE documents SET body = x'' WHERE hash IN (SELECT hash FROM redactions)",
        "UPDATE documents SET body = NULL WHERE hash IN (SELECT hash FROM redactions)",
        "UPDATE documents SET rowid = 99 WHERE hash IN (SELECT hash FROM redactions)",
        "UPDATE documents SET body_crc32 = 1 WHERE hash IN (SELECT hash FROM redactions)",
        "DELETE FROM documents WHERE hash IN (SELECT hash FROM redactions)",
        "UPDATE redactions SET hash = hash",
        "DELETE FROM redactions",
        "REPLACE INTO redactions SELECT * FROM redactions",
    ],
)
async def test_only_zeros_take_the_place_of_what_is_erased(
    storage: SqliteStorage, database: SqliteDatabase, statement: str
) -> None:
    """All other changes of documents, and all of the marks, are refused."""
    hashes = await fill(storage)
    await storage.append(erasing(hashes[1]))
    with pytest.raises(CorruptLogError, match="append-only"):
        await execute(database, statement)
    assert len(await storage.documents(hashes)) == len(hashes) - 1


async def test_a_mark_without_its_erasure_is_found(storage: SqliteStorage, path: Path) -> None:
    """A body that is there although it is marked is named, and not given out."""
    hashes = await fill(storage)
    run_script(path, f"INSERT INTO redactions VALUES ('{hashes[2]}', 1)")
    (damage,) = await storage.self_check()
    assert damage.what == f"document {hashes[2]} is marked as erased, and its body is still there"
    assert await storage.documents(hashes[2:3]) == {}


async def test_zeros_without_a_mark_are_damage(storage: SqliteStorage, path: Path) -> None:
    """Nobody can pass off the loss of a body as meant without a mark."""
    hashes = await fill(storage)
    run_script(path, "DROP TRIGGER documents_no_update")
    run_script(path, f"UPDATE documents SET body = zeroblob(50) WHERE hash = '{hashes[0]}'")
    with pytest.raises(CorruptLogError, match=hashes[0]):
        await storage.documents(hashes)


async def test_erasure_outlives_the_connection(path: Path) -> None:
    """What was erased stays so after reopening."""
    async with opened(path) as storage:
        hashes = await fill(storage)
        await storage.append(erasing(hashes[0]))
    async with opened(path) as storage:
        assert (await storage.erasures()).keys() == {hashes[0]}
        assert await storage.documents(hashes[:1]) == {}
    assert remains(path, BODIES[0]) == 0


OLDER = """
    DROP TRIGGER documents_no_update;
    DROP TABLE redactions;
    CREATE TRIGGER documents_no_update BEFORE UPDATE ON documents
        BEGIN SELECT RAISE(ABORT, 'documents are append-only'); END;
    PRAGMA user_version=2;
"""


async def test_a_log_from_before_redactions_can_erase_too(path: Path) -> None:
    """It is stepped up when it is opened, and keeps all that it had."""
    async with opened(path) as storage:
        hashes = await fill(storage)
    run_script(path, OLDER)
    async with opened(path) as storage:
        assert len(await storage.documents(hashes)) == len(hashes)
        await storage.append(erasing(hashes[3]))
        assert await storage.scrub()
        assert await storage.self_check() == []
    assert remains(path, BODIES[3]) == 0
