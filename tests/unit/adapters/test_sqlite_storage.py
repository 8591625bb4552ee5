"""What only SqliteStorage has: a file, triggers, other writers, and awaits that are cancelled."""

import asyncio
import multiprocessing
import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from itertools import count, pairwise
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from adapters.storage import sqlite_events
from adapters.storage.sqlite import SqliteStorage
from adapters.storage.sqlite_database import SqliteDatabase
from domain.errors import (
    CommitIdReusedError,
    CorruptLogError,
    StorageUnavailableError,
    WrongExpectedVersionError,
)
from domain.log import Appended, Exactly, NewCommit, category_of, leaf_of
from domain.merkle import root_of
from domain.ports.storage import View, ViewChange
from tests.harness.clock import SteppingClock
from tests.harness.new_commits import collect, documents_of, new_commit, whole_log, write
from tests.harness.sqlite_files import opened, reopened_log, run_script, tamper

VIEW = View("catalog", 1)
FIRST = new_commit("first", write("a", count=3), bodies=[b"{}", b"[]"])


@pytest.fixture
def storage(database: SqliteDatabase) -> SqliteStorage:
    return SqliteStorage(database, SteppingClock())


async def execute(database: SqliteDatabase, sql: str) -> None:
    async with database.transaction() as db:
        await db.execute(sql)


@pytest.mark.parametrize("table", ["commits", "events", "documents"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET rowid = rowid",
        "UPDATE OR REPLACE {} SET rowid = 1",
        "DELETE FROM {}",
        "REPLACE INTO {} SELECT * FROM {}",
    ],
)
async def test_the_log_cannot_be_changed(
    storage: SqliteStorage, database: SqliteDatabase, table: str, statement: str
) -> None:
    """Triggers refuse to change, delete or replace what was appended."""
    await storage.append(FIRST)
    before = await whole_log(storage)
    with pytest.raises(CorruptLogError, match="append-only"):
        await execute(database, statement.format(table, table))
    assert await whole_log(storage) == before
    assert await storage.documents(FIRST.documents) == FIRST.documents


async def test_a_position_is_not_given_out_twice(storage: SqliteStorage, path: Path) -> None:
    """Where the end of the log was cut off, nothing is appended in its place."""
    await storage.append(FIRST)
    await storage.append(new_commit("second"))
    tamper(
        path,
        "DELETE FROM events WHERE position = 4; DELETE FROM commits WHERE commit_number = 2",
    )
    before = await whole_log(storage)
    with pytest.raises(CorruptLogError, match=r"frontier, of 4 events, .* ends at 3"):
        await storage.append(new_commit("third"))
    assert await whole_log(storage) == before


async def test_what_was_appended_outlives_the_connection(path: Path) -> None:
    """Log, documents and views are there after reopening, and the log goes on."""
    async with opened(path) as storage:
        await storage.append(FIRST)
        await storage.advance(VIEW, [ViewChange(since=3, puts={"a": b"1"})], after=0, upto=3)
        before = await whole_log(storage)
    async with opened(path) as storage:
        assert await whole_log(storage) == before
        assert await storage.documents(FIRST.documents) == FIRST.documents
        assert await storage.checkpoint(VIEW) == 3
        assert await collect(storage.rows(VIEW)) == [("a", b"1")]
        assert (await storage.append(FIRST)).repeated
        assert (await storage.append(new_commit("next"))).commit.first_position == 4


async def test_what_was_acknowledged_is_in_the_files(storage: SqliteStorage, path: Path) -> None:
    """After every append the files as they lie there, unclosed, hold the whole log."""
    for number in range(3):
        await storage.append(new_commit(str(number), write("a", count=2)))
        image = path.with_name(f"image-{number}.db")
        shutil.copy(path, image)
        shutil.copy(f"{path}-wal", f"{image}-wal")
        assert await reopened_log(image) == await whole_log(storage)


async def test_connections_see_and_guard_each_other(storage: SqliteStorage, path: Path) -> None:
    """A second connection reads, repeats, refuses and goes on as the first would."""
    await storage.append(FIRST)
    async with opened(path) as other:
        assert await whole_log(other) == await whole_log(storage)
        assert (await other.append(FIRST)).repeated
        with pytest.raises(CommitIdReusedError):
            await other.append(new_commit("first"))
        await other.append(new_commit("second", write("a", expected=Exactly(3))))
        with pytest.raises(WrongExpectedVersionError):
            await storage.append(new_commit("third", write("a", expected=Exactly(3))))
        assert await other.advance(VIEW, [], after=0, upto=4)
        assert not await storage.advance(VIEW, [], after=0, upto=4)


PAST = View("past", 1, keeps_past=True)
EARLY = {f"{number:03}": b"1" for number in range(0, 600, 7)}
LATER = {f"{number:03}": b"2" for number in range(600)}


