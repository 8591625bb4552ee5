"""A past registry, from the log alone."""

import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from unittest import mock

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

import application.replay
from adapters.sources.formats.upstream import UpstreamFormat
from adapters.storage.memory import MemoryStorage
from application.event_log import EventLog, Write, catalog_stream
from application.moments import Moment
from application.projections.catalogs import Catalogs, fold_catalogs
from application.projector import Live
from application.replay import render_file, replay
from domain.asof import AtPosition, AtRecorded
from domain.catalog import Catalog
from domain.diff import Offer
from domain.entry import Lifecycle
from domain.errors import NothingRecordedError, RegistryNotFoundError
from domain.events import DelistReason, EntryDelisted, EntryListed
from domain.identifiers import CommitId, DocumentHash, EntryKey, EntryKind, Position, SourceName
from domain.log import AnyVersion
from domain.timestamps import to_rfc_3339
from tests.harness.clock import MICROSECOND, START, SteppingClock
from tests.harness.live_view import stored_catalogs
from tests.harness.new_commits import collect
from tests.harness.strategies import commits_of, histories
from tests.harness.sync_world import (
    HeldSource,
    SyncWorld,
    enveloped,
    server,
    synced_source,
)

HOUR = timedelta(hours=1)
REGISTRIES = {"default": ["main", "second"]}
SYNCS = (
    (server("a"), server("b")),
    (server("a"), server("b")),
    (server("a", description="Does more."), enveloped(server("b"), status="deleted")),
    (server("a", "2.0.0"), server("c")),
    (server("a", "2.0.0"), server("b"), server("c")),
)


class Remembered(SyncWorld):
    """A world that keeps what it said live after each commit."""

    def __init__(self) -> None:
        super().__init__()
        self.source = HeldSource()
        self.lives: dict[Position, Live] = {}
        self.catalogs: dict[Position, Catalogs] = {}
        self.answers: dict[Position, bytes] = {}

    async def remember(self) -> None:
        live = self.projector.live
        self.lives[live.position] = live
        self.catalogs[live.position] = await stored_catalogs(self.storage)
        self.answers[live.position] = await self.answer()


@pytest.fixture
async def world() -> Remembered:
    """Entries that come, change, go and come back, syncs that change nothing, configuration."""
    world = Remembered()
    await world.projector.load()
    await world.configure(REGISTRIES)
    await world.remember()
    for items in SYNCS:
        world.source.offer(*items)
        for _ in range(2):
            await world.syncer.sync(synced_source(world.source))
            await world.remember()
    world.source.failure = ValueError("broken")
    await world.syncer.sync(synced_source(world.source))
    await world.remember()
    await world.configure({"default": ["second"], "other": ["second"]})
    await world.remember()
    return world


async def test_every_commit_is_as_it_was_live(world: Remembered) -> None:
    """Definitions, catalogs and the bytes of the answer, at the end of each commit."""
    commits = await collect(world.storage.commits())
    assert [commit.last_position for commit in commits] == list(world.answers)
    for commit in commits:
        past = await replay(world.log, Moment(commit=commit))
        live = world.lives[commit.last_position]
        assert past.definitions == live.definitions
        assert past.catalogs == world.catalogs[commit.last_position]
        for moment in (AtPosition(commit.last_position), AtRecorded(commit.recorded_at)):
            assert await world.answer_at(moment) == world.answers[commit.last_position]


async def test_between_commits_the_one_before_is_answered(world: Remembered) -> None:
    """Neither a position inside a commit nor a time just before one shows a part of it."""
    commits = await collect(world.storage.commits())
    for before, commit in pairwise(commits):
        answer = world.answers[before.last_position]
        just_before = AtRecorded(commit.recorded_at - MICROSECOND)
        assert await world.answer_at(just_before) == answer
        for position in range(before.last_position, commit.last_position):
            assert await world.answer_at(AtPosition(position)) == answer


async def test_commits_of_syncs_alone_change_nothing(world: Remembered) -> None:
    """One that found nothing new, or failed, is a moment with the registry of before."""
    commits = await collect(world.storage.commits())
    alone = [
        (before, commit)
        for before, commit in pairwise(commits)
        if commit.first_position == commit.last_position
    ]
    assert len(alone) == len(SYNCS) + 2  # each second sync, the first repetition, the failure
    for before, commit in alone:
        was = await replay(world.log, Moment(commit=before))
        now = await replay(world.log, Moment(commit=commit))
        assert (now.definitions, now.catalogs) == (was.definitions, was.catalogs)
        assert now.registry().changed_at == was.registry().changed_at
        assert now.registry().position == commit.last_position


