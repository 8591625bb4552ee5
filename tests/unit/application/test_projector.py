"""Projections at the end of the log, over restarts and damage."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import attrs
import pytest

from adapters.storage.memory import MemoryStorage
from application.codec import encode
from application.event_log import EventLog, Write, catalog_stream, sync_stream
from application.projections import CATALOGS
from application.projector import Projector
from domain.entry import Lifecycle
from domain.errors import CorruptLogError, UnknownEventTypeError
from domain.events import DelistReason, EntryDelisted, EntryListed, SyncFailed, SyncStage
from domain.identifiers import CommitId, DocumentHash, EntryKey, EntryKind
from domain.log import AnyVersion, Head, NewCommit, NewEvent, StreamWrite
from domain.ports.storage import StoragePort, View, ViewChange
from tests.harness.checkers import check_past_views, check_rebuildable, view_rows
from tests.harness.clock import SteppingClock
from tests.harness.live_view import stored_catalogs
from tests.harness.new_commits import collect
from tests.harness.other_storages import SmallBatches
from tests.harness.sync_world import (
    MAIN,
    HeldSource,
    SyncWorld,
    loaded_world,
    server,
    synced_source,
)

FAILED = SyncFailed(stage=SyncStage.FETCH, reason="no route")
LISTED = EntryListed(
    key=EntryKey(EntryKind.SERVER, "io.example/new", "1"),
    document_hash=DocumentHash("0" * 64),
    title=None,
    tags=(),
    lifecycle=Lifecycle(),
)
UNLISTED = EntryDelisted(
    key=EntryKey(EntryKind.SERVER, "io.example/none", "1"), reason=DelistReason.WITHDRAWN
)


async def synced_world() -> SyncWorld:
    """A world with a registry of one source that offers two servers."""
    world = await loaded_world(SmallBatches(MemoryStorage(SteppingClock())))
    await world.configure({"default": ["main"]})
    await world.syncer.sync(synced_source(HeldSource(server("a"), server("b"))))
    return world


async def append_raw(world: SyncWorld, event: NewEvent) -> None:
    """Append to the catalog of the source without a look at the event."""
    write = StreamWrite(stream=catalog_stream(MAIN), expected=AnyVersion(), events=(event,))
    await world.storage.append(NewCommit(commit_id=CommitId("raw"), writes=(write,)))


async def test_an_empty_log_has_empty_states() -> None:
    """Before anything was appended all is at the origin."""
    live = (await loaded_world()).projector.live
    assert (live.position, live.changed_position) == (0, 0)
    assert (live.catalogs_position, live.sync_runs) == (0, {})
    assert not live.definitions.sources


async def test_a_restart_reads_no_event_again() -> None:
    """A new process takes the views as they are, and reads only what was appended since."""
    world = await synced_world()
    counting = SmallBatches(world.storage)
    restarted = Projector(counting, EventLog(counting))
    await restarted.load()
    assert counting.events_read == 0
    assert restarted.live == world.projector.live

    await world.syncer.sync(synced_source(HeldSource(server("a"), server("b"), server("c"))))
    assert await restarted.catch_up() == world.projector.live
    assert counting.events_read == 1  # what was listed is in the view by now


async def test_catching_up_with_nothing_new_reads_nothing() -> None:
    """At the end of the log the live state is the same object as before."""
    world = await synced_world()
    counting = SmallBatches(world.storage)
    projector = Projector(counting, EventLog(counting))
    await projector.load()
    assert await projector.catch_up() is projector.live
    assert counting.events_read == 0


async def test_a_checkpoint_does_not_stay_far_behind() -> None:
    """A view that none of many events concerns moves on, so that no start looks at them all."""
    world = await synced_world()
    write = Write(sync_stream(MAIN), AnyVersion(), [FAILED] * 1100)
    await world.log.append(CommitId("many"), [write])
    before, live = await stored_catalogs(world.storage), await world.projector.catch_up()
    assert await world.storage.checkpoint(CATALOGS.view) == live.position
    assert await stored_catalogs(world.storage) == before


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (NewEvent("entry.moved", 1, b"{}"), UnknownEventTypeError),
        (NewEvent("entry.delisted", 1, b"{}"), CorruptLogError),
        (encode(UNLISTED), CorruptLogError),
    ],
)
async def test_a_bad_event_halts_at_the_last_good_state(
    event: NewEvent, error: type[CorruptLogError]
) -> None:
    """Every try fails and names the position; what was live stays live, here and in the views."""
    world = await synced_world()
    good, rows = world.projector.live, await view_rows(world.storage)
    await append_raw(world, event)
    for _ in range(2):
        with pytest.raises(error, match=f"positions? {good.position + 1}"):
            await world.projector.catch_up()
        assert world.projector.live is good
    assert await view_rows(world.storage) == rows
    with pytest.raises(error):
        await world.projector.rebuild()
    assert world.projector.live is good


async def test_two_projectors_on_one_storage_agree() -> None:
    """Whichever comes first writes the views, and both say the same after every commit."""
    first = await synced_world()
    second = await loaded_world(first.storage)
    for count, (syncing, following) in enumerate([(first, second), (second, first)] * 2):
        source = HeldSource(server("a"), *[server(f"c{n}") for n in range(count)])
        await syncing.syncer.sync(synced_source(source))
        await following.projector.catch_up()
        assert following.projector.live == syncing.projector.live
    await check_rebuildable(first.storage)


class Overtaken:
    """A storage whose views another process moves on just before they are read."""

    def __init__(self, storage: StoragePort, other: SyncWorld) -> None:
        self.storage = storage
        self.others = [other.projector.catch_up]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    async def rows(self, view: View) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        while self.others:
            await self.others.pop()()
        async for rows in self.storage.rows(view):
            yield rows


async def test_views_that_move_while_they_are_read_are_read_again() -> None:
    """Rows of one moment are never taken with the checkpoint of another."""
    first = await synced_world()
    other = await loaded_world(first.storage)
    write = Write(catalog_stream(MAIN), AnyVersion(), [LISTED])
    await first.log.append(CommitId("more"), [write])
    counting = SmallBatches(first.storage)
    late = Projector(Overtaken(counting, other), EventLog(counting))
    await late.load()
    assert late.live == await first.projector.catch_up()
    assert counting.events_read == 0


class Outrun:
    """A storage whose views another process moves on just before this one would."""

    def __init__(self, storage: StoragePort, other: Projector) -> None:
        self.storage = storage
        self.others = [other.load]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    async def advance(self, view: View, changes: Sequence[ViewChange], **bounds: Any) -> bool:
        while self.others:
            await self.others.pop()()
        return await self.storage.advance(view, changes, **bounds)


class NotUpToDate:
    """A storage as a process saw it before the last commits."""

    def __init__(self, storage: StoragePort, seen: Head) -> None:
        self.storage = storage
        self.seen = seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    async def head(self) -> Head:
        return self.seen


async def test_a_view_that_another_process_left_on_its_way_is_brought_on() -> None:
    """Who was outrun, and then left alone, goes on from where the other one stopped."""
    first = await loaded_world()
    heads = []
    for name in ("one", "two", "three"):
        listed = attrs.evolve(LISTED, key=attrs.evolve(LISTED.key, version=name))
        write = Write(catalog_stream(MAIN), AnyVersion(), [listed])
        await first.log.append(CommitId(name), [write])
        heads.append(await first.storage.head())
    other = NotUpToDate(first.storage, heads[0])
    outrun = Outrun(first.storage, Projector(other, EventLog(other)))
    late = Projector(outrun, EventLog(outrun))
    await late.load()
    assert not outrun.others
    assert await first.storage.checkpoint(CATALOGS.view) == heads[-1].position
    assert late.live == await first.projector.catch_up()
    rows = await view_rows(first.storage)
    await check_past_views(first.storage)
    await late.rebuild()
    assert await view_rows(first.storage) == rows


async def test_a_rebuild_gives_what_was_there() -> None:
    """Views are the same, row by row, and rid of what did not come from the log."""
    world = await synced_world()
    before, rows = world.projector.live, await view_rows(world.storage)
    at = await world.storage.checkpoint(CATALOGS.view)
    stray = ViewChange(since=at, puts={"stray": b"[]"})
    assert await world.storage.advance(CATALOGS.view, [stray], after=at, upto=at)
    await world.projector.rebuild()
    assert world.projector.live == before
    assert await view_rows(world.storage) == rows


async def test_the_changed_position_moves_with_what_can_be_seen() -> None:
    """It ends where a commit ends, and stays with syncs that changed nothing or failed."""
    world = await synced_world()
    source = HeldSource(server("a"), server("b"))
    changed = world.projector.live.changed_position
    assert changed == world.projector.live.position

    await world.syncer.sync(synced_source(source))
    await world.syncer.sync(synced_source(source))
    source.failure = ValueError("broken")
    await world.syncer.sync(synced_source(source))
    live = world.projector.live
    assert live.position == changed + 3
    assert live.changed_position == changed

    await world.syncer.sync(synced_source(HeldSource(server("a"), server("b", "2.0.0"))))
    await world.configure({"default": ["main"], "second": ["main"]})
    ends = {commit.last_position for commit in await collect(world.storage.commits())}
    assert world.projector.live.changed_position in ends
    assert world.projector.live.changed_position == world.projector.live.position
    assert (await loaded_world(world.storage)).projector.live == world.projector.live


async def test_who_waits_for_more_is_woken_by_it() -> None:
    """All who wait, each once the position that it has is passed."""
    world = await synced_world()
    position = world.projector.live.position
    woken = list[int]()

    async def wait(ahead: int) -> None:
        await world.projector.beyond(position + ahead)
        woken.append(ahead)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for ahead in (-1, 0, 0, 1):
                tasks.start_soon(wait, ahead)
            await anyio.wait_all_tasks_blocked()
            assert woken == [-1]
            for number in range(2):
                write = Write(catalog_stream(MAIN), AnyVersion(), [_listed(f"more{number}")])
                await world.log.append(CommitId(f"more{number}"), [write])
                await world.projector.catch_up()
                await anyio.wait_all_tasks_blocked()
    assert woken == [-1, 0, 0, 1]


def _listed(version: str) -> EntryListed:
    return attrs.evolve(LISTED, key=attrs.evolve(LISTED.key, version=version))
