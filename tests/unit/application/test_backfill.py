"""The history of a source: recorded before its first sync, one commit for each revision."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any

import attrs
import pytest

from adapters.storage.memory import MemoryStorage
from application.backfill import TOO_LATE
from application.event_log import LoggedEvent, catalog_stream, history_stream
from application.moments import resolve_from_log
from application.replay import replay
from application.sync import SyncedSource
from domain.asof import Asked
from domain.errors import SourceUnreachableError
from domain.events import (
    DelistReason,
    EntryDelisted,
    EntryListed,
    HistoryCompleted,
    RevisionRecorded,
    SyncCompleted,
    SyncCounts,
    SyncFailed,
)
from domain.filters import Filter, NamePattern
from domain.identifiers import CommitId, StreamName
from domain.ports.clock import ClockPort
from tests.harness.clock import SteppingClock
from tests.harness.sync_world import MAIN, SyncWorld, loaded_world, server, synced_source
from tests.harness.told_history import ToldHistory, told_at

A, B, C = server("aa"), server("bb"), server("cc")
PAST = ([A], [A, B], [B, C])
BROKEN_A = {**A, "description": 5}


@pytest.fixture
async def world() -> SyncWorld:
    return await loaded_world()


def told(port: ToldHistory, **changes: Any) -> SyncedSource:
    return synced_source(port, **changes)


async def history(world: SyncWorld) -> list[LoggedEvent]:
    """What the history stream of the source holds."""
    return [event for event in await world.events() if event.stream == history_stream(MAIN)]


async def offered_by(world: SyncWorld, number: int) -> set[str]:
    """What the source said itself when a revision had just come."""
    moment = await resolve_from_log(Asked(effective_at=told_at(number)), world.log, world.clock)
    catalog = (await replay(world.log, moment)).catalogs[MAIN]
    return {entry.key.name.removeprefix("io.example/") for entry in catalog.entries()}


def noted(count: int) -> str:
    """What a sync says of the revisions that it recorded."""
    return f"revisions of its history that were recorded: {count}"


def commits_of(events: Sequence[LoggedEvent]) -> list[list[LoggedEvent]]:
    return [list(commit) for _, commit in groupby(events, attrgetter("commit_id"))]


async def test_each_revision_is_a_commit_of_its_own_time(world: SyncWorld) -> None:
    """A revision changes the catalog as of when the source had it, then comes the sync."""
    outcome = await world.syncer.sync(told(ToldHistory(*PAST)))
    first, second, third, complete, synced = commits_of(await world.events())
    assert [commit[0].effective_at for commit in (first, second, third)] == [
        told_at(number) for number in (1, 2, 3)
    ]
    assert [type(logged.event) for logged in third] == [
        EntryListed,
        EntryDelisted,
        RevisionRecorded,
    ]
    assert [logged.event for logged in complete] == [HistoryCompleted(problem=None)]
    assert [logged.event for logged in synced] == [outcome.completed]
    assert outcome.completed
    assert outcome.completed.counts == SyncCounts(unchanged=2)
    assert outcome.completed.notes == (noted(3),)


async def test_the_past_is_answered_by_effective_time(world: SyncWorld) -> None:
    """As of each revision's time there is exactly what it offered."""
    await world.syncer.sync(told(ToldHistory(*PAST)))
    assert [await offered_by(world, number) for number in (1, 2, 3)] == [
        {"aa"},
        {"aa", "bb"},
        {"bb", "cc"},
    ]


async def test_a_revision_tells_what_it_came_to(world: SyncWorld) -> None:
    """The history counts its revisions, and what each of them did."""
    await world.syncer.sync(told(ToldHistory(*PAST), settings_hash="settings"))
    *revisions, _ = [logged.event for logged in await history(world)]
    assert revisions[2] == RevisionRecorded(
        revision="r3",
        number=3,
        problem=None,
        filter_hash=Filter().hash,
        settings_hash="settings",
        counts=SyncCounts(listed=1, delisted=1, unchanged=1),
        rejected=(),
    )


@pytest.mark.parametrize(
    ("state", "problem"), [(None, "there was no file"), (b"<html>", "a test: ")]
)
async def test_an_unreadable_revision_changes_nothing(
    world: SyncWorld, state: Any, problem: str
) -> None:
    """It is recorded with its problem, and the next one goes on from the one before."""
    await world.syncer.sync(told(ToldHistory([A], state, [A, B])))
    _, second, _, _ = [logged.event for logged in await history(world)]
    assert isinstance(second, RevisionRecorded)
    assert second.problem
    assert second.problem.startswith(problem)
    assert second.counts == SyncCounts(unchanged=1)
    assert [await offered_by(world, number) for number in (2, 3)] == [{"aa"}, {"aa", "bb"}]