async def test_the_past_is_the_same_while_its_view_goes_on(path: Path) -> None:
    """Whatever another connection puts and deletes between two parts of an answer."""
    ended = anyio.Event()

    async def go_on(storage: SqliteStorage) -> None:
        for at in range(2, 100):
            some = random.Random(at).sample(sorted(LATER), 200)
            puts, gone = (some, ()) if at % 2 else ((), some)
            step = ViewChange(since=at + 1, deletes=frozenset(gone), puts=dict.fromkeys(puts, b"3"))
            assert await storage.advance(PAST, [step], after=at, upto=at + 1)
        ended.set()

    async with opened(path) as storage, opened(path) as other:
        changes = [ViewChange(since=1, puts=EARLY), ViewChange(since=2, puts=LATER)]
        assert await storage.advance(PAST, changes, after=0, upto=2)
        async with anyio.create_task_group() as group:
            group.start_soon(go_on, storage)
            while not ended.is_set():
                found = await other.rows_at(PAST, 1, start="", stop="9", limit=80)
                assert dict(found) == dict(list(EARLY.items())[:80])


ROUNDS = 30


def race(path: Path, name: str) -> list[str]:
    """Race for each version of one stream; returns the commits that won here."""
    return anyio.run(_race, path, name)


async def _race(path: Path, name: str) -> list[str]:
    won = []
    async with opened(path) as storage:
        for number in range(ROUNDS):
            commit_id = f"{name}-{number}"
            contested = write("contested", count=2, expected=Exactly(2 * number))
            try:
                await storage.append(new_commit(commit_id, contested))
                won.append(commit_id)
            except WrongExpectedVersionError:
                await storage.append(new_commit(commit_id, write(name)))
    return won


def race_in_two_processes(path: Path) -> list[str]:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        one, two = pool.map(race, [path, path], ["one", "two"])
    return one + two


async def test_processes_write_one_log(path: Path) -> None:
    """Of two processes that race for each version one wins, and the log has no gap."""
    won = await anyio.to_thread.run_sync(race_in_two_processes, path)
    commits, events = await reopened_log(path)
    assert len(commits) == 2 * ROUNDS
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    contested = [event.commit_id for event in events if event.stream == "contested"]
    assert sorted(contested) == sorted([*won, *won])
    assert [commit_id.split("-")[1] for commit_id in contested[::2]] == list(
        map(str, range(ROUNDS))
    )
    assert all(earlier.recorded_at < later.recorded_at for earlier, later in pairwise(commits))
    assert commits[-1].root == root_of([leaf_of(event) for event in events])


Cancel = Callable[[], object]
CancellableAppend = Callable[
    [SqliteStorage, NewCommit, Callable[[Cancel], None]], Awaitable[Appended | None]
]


async def append_in_a_scope(
    storage: SqliteStorage, commit: NewCommit, arm: Callable[[Cancel], None]
) -> Appended | None:
    with anyio.CancelScope() as scope:
        arm(scope.cancel)
        return await storage.append(commit)
    return None