async def test_progress_is_told_up_to_what_can_be_seen(world: Remembered) -> None:
    """Positions rise, the last one is that of the commit."""
    commit = (await collect(world.storage.commits()))[-1]
    told: list[tuple[Position, Position]] = []
    await replay(world.log, Moment(commit=commit), lambda *progress: told.append(progress))
    assert told == sorted(told)
    assert told[-1] == (commit.last_position, commit.last_position)


async def test_a_registry_is_there_from_its_definition_on(world: Remembered) -> None:
    """Before it there is none of that name, and before the log there is nothing."""
    last = max(world.answers)
    assert await world.answer_at(AtPosition(last), "other") == world.answers[last]
    with pytest.raises(RegistryNotFoundError, match="'other': the registries are default"):
        await world.answer_at(AtPosition(last - 1), "other")
    with pytest.raises(NothingRecordedError):
        await world.answer_at(AtPosition(0))


async def test_a_file_feeds_another_registry(world: Remembered) -> None:
    """Documents as they were hashed, without deleted ones, dated with the last change."""
    commit = (await collect(world.storage.commits()))[5]
    registry = (await replay(world.log, Moment(commit=commit))).registry()
    file = b"".join(await render_file(registry, world.documents, UpstreamFormat()))
    (only,) = json.loads(await world.answer_at(AtPosition(commit.last_position)))["servers"]
    told = json.loads(file)
    assert told["data"]["servers"] == [only["server"]]
    assert told["meta"]["last_updated"] == to_rfc_3339(registry.changed_at)
    (entry,) = UpstreamFormat().parse(file).entries
    assert await world.documents.bodies(registry.servers[:1]) == [entry.document]


async def made_of(both: Sequence[Sequence[Offer]], hours: Sequence[int]) -> MemoryStorage:
    """What two sources offered, sync by sync in turn, and how long before they say they did."""
    storage = MemoryStorage(SteppingClock(step=HOUR))
    log = EventLog(storage)
    commits = zip(*(commits_of(history) for history in both), strict=False)
    for number, pair in enumerate(commits):
        for name, commit in zip(("main", "second"), pair, strict=True):
            events = [event for _, _, event in commit]
            stream = catalog_stream(SourceName(name))
            if events:
                await log.append(
                    CommitId(f"{name}-{number}"),
                    [Write(stream, AnyVersion(), events)],
                    effective_at=START + (number - hours[number]) * HOUR,
                )
    return storage


async def folded(log: EventLog, moment: Moment) -> Catalogs:
    """Every single event folded, as the views do."""
    read = await collect(log.read(upto=moment.position))
    if (until := moment.effective_at) is None:
        return fold_catalogs({}, read)
    read = [logged for logged in read if logged.effective_at <= until]
    times = {logged.recorded_at: logged.effective_at for logged in read}
    return {
        source: Catalog({name: found.at_source(times) for name, found in catalog.names.items()})
        for source, catalog in fold_catalogs({}, read).items()
    }


@given(
    st.tuples(histories(), histories()),
    st.lists(st.integers(0, 5), min_size=6, max_size=6),
    st.sampled_from([1, 4, 10_000]),
)
def test_what_is_passed_over_changes_nothing(
    both: Sequence[Sequence[Offer]], hours: Sequence[int], at_once: int
) -> None:
    """However many parts the log is folded in, as of any moment of both kinds."""

    async def check() -> None:
        await agrees_with_every_event(await made_of(both, hours))

    with mock.patch.object(application.replay, "_AT_ONCE", at_once):
        anyio.run(check)


async def agrees_with_every_event(storage: MemoryStorage) -> None:
    """At each commit, by what was recorded and by what had taken effect."""
    log = EventLog(storage)
    for commit in await collect(storage.commits()):
        for effective_at in (None, START, START - HOUR):
            moment = Moment(commit=commit, effective_at=effective_at)
            past = await replay(log, moment)
            assert past.catalogs == await folded(log, moment)


async def test_commits_are_folded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that is the latest only inside a commit never was."""
    first, second, third = (
        EntryListed(
            key=key, document_hash=DocumentHash("a"), title=None, tags=(), lifecycle=Lifecycle()
        )
        for key in (
            EntryKey(EntryKind.SERVER, "io.example/a", f"{number}.0.0") for number in (1, 2, 3)
        )
    )
    monkeypatch.setattr(application.replay, "_AT_ONCE", 1)
    storage = MemoryStorage(SteppingClock())
    log = EventLog(storage)
    stream = catalog_stream(SourceName("main"))
    gone = EntryDelisted(key=second.key, reason=DelistReason.WITHDRAWN)
    for number, events in enumerate(([first, second], [gone, third])):
        await log.append(CommitId(str(number)), [Write(stream, AnyVersion(), events)])
    await agrees_with_every_event(storage)
