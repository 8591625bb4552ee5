"""How documents are packed in the SQLite file, with the dictionary that the log makes of them."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from adapters.storage.sqlite import SqliteStorage
from application.verify import verify
from domain.canonical_json import canonical_json
from domain.errors import CorruptLogError
from domain.identifiers import CommitId, DocumentHash
from tests.benchmarks.catalogue import documents
from tests.harness.new_commits import documents_of, new_commit
from tests.harness.sqlite_files import opened, run_script

BODIES = documents_of(canonical_json(document) for document in documents(1000))
EARLY, LATER = (dict(list(BODIES.items())[part]) for part in (slice(396), slice(396, None)))
"""Of 99 names, and of the others."""


async def keep(storage: SqliteStorage, part: Mapping[DocumentHash, bytes], commit_id: str) -> None:
    await storage.stage(CommitId(commit_id), part)
    await storage.append(new_commit(commit_id))


def dictionaries(path: Path) -> list[tuple[int, bytes]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT dictionary_id, content FROM dictionaries").fetchall()


async def test_a_dictionary_is_made_once_of_the_first_documents(path: Path) -> None:
    """As soon as there are a hundred names; those before and after stay readable."""
    async with opened(path) as storage:
        await keep(storage, EARLY, "early")
        assert dictionaries(path) == []
        await keep(storage, LATER, "later")
        assert len(dictionaries(path)) == 1
        packed = await storage.packed(BODIES)
        ratios = [
            sum(map(len, part.values())) / sum(len(packed[name]) for name in part)
            for part in (EARLY, LATER)
        ]
        assert ratios[0] < 2.5 < 3.5 < ratios[1]
        assert await storage.documents(BODIES) == BODIES
    async with opened(path) as storage:
        frames = await storage.packed(BODIES)
        assert list(storage.unpack(list(frames.values()))) == [BODIES[name] for name in frames]
        assert await storage.self_check() == []


async def test_another_process_finds_the_dictionary(path: Path) -> None:
    """Whoever had the log open before reads what was packed with it, and uses it as well."""
    async with opened(path) as one, opened(path) as other:
        await keep(one, BODIES, "first")
        assert await other.documents(BODIES) == BODIES
        more = documents_of(b'{"name":"%d"}' % number for number in range(200))
        await keep(other, more, "second")
        assert await one.documents(more) == more
    assert len(dictionaries(path)) == 1


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("UPDATE dictionaries SET content = zeroblob(length(content))", "is not what was stored"),
        ("UPDATE dictionaries SET dictionary_id = 7", "dictionary 7 is not what was stored"),
        ("DELETE FROM dictionaries", "is missing: restore the file from a backup"),
    ],
)
async def test_a_damaged_dictionary_is_named(path: Path, script: str, words: str) -> None:
    """By what reads a document that needs it, and by verifying."""
    async with opened(path) as storage:
        await keep(storage, BODIES, "first")
    for change in ("update", "delete"):
        run_script(path, f"DROP TRIGGER dictionaries_no_{change}")
    run_script(path, script)
    async with opened(path) as storage:
        with pytest.raises(CorruptLogError, match=words):
            await storage.documents(BODIES)
        assert any(words in damage.what for damage in (await verify(storage)).damages)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE dictionaries SET content = x''", "DELETE FROM dictionaries"],
)
async def test_dictionaries_are_append_only(path: Path, statement: str) -> None:
    """What documents need to be read is not changed."""
    async with opened(path) as storage:
        await keep(storage, BODIES, "first")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        run_script(path, statement)
