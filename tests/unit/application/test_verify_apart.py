"""Half of a log, checked in another process."""

from functools import partial
from pathlib import Path

import pytest

from adapters.clock import SystemClock
from adapters.storage.sqlite import SqliteStorage
from application.verify import verify
from application.verify_apart import checked_apart
from tests.harness.new_commits import new_commit, write
from tests.harness.sqlite_files import opened, tamper

LISTED = (
    b'{"document_hash":"%064d","key":{"kind":"server","name":"a","version":"1"},"lifecycle":'
    b'{"published_at":null,"status":"active","status_changed_at":null,"status_message":null},'
    b'"tags":[],"title":null}'
)


async def test_the_second_half_is_checked_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells of a damaged log what this process tells, behind the border too."""
    monkeypatch.setattr("application.verify._WORTH_A_PROCESS", 4)
    path = tmp_path / "annals.db"
    async with opened(path) as storage:
        for number in range(4):
            commit = new_commit(f"c{number}", write("catalog-main", LISTED % number))
            await storage.append(commit)
    tamper(path, "UPDATE events SET stream_version = 7 WHERE position = 4")
    async with opened(path) as storage:
        apart = checked_apart(partial(SqliteStorage.open_whole, path, SystemClock()))
        in_two, here = await verify(storage, apart=apart), await verify(storage)
    assert (in_two.root, in_two.events, in_two.documents) == (here.root, 4, 4)
    assert set(in_two.damages) == set(here.damages)
    assert any("another version" in damage.what for damage in in_two.damages)