async def test_rejected_entries_are_as_in_a_sync(world: SyncWorld) -> None:
    """What was known of a name stays while its entry cannot be used."""
    await world.syncer.sync(told(ToldHistory([A], [BROKEN_A, B], [A])))
    _, second, _, _ = [logged.event for logged in await history(world)]
    assert isinstance(second, RevisionRecorded)
    assert [rejected.name for rejected in second.rejected] == ["io.example/aa"]
    assert second.counts.rejected == 1
    assert await offered_by(world, 2) == {"aa", "bb"}


async def test_guards_do_not_judge_the_past(world: SyncWorld) -> None:
    """A history may have emptied its catalog: that is what happened."""
    await world.syncer.sync(told(ToldHistory([A, B, C], [], [A])))
    assert [await offered_by(world, number) for number in (1, 2, 3)] == [
        {"aa", "bb", "cc"},
        set(),
        {"aa"},
    ]


async def test_the_filter_holds_in_the_past(world: SyncWorld) -> None:
    """What the filter takes out was never offered by this registry."""
    no_a = Filter(exclude_names=(NamePattern("aa"),))
    await world.syncer.sync(told(ToldHistory(*PAST), filter=no_a))
    assert [await offered_by(world, number) for number in (2, 3)] == [{"bb"}, {"bb", "cc"}]


async def test_history_is_read_once(world: SyncWorld) -> None:
    """Later syncs are ordinary ones, whether the source or the filter has changed."""
    port = ToldHistory(*PAST)
    await world.syncer.sync(told(port))
    port.offer(C)
    no_a = Filter(exclude_names=(NamePattern("aa"),))
    outcome = await world.syncer.sync(told(port, filter=no_a))
    assert port.walked == [None]
    assert outcome.completed
    assert outcome.completed.notes == ()
    assert await world.offered() == {"cc@1.0.0"}


async def test_history_that_is_not_asked_for_is_not_read(world: SyncWorld) -> None:
    """A source that could tell its past is not asked unless it is configured."""
    port = ToldHistory(*PAST)
    port.keeps_history = False
    await world.syncer.sync(told(port))
    assert port.walked == []
    assert await history(world) == []


async def test_a_source_that_was_synced_keeps_its_own_past(world: SyncWorld) -> None:
    """Its catalog has events already, so the sync says once what to do instead."""
    port = ToldHistory(*PAST)
    port.keeps_history = False
    await world.syncer.sync(told(port))
    port.keeps_history = True
    wanted = told(port, settings_hash="with history")
    noted = await world.syncer.sync(wanted)
    again = await world.syncer.sync(wanted)
    assert noted.completed
    assert again.completed
    assert noted.completed.notes == (TOO_LATE,)
    assert again.completed.notes == ()
    assert port.walked == []


async def test_a_retired_source_has_a_past_of_its_own(world: SyncWorld) -> None:
    """What retiring it took away stays in its catalog, so its history comes too late."""
    await world.configure({"default": ["main"]})
    port = ToldHistory(*PAST)
    port.breaks_after, port.break_with = 1, SourceUnreachableError("gone")
    await world.syncer.sync(told(port))
    await world.configure({"default": ["other"]})
    await world.configure({"default": ["main"]})
    port.breaks_after = None
    outcome = await world.syncer.sync(told(port))
    assert outcome.completed
    assert outcome.completed.notes == (TOO_LATE,)


@pytest.mark.parametrize("breaks_after", [0, 1, 2, 3])
async def test_a_history_that_was_cut_off_goes_on(world: SyncWorld, breaks_after: int) -> None:
    """Whatever was recorded stays, and the next sync records the rest: together the same."""
    undisturbed = await loaded_world()
    await undisturbed.syncer.sync(told(ToldHistory(*PAST)))
    port = ToldHistory(*PAST)
    port.breaks_after, port.break_with = breaks_after, SourceUnreachableError("gone")
    failed = await world.syncer.sync(told(port))
    assert failed.failed if breaks_after < len(PAST) else failed.completed
    port.breaks_after = None
    assert (await world.syncer.sync(told(port))).completed
    assert [attrs.evolve(e, **UNLIKE) for e in await told_events(world)] == [
        attrs.evolve(e, **UNLIKE) for e in await told_events(undisturbed)
    ]


UNLIKE: dict[str, Any] = {"position": 0, "commit_id": CommitId(""), "recorded_at": told_at(0)}


async def told_events(world: SyncWorld) -> list[LoggedEvent]:
    """All that the history made, without its end, which is of the moment it came."""
    return [
        logged
        for logged in await world.events()
        if not isinstance(logged.event, HistoryCompleted | SyncCompleted | SyncFailed)
    ]


