"""What StatusPort promises, on every adapter, and what the files promise beside it."""

import json
import sqlite3
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from datetime import timedelta, timezone
from pathlib import Path

import anyio
import attrs
import pytest

from adapters.status.json_file import JsonFileStatus
from adapters.status.memory import MemoryStatus
from adapters.status.mirrored import MirroredStatus
from adapters.status.sqlite import SqliteStatus
from domain.errors import StorageUnavailableError
from domain.identifiers import SourceName
from domain.ports.status import SourceStatus, StatusPort, SyncPhase
from tests.harness.clock import MICROSECOND, START

MAIN, OTHER = SourceName("main"), SourceName("other")
SYNCING = SourceStatus(phase=SyncPhase.SYNCING)
COMPLETE = SourceStatus(
    phase=SyncPhase.COMPLETE,
    message="2 entries were rejected",
    last_attempt=START,
    attempt_count=3,
    last_sync_time=START + MICROSECOND,
    last_sync_hash="r1",
    last_applied_filter_hash="f1",
    server_count=17,
)
STATUSES = {
    "the least": SYNCING,
    "everything": COMPLETE,
    "another zone": attrs.evolve(
        COMPLETE, last_attempt=START.astimezone(timezone(timedelta(hours=5, minutes=45)))
    ),
    "a difficult message": SourceStatus(
        phase=SyncPhase.FAILED, message='"é😀"\n\x00 C:\\registry\'); --', attempt_count=2**40
    ),
}


async def open_memory(folder: Path) -> StatusPort:
    return MemoryStatus()


async def open_sqlite(folder: Path) -> StatusPort:
    return await SqliteStatus.open(folder / "status.db")


async def open_json_file(folder: Path) -> StatusPort:
    return JsonFileStatus(folder / "status.json")


async def open_mirrored(folder: Path) -> StatusPort:
    return MirroredStatus(await open_sqlite(folder), await open_json_file(folder))


Opener = Callable[[Path], Awaitable[StatusPort]]
KEEPING: dict[str, Opener] = {
    "sqlite": open_sqlite,
    "json file": open_json_file,
    "mirrored": open_mirrored,
}
OPENERS: dict[str, Opener] = {"memory": open_memory, **KEEPING}


@pytest.fixture(params=OPENERS.values(), ids=OPENERS.keys())
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StatusPort]:
    opened: StatusPort = await request.param(tmp_path)
    yield opened
    await opened.close()


def _names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_nothing_is_known_at_first(port: StatusPort) -> None:
    """A new port has no reports."""
    assert await port.load() == {}


@pytest.mark.parametrize("status", STATUSES.values(), ids=STATUSES.keys())
async def test_a_report_comes_back_as_it_was_saved(port: StatusPort, status: SourceStatus) -> None:
    """Times keep their microseconds and texts every character."""
    await port.save(MAIN, status)
    assert await port.load() == {MAIN: status}


async def test_a_report_replaces_the_one_before(port: StatusPort) -> None:
    """Nothing of an older report shines through."""
    await port.save(MAIN, COMPLETE)
    await port.save(MAIN, SYNCING)
    assert await port.load() == {MAIN: SYNCING}


async def test_sources_do_not_touch_each_other(port: StatusPort) -> None:
    """Saving or discarding one report leaves the others as they are."""
    await port.save(MAIN, COMPLETE)
    await port.save(OTHER, SYNCING)
    assert await port.load() == {MAIN: COMPLETE, OTHER: SYNCING}
    await port.discard(OTHER)
    assert await port.load() == {MAIN: COMPLETE}


async def test_a_source_without_a_report_can_be_discarded(port: StatusPort) -> None:
    """Also twice."""
    await port.save(MAIN, SYNCING)
    for _ in range(2):
        await port.discard(OTHER)
    assert await port.load() == {MAIN: SYNCING}


async def test_what_was_loaded_does_not_change(port: StatusPort) -> None:
    """A caller holds the reports of one moment."""
    await port.save(MAIN, SYNCING)
    loaded = await port.load()
    await port.save(MAIN, COMPLETE)
    await port.discard(MAIN)
    assert loaded == {MAIN: SYNCING}


async def test_reports_saved_at_once_are_all_kept(port: StatusPort) -> None:
    """Sources are synced in parallel, and none loses its report to another."""
    names = [SourceName(f"source-{number}") for number in range(20)]
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(port.save, name, COMPLETE)
    assert await port.load() == dict.fromkeys(names, COMPLETE)


@pytest.mark.parametrize("opener", KEEPING.values(), ids=KEEPING.keys())
async def test_reports_outlive_the_process(opener: Opener, tmp_path: Path) -> None:
    """What was saved is loaded from the same place later."""
    port = await opener(tmp_path)
    await port.save(MAIN, COMPLETE)
    await port.close()
    port = await opener(tmp_path)
    assert await port.load() == {MAIN: COMPLETE}
    await port.close()