async def append_in_a_task(
    storage: SqliteStorage, commit: NewCommit, arm: Callable[[Cancel], None]
) -> Appended | None:
    task = asyncio.create_task(storage.append(commit))
    arm(task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return None


async def append_cancelled(
    append: CancellableAppend, database: SqliteDatabase, commit: NewCommit, statement: int
) -> tuple[Appended | None, bool]:
    """Append, cancelled while SQLite is at the n-th statement; also tells whether it got there."""
    statements, armed = count(1), list[Cancel]()
    loop = asyncio.get_running_loop()

    def trace(_: str) -> None:
        if armed and next(statements) == statement:
            loop.call_soon_threadsafe(armed[0])

    await set_trace(database, trace)
    appended = await append(SqliteStorage(database, SteppingClock()), commit, armed.append)
    await set_trace(database, None)
    return appended, next(statements) > statement


async def set_trace(database: SqliteDatabase, trace: Callable[[str], None] | None) -> None:
    async with database.transaction() as db:
        await db.set_trace_callback(trace)


@pytest.mark.parametrize(
    ("append", "fates"),
    [
        (append_in_a_scope, {"finished"}),
        (append_in_a_task, {"nothing", "made all the same", "finished"}),
    ],
    ids=["scope", "task"],
)
async def test_a_cancelled_append_is_whole_or_absent(
    storage: SqliteStorage, database: SqliteDatabase, append: CancellableAppend, fates: set[str]
) -> None:
    """Cancelled at any statement, even COMMIT, it left all or nothing; a retry makes it one.

    A cancel scope does not reach into the transaction; cancelling the task does.
    """
    seen = set()
    for statement in count(1):
        body = str(statement).encode()
        commit = new_commit(str(statement), write("a", count=2), write("b"), bodies=[body])
        appended, reached = await append_cancelled(append, database, commit, statement)
        _, events = await whole_log(storage)
        made = len(events) - 3 * (statement - 1)
        assert made in ((3,) if appended else (0, 3))
        seen.add("finished" if appended else "made all the same" if made else "nothing")
        again = await storage.append(commit)
        assert (again.repeated, again.commit.last_position) == (made == 3, 3 * statement)
        assert await storage.documents(commit.documents) == commit.documents
        if not reached:
            break
    commits, events = await whole_log(storage)
    assert [commit.commit_id for commit in commits] == [str(n + 1) for n in range(statement)]
    assert commits[-1].root == root_of([leaf_of(event) for event in events])
    assert await storage.self_check() == []
    assert statement > 10
    assert seen == fates


async def test_a_full_disk_leaves_the_log_as_it_was(
    storage: SqliteStorage, database: SqliteDatabase
) -> None:
    """An append for which there is no room is refused whole, and can be made later."""
    await storage.append(FIRST)
    before = await whole_log(storage)
    large = new_commit("large", write("a", bytes(1_000_000)))
    await execute(database, "PRAGMA max_page_count=20")
    with pytest.raises(StorageUnavailableError, match="disk is full"):
        await storage.append(large)
    assert await whole_log(storage) == before
    await execute(database, "PRAGMA max_page_count=100000")
    assert not (await storage.append(large)).repeated


async def test_a_writer_that_is_stuck_is_reported(
    storage: SqliteStorage, database: SqliteDatabase, path: Path
) -> None:
    """Where another program holds the file, an append fails, and reads go on."""
    await storage.append(FIRST)
    await execute(database, "PRAGMA busy_timeout=0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailableError, match="locked"):
            await storage.append(new_commit("second"))
        assert (await storage.head()).position == 3
    assert not (await storage.append(new_commit("second"))).repeated


async def test_a_damaged_frontier_is_not_built_upon(storage: SqliteStorage, path: Path) -> None:
    """No commit gets a root over a tree that is not the log's."""
    await storage.append(FIRST)
    run_script(path, "UPDATE frontier SET subtrees = zeroblob(64)")
    with pytest.raises(CorruptLogError, match="frontier"):
        await storage.append(new_commit("second"))
    assert (await storage.head()).position == 3


@pytest.mark.parametrize(
    "damage",
    [
        "body = zeroblob(length(body))",
        "body = (SELECT body FROM documents ORDER BY rowid DESC)",
        "body = x'', body_crc32 = 0",
    ],
)
async def test_a_damaged_body_is_not_served(
    storage: SqliteStorage, path: Path, damage: str
) -> None:
    """The document that was damaged is named, and the others stay readable."""
    await storage.append(FIRST)
    damaged, intact = (documents_of([body]) for body in (b"{}", b"[]"))
    (name,) = damaged
    tamper(path, f"UPDATE documents SET {damage} WHERE hash = '{name}'")
    with pytest.raises(CorruptLogError, match=name):
        await storage.documents(FIRST.documents)
    assert await storage.documents(intact) == intact


@pytest.mark.parametrize("column", ["recorded_at_us", "effective_at_us"])
async def test_an_impossible_time_is_named(storage: SqliteStorage, path: Path, column: str) -> None:
    """A commit outside the calendar is corrupt, whether read by itself or with its events."""
    await storage.append(FIRST)
    tamper(path, f"UPDATE commits SET {column} = {2**62}")
    with pytest.raises(CorruptLogError, match="commit first at position 1"):
        await collect(storage.commits())
    with pytest.raises(CorruptLogError, match="position 1"):
        await collect(storage.read(upto=3))


async def test_text_that_is_not_utf_8_reaches_the_reader(
    storage: SqliteStorage, path: Path
) -> None:
    """A damaged name is read with a mark in it, so that its event can be told."""
    await storage.append(FIRST)
    tamper(path, "UPDATE events SET type = CAST(x'61ff' AS TEXT) WHERE position = 2")
    types = [event.type for event in await collect(storage.read())]
    assert types == ["entry.listed", "a\ufffd", "entry.listed"]


async def test_growth_by_another_connection_is_told(path: Path) -> None:
    """Whoever waits hears of what another storage over the same file appends."""
    async with opened(path) as one, opened(path) as other:
        await one.grown()
        heard = anyio.Event()

        async def listen() -> None:
            head = await one.head()
            while head.position == 0:
                await one.grown()
                head = await one.head()
            heard.set()

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await anyio.lowlevel.checkpoint()
            await other.append(new_commit("1"))
            with anyio.fail_after(10):
                await heard.wait()


@pytest.mark.parametrize("few", [0, 5, 5000])
async def test_events_of_a_category_are_found_in_every_way(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """By their index where they are few and the log is long, else by a walk over the log."""
    monkeypatch.setattr(sqlite_events, "_FEW", few)
    for number in range(4):
        await storage.append(new_commit(str(number), write("a-x", count=3), write("b")))
    events = await collect(storage.read())
    for after, upto in ((0, None), (0, 9), (5, 16), (15, 16)):
        for category in ("a", "b", "x"):
            wanted = [
                event for event in events[after:upto] if category_of(event.stream) == category
            ]
            read = await collect(storage.read(after=after, upto=upto, categories=[category]))
            assert read == wanted