async def test_an_unforeseen_error_fails_the_sync(world: SyncWorld) -> None:
    """It is told as a failure of the source, and what was recorded stays."""
    port = ToldHistory(*PAST)
    port.breaks_after, port.break_with = 1, ZeroDivisionError()
    outcome = await world.syncer.sync(told(port))
    assert outcome.failed
    assert "internal error" in outcome.failed.reason
    assert len(await history(world)) == 1


async def test_a_rewritten_history_is_left_where_it_is(world: SyncWorld) -> None:
    """What cannot be gone on with is told, and the source is synced as it is now."""
    port = ToldHistory(*PAST)
    port.breaks_after, port.break_with = 2, SourceUnreachableError("gone")
    await world.syncer.sync(told(port))
    port.tell([A, C])
    port.breaks_after = None
    outcome = await world.syncer.sync(told(port))
    assert outcome.completed
    assert outcome.completed.notes == (noted(0), "r2 is gone")
    assert (await history(world))[-1].event == HistoryCompleted(problem="r2 is gone")
    assert await world.offered() == {"aa@1.0.0", "cc@1.0.0"}
    await world.syncer.sync(told(port, settings_hash="other"))
    assert port.walked == [None, "r2"]


async def test_a_history_is_read_once_the_present_can_be(world: SyncWorld) -> None:
    """Whoever names the wrong format, or filters everything, has lost nothing by it."""
    port = ToldHistory(*PAST)
    port.payloads = [b"<html>"]
    assert (await world.syncer.sync(told(port))).failed
    port.tell(*PAST)
    nothing = Filter(include_names=(NamePattern("zz"),))
    assert (await world.syncer.sync(told(port, filter=nothing))).completed
    assert port.walked == []
    await world.syncer.sync(told(port))
    assert port.walked == [None]
    assert [await offered_by(world, number) for number in (1, 2)] == [{"aa"}, {"aa", "bb"}]


async def test_somebody_else_may_record_it_meanwhile(world: SyncWorld) -> None:
    """Of two processes that read a history one goes on, and the other begins behind it."""
    other = await loaded_world(world.storage)
    its = ToldHistory(*PAST)
    seen: list[int] = []

    class Slow(ToldHistory):
        async def history(self, after: str | None) -> Any:
            async for past in super().history(after):
                if past.number == 2 and not its.walked:
                    await other.syncer.sync(told(its))
                yield past

    slow = Slow(*PAST)
    outcome = await world.syncer.sync(told(slow), lambda number, _: seen.append(number))
    assert outcome.completed
    assert seen == [1]
    assert slow.walked == [None]
    assert its.walked == ["r1"]
    events = [logged.event for logged in await history(world)]
    assert [event.revision for event in events if isinstance(event, RevisionRecorded)] == [
        "r1",
        "r2",
        "r3",
    ]


class Overtaken(MemoryStorage):
    """Lets somebody else act once, before it tells where a catalog stands."""

    def __init__(self, clock: ClockPort) -> None:
        super().__init__(clock)
        self.others: list[Callable[[], Awaitable[Any]]] = []

    async def stream_version(self, stream: StreamName) -> int:
        if self.others and stream == catalog_stream(MAIN):
            await self.others.pop()()
        return await super().stream_version(stream)


@pytest.mark.parametrize("recorded", [0, 1])
async def test_somebody_else_may_record_while_it_is_looked(recorded: int) -> None:
    """What another process adds to the history meanwhile is not taken for another past."""
    storage = Overtaken(SteppingClock())
    world, other = await loaded_world(storage), await loaded_world(storage)
    port, its = ToldHistory(*PAST), ToldHistory(*PAST)
    its.break_with = SourceUnreachableError("gone")
    if recorded:
        its.breaks_after = recorded
        await other.syncer.sync(told(its))
    its.breaks_after = recorded + 1
    storage.others = [partial(other.syncer.sync, told(its))]
    outcome = await world.syncer.sync(told(port))
    assert outcome.completed
    assert outcome.completed.notes == (noted(2 - recorded),)
    assert port.walked == [f"r{recorded + 1}"]


async def test_progress_is_told(world: SyncWorld) -> None:
    """Whoever waits learns of every revision, and how many there are."""
    told_of: list[tuple[int, int]] = []
    await world.syncer.sync(told(ToldHistory(*PAST)), lambda *seen: told_of.append(seen))
    assert told_of == [(1, 3), (2, 3), (3, 3)]


async def test_what_is_delisted_in_the_past_was_withdrawn(world: SyncWorld) -> None:
    """The reason is that of a sync."""
    await world.syncer.sync(told(ToldHistory(*PAST)))
    reasons = [e.event.reason for e in await world.events() if isinstance(e.event, EntryDelisted)]
    assert reasons == [DelistReason.WITHDRAWN]