async def test_both_places_of_a_mirror_say_the_same() -> None:
    """The copy has every report and loses every one that is discarded."""
    main, copy = MemoryStatus(), MemoryStatus()
    mirrored = MirroredStatus(main, copy)
    await mirrored.save(MAIN, COMPLETE)
    await mirrored.save(OTHER, SYNCING)
    await mirrored.discard(OTHER)
    assert await main.load() == await copy.load() == {MAIN: COMPLETE}


async def test_a_mirror_reads_from_its_main_place() -> None:
    """What others do to the copy is not believed."""
    main, copy = MemoryStatus(), MemoryStatus()
    await copy.save(MAIN, COMPLETE)
    assert await MirroredStatus(main, copy).load() == {}


async def test_the_json_file_has_a_member_per_source(tmp_path: Path) -> None:
    """Other programs read it: sources in order, members as ToolHive's registry server has them."""
    path = tmp_path / "new" / "status.json"
    port = JsonFileStatus(path)
    await port.save(OTHER, SYNCING)
    await port.save(MAIN, COMPLETE)
    members = json.loads(path.read_text(encoding="utf-8"))
    assert list(members) == [MAIN, OTHER]
    assert members[MAIN] == {
        "phase": "Complete",
        "message": "2 entries were rejected",
        "lastAttempt": "2026-11-22T09:30:00+00:00",
        "attemptCount": 3,
        "lastSyncTime": "2026-11-22T09:30:00.000001+00:00",
        "lastSyncHash": "r1",
        "lastAppliedFilterHash": "f1",
        "serverCount": 17,
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


async def test_the_json_file_is_replaced_at_once(tmp_path: Path) -> None:
    """A reader of the old file reads all of it, and nothing is left beside the new one."""
    path = tmp_path / "status.json"
    port = JsonFileStatus(path)
    await port.save(MAIN, COMPLETE)
    before = path.read_bytes()
    with path.open("rb") as reader:
        await port.save(MAIN, SYNCING)
        assert reader.read() == before
    assert path.read_bytes() != before
    assert _names_in(tmp_path) == [path.name]


UNREADABLE = [
    b"",
    b'{"main": {"phase": "Comp',
    b"[]",
    b'{"main": 1}',
    b'{"main": {}}',
    b'{"main": {"phase": "Resting"}}',
    b'{"main": {"phase": "Complete", "lastAttempt": "yesterday"}}',
    b"\xff",
]


@pytest.mark.parametrize("content", UNREADABLE)
async def test_an_unreadable_json_file_may_be_deleted(content: bytes, tmp_path: Path) -> None:
    """The error names the file and says what to do, and doing so helps. Saving overwrites none."""
    path = tmp_path / "status.json"
    path.write_bytes(content)
    port = JsonFileStatus(path)
    for use in (port.load, lambda: port.save(MAIN, SYNCING), lambda: port.discard(MAIN)):
        with pytest.raises(StorageUnavailableError, match="it may be deleted") as error:
            await use()
        assert str(error.value).startswith(f"{path}: ")
    assert path.read_bytes() == content
    path.unlink()
    await port.save(MAIN, SYNCING)
    assert await port.load() == {MAIN: SYNCING}


async def test_a_json_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder that is not there and cannot be made is an error of the storage."""
    (tmp_path / "folder").symlink_to(tmp_path / "nowhere")
    path = tmp_path / "folder" / "status.json"
    with pytest.raises(StorageUnavailableError, match="is it writable") as error:
        await JsonFileStatus(path).save(MAIN, SYNCING)
    assert str(error.value).startswith(f"{path}: ")


async def test_an_unreadable_sqlite_file_may_be_deleted(tmp_path: Path) -> None:
    """The error names the file and says what to do, and doing so helps."""
    path = tmp_path / "status.db"
    path.write_bytes(b"no database at all, but long enough for a header of one" * 20)
    with pytest.raises(StorageUnavailableError, match="it may be deleted") as error:
        await SqliteStatus.open(path)
    assert str(error.value).startswith(f"{path}: ")
    path.unlink()
    port = await SqliteStatus.open(path)
    assert await port.load() == {}
    await port.close()


async def test_a_status_that_another_release_wrote_is_a_storage_error(tmp_path: Path) -> None:
    """What cannot be read is reported as the port promises, never as a defect."""
    path = tmp_path / "status.db"
    port = await SqliteStatus.open(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO statuses VALUES ('main', '{\"phase\": \"Resting\"}')")
    with pytest.raises(StorageUnavailableError, match="it may be deleted"):
        await port.load()
    await port.close()
