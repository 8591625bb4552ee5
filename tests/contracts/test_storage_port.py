"""What StoragePort promises, on every adapter."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import anyio
import anyio.lowlevel
import anyio.to_thread
import attrs
import pytest

from domain.asof import AtPosition, AtRecorded
from domain.errors import CommitIdReusedError, CorruptLogError, WrongExpectedVersionError
from domain.identifiers import CommitId, DocumentHash, StreamName
from domain.log import (
    AnyVersion,
    Exactly,
    ExpectedVersion,
    Head,
    NewCommit,
    NewEvent,
    NoStream,
    StoredCommit,
    StoredEvent,
    StreamWrite,
    category_of,
    leaf_of,
    stored_payload,
)
from domain.merkle import root_of
from domain.ports.storage import Compaction, StoragePort, Stretch, View, ViewChange
from tests.harness.clock import MICROSECOND, SECOND, START, SteppingClock
from tests.harness.new_commits import collect, documents_of, new_commit, whole_log, write

EVENTS = 2500  # more than comes in one batch, as are COMMITS
COMMITS = 1001
FIVE_MEGABYTES = hashlib.shake_256(b"incompressible").digest(5_000_000)
VIEW = View("catalog", 1, keeps_past=True)


async def append_all(storage: StoragePort, *commits: NewCommit) -> list[StoredCommit]:
    return [(await storage.append(commit)).commit for commit in commits]


async def refusal(storage: StoragePort, commit: NewCommit) -> type[Exception] | None:
    try:
        await storage.append(commit)
    except (CommitIdReusedError, CorruptLogError, WrongExpectedVersionError) as error:
        return type(error)
    return None


async def test_a_new_log_is_empty(storage: StoragePort) -> None:
    """Nothing is in a new log, and nothing is wrong with it."""
    assert await storage.head() == Head()
    assert await whole_log(storage) == ([], [])
    assert await storage.first_commit() is None
    assert await storage.commit_at(AtPosition(1)) is None
    assert await storage.commit_at(AtRecorded(START)) is None
    assert await storage.commit_of(1) is None
    assert await storage.stream_version(StreamName("catalog-a")) == 0
    assert await storage.first_of(StreamName("catalog-a")) is None
    assert await storage.in_effect(StreamName("catalog-a"), START, upto=9) == 0
    assert await storage.effective_times([START]) == {}
    assert await storage.leaf_hashes(after=0, upto=0) == []
    assert await collect(storage.all_documents()) == []
    assert await storage.self_check() == []


async def test_an_event_comes_back_as_it_was_appended(storage: StoragePort) -> None:
    """Reading returns what was appended, with its place and its times."""
    effective_at = START - SECOND
    appended = await storage.append(new_commit("c", write("a", b"{}"), effective_at=effective_at))
    ((commit,), (event,)) = await whole_log(storage)
    assert not appended.repeated
    assert commit == appended.commit == await storage.first_commit()
    assert event == StoredEvent(
        position=1,
        commit_id=CommitId("c"),
        recorded_at=START,
        effective_at=effective_at,
        stream=StreamName("a"),
        stream_version=1,
        type="entry.listed",
        schema_version=1,
        data=b"{}",
        leaf_hash=leaf_of(event),
    )


async def test_positions_have_no_gap_over_streams(storage: StoragePort) -> None:
    """Positions count all events, stream versions those of a stream; refusals use up neither."""
    await storage.append(new_commit("1", write("a", count=2), write("b")))
    wrong = new_commit("2", write("a", expected=NoStream()))
    assert await refusal(storage, wrong) is WrongExpectedVersionError
    await storage.append(new_commit("3", write("b"), write("a")))
    commits, events = await whole_log(storage)
    assert [(event.position, event.stream, event.stream_version) for event in events] == [
        (1, "a", 1),
        (2, "a", 2),
        (3, "b", 1),
        (4, "b", 2),
        (5, "a", 3),
    ]
    assert [(c.commit_id, c.first_position, c.last_position) for c in commits] == [
        ("1", 1, 3),
        ("3", 4, 5),
    ]
    assert await storage.stream_version(StreamName("a")) == 3


async def test_a_commit_is_all_or_nothing(storage: StoragePort) -> None:
    """Where the last stream stands wrong, nothing of the commit is there, nor its documents."""
    await storage.append(new_commit("1", write("b")))
    before = await storage.head()
    wrong = new_commit("2", write("a"), write("b", expected=Exactly(7)), bodies=[b"{}"])
    assert await refusal(storage, wrong) is WrongExpectedVersionError
    assert await storage.head() == before
    assert await storage.stream_version(StreamName("a")) == 0
    assert await collect(storage.all_documents()) == []
    assert await refusal(storage, new_commit("2", write("a"))) is None


@pytest.mark.parametrize(
    ("expected", "present", "fits"),
    [
        (NoStream(), 0, True),
        (NoStream(), 2, False),
        (AnyVersion(), 0, True),
        (AnyVersion(), 2, True),
        (Exactly(0), 0, True),
        (Exactly(0), 2, False),
        (Exactly(1), 0, False),
        (Exactly(1), 2, False),
        (Exactly(2), 2, True),
        (Exactly(3), 2, False),
    ],
)
async def test_an_expected_version_guards_its_stream(
    storage: StoragePort, expected: ExpectedVersion, present: int, fits: bool
) -> None:
    """A commit is made only where its streams stand as it expects."""
    await storage.append(new_commit("other", write("b", count=5)))
    if present:
        await storage.append(new_commit("before", write("a", count=present)))
    error = await refusal(storage, new_commit("guarded", write("a", expected=expected)))
    assert error is (None if fits else WrongExpectedVersionError)
    assert await storage.stream_version(StreamName("a")) == present + fits


async def test_after_is_exclusive_and_upto_inclusive(storage: StoragePort) -> None:
    """Every pair of edges from 0 to beyond the head cuts what a list would."""
    await append_all(storage, new_commit("1", write("a", count=2)), new_commit("2"))
    commits, events = await whole_log(storage)
    for after in range(5):
        later = [event for event in events if event.position > after]
        assert await collect(storage.read(after=after)) == later
        assert await collect(storage.commits(after=after)) == [
            commit for commit in commits if commit.first_position > after
        ]
        for upto in range(5):
            wanted = [event for event in later if event.position <= upto]
            assert await collect(storage.read(after=after, upto=upto)) == wanted


async def test_batches_join_to_one_read(storage: StoragePort) -> None:
    """However it is batched, a long log comes whole and in order, from anywhere."""
    bodies = [str(number).encode() for number in range(EVENTS)]
    long = new_commit("long", write("a", count=EVENTS), write("b", count=EVENTS), bodies=bodies)
    await storage.append(long)
    positions = [event.position for event in await collect(storage.read(after=7))]
    assert positions == list(range(8, 2 * EVENTS + 1))
    only_b = await collect(storage.read(after=EVENTS + 1, upto=2 * EVENTS - 1, categories=["b"]))
    assert [event.position for event in only_b] == list(range(EVENTS + 2, 2 * EVENTS))
    assert set(await collect(storage.all_documents())) == long.documents.keys()
    assert await storage.documents(long.documents) == long.documents


async def test_batches_of_commits_join_to_one_read(storage: StoragePort) -> None:
    """Many commits come whole and in order."""
    made = await append_all(storage, *(new_commit(str(number)) for number in range(COMMITS)))
    assert await collect(storage.commits()) == made


@pytest.mark.parametrize(
    "categories",
    [
        ["catalog"],
        ["config", "catalogue"],
        ["catalog-a"],
        ["CATALOG"],
        ["a", "'"],
        [],
        None,
    ],
)
async def test_categories_are_whole_words(
    storage: StoragePort, categories: list[str] | None
) -> None:
    """A category is a stream's name up to the first dash, and matches only as a whole."""
    streams = ("catalog-a", "catalog-a-b", "catalogue-a", "config", "config-x", "a-catalog")
    await storage.append(new_commit("1", *map(write, streams)))
    read = await collect(storage.read(categories=categories))
    assert [event.stream for event in read] == [
        stream
        for stream in streams
        if categories is None or category_of(StreamName(stream)) in categories
    ]


REVISIONS = Compaction(type="entry.revised", member="key")


def revised(stream: str, *payloads: bytes) -> StreamWrite:
    events = tuple(NewEvent("entry.revised", 1, payload) for payload in payloads)
    return StreamWrite(stream=StreamName(stream), expected=AnyVersion(), events=events)


async def test_what_is_superseded_is_left_out(storage: StoragePort) -> None:
    """Of the events of a type only the last with the same member in the same stream; of other
    types, streams, categories and payloads all.
    """
    a, b = b'{"key":{"n":"a"},"x":%d}', b'{"key":{"n":"b"}}'
    odd = b'{"key":null}', b"{}", b"[]", b"no JSON"
    listed = write("catalog-a", a % 1, a % 1)
    await storage.append(new_commit("1", listed, write("catalogs-a"), effective_at=START - SECOND))
    await storage.append(new_commit("2", revised("catalog-a", a % 2, *odd, b, *odd)))
    await storage.append(new_commit("3", revised("catalog-b", a % 2), revised("sync-a", b)))
    await storage.append(new_commit("4", revised("catalog-a", a % 3)))
    _, events = await whole_log(storage)
    odd_ones = [5, 6, 7, 8, 10, 11, 12, 13]
    for stretch, positions in (
        (Stretch(after=0, upto=16), [1, 2, *odd_ones, 9, 14, 16]),
        (Stretch(after=0, upto=15), [1, 2, 4, *odd_ones, 9, 14]),
        (Stretch(after=9, upto=16), [10, 11, 12, 13, 14, 16]),
        (Stretch(after=0, upto=16, by=START - SECOND), [1, 2]),
        (Stretch(after=0, upto=16, by=START + SECOND), [1, 2, 4, *odd_ones, 9]),
        (Stretch(after=16, upto=16), []),
    ):
        told = await storage.compacted("catalog", stretch, REVISIONS)
        expected = [stored_payload(event) for event in events if event.position in positions]
        assert told == expected
    for category in ("catalog-a", "cat"):
        assert await storage.compacted(category, Stretch(after=0, upto=16), REVISIONS) == []


async def test_repeating_a_commit_changes_nothing(
    storage: StoragePort, clock: SteppingClock
) -> None:
    """The same id and events return the first result, also when the stream has moved on."""
    commit = new_commit("1", write("a", count=2, expected=NoStream()), write("b"))
    first = await storage.append(commit)
    await storage.append(new_commit("2", write("a")))
    before, at = await whole_log(storage), clock.at
    later = attrs.evolve(commit, effective_at=START - SECOND, documents=documents_of([b"{}"]))
    for again in (commit, later):
        assert await storage.append(again) == attrs.evolve(first, repeated=True)
    assert (await whole_log(storage), clock.at) == (before, at)
    assert await collect(storage.all_documents()) == []


@pytest.mark.parametrize(
    "other",
    [
        new_commit("1", write("a", b"1", b"3")),
        new_commit("1", write("a", b"1")),
        new_commit("1", write("a", b"1", b"2", b"3")),
        new_commit("1", write("b", b"1", b"2")),
        new_commit("1", write("a", b"1"), write("b", b"2")),
        new_commit("1", write("a", b"2", b"1")),
    ],
)
async def test_a_commit_id_is_not_used_twice(storage: StoragePort, other: NewCommit) -> None:
    """The same id with other events is refused, and nothing is appended."""
    await storage.append(new_commit("1", write("a", b"1", b"2")))
    before = await whole_log(storage)
    assert await refusal(storage, other) is CommitIdReusedError
    assert await whole_log(storage) == before


async def test_one_of_many_appenders_wins(storage: StoragePort) -> None:
    """Of commits that all expect the same version, exactly one is made, round by round."""
    outcomes: list[type[Exception] | None] = []

    async def compete(commit_id: str, version: int) -> None:
        rival = new_commit(commit_id, write("a", expected=Exactly(version)), write("b"))
        outcomes.append(await refusal(storage, rival))

    for version in range(4):
        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(compete, f"{version}-{number}", version)
        assert outcomes.count(None) == await storage.stream_version(StreamName("b")) == version + 1
    assert outcomes.count(WrongExpectedVersionError) == 16


async def test_commits_at_once_do_not_mix(storage: StoragePort) -> None:
    """Unguarded commits at once are all made, each in one piece; one sent thrice is made once."""
    async with anyio.create_task_group() as group:
        for number in [*range(8), 3, 3]:
            group.start_soon(storage.append, new_commit(str(number), write("a", count=3)))
    commits, events = await whole_log(storage)
    assert sorted(commit.commit_id for commit in commits) == [str(number) for number in range(8)]
    assert [event.position for event in events] == list(range(1, 25))
    for commit in commits:
        own = events[commit.first_position - 1 : commit.last_position]
        assert [event.commit_id for event in own] == [commit.commit_id] * 3


async def test_recorded_at_always_grows(storage: StoragePort, clock: SteppingClock) -> None:
    """Where the clock stands still or goes back, a commit is recorded 1 us after the last."""
    clock.step = timedelta(0)
    back = START - timedelta(days=400)
    for number, at in enumerate([START, START, back, back, START + SECOND]):
        clock.at = at
        await storage.append(new_commit(str(number)))
    commits, events = await whole_log(storage)
    recorded = [START + n * MICROSECOND for n in range(4)] + [START + SECOND]
    assert [commit.recorded_at for commit in commits] == recorded
    assert [event.recorded_at for event in events] == recorded
    assert (await storage.head()).recorded_at == recorded[-1]


LAST = START - timedelta(days=10)
"""When the last event of `catalog-a` took effect."""


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (None, START + SECOND),
        (LAST - SECOND, LAST),
        (LAST, LAST),
        (LAST + SECOND, LAST + SECOND),
        (START, START),
        (START + SECOND, START + SECOND),
        (START + timedelta(days=1), START + SECOND),
        (LAST.astimezone(timezone(timedelta(hours=5))) + SECOND, LAST + SECOND),
        (datetime.min.replace(tzinfo=UTC), LAST),
    ],
)
async def test_effective_at_stays_in_its_bounds(
    storage: StoragePort, said: datetime | None, kept: datetime
) -> None:
    """It is never after `recorded_at`, nor before what any of the same streams said last."""
    await storage.append(new_commit("1", write("catalog-a"), effective_at=LAST))
    appended = await storage.append(
        new_commit("2", write("sync-a"), write("catalog-a"), effective_at=said)
    )
    assert appended.commit.effective_at == kept
    assert {event.effective_at for event in await collect(storage.read(after=1))} == {kept}


async def test_effective_at_is_free_in_another_stream(storage: StoragePort) -> None:
    """What one stream said does not bind another: a backfill may go back, as far as 1970."""
    long_ago, too_long_ago = datetime(2001, 1, 1, tzinfo=UTC), datetime(1900, 1, 1, tzinfo=UTC)
    said = {"a": LAST, "b": long_ago, "c": too_long_ago}
    commits = [new_commit(stream, write(stream), effective_at=at) for stream, at in said.items()]
    kept = [commit.effective_at for commit in await append_all(storage, *commits)]
    assert kept == [LAST, long_ago, datetime(1970, 1, 1, tzinfo=UTC)]


async def test_every_commit_has_the_root_of_its_log(storage: StoragePort) -> None:
    """Leaves and roots are those that the domain computes from the events alone."""
    for size in range(1, 9):
        await storage.append(new_commit(str(size), write("a", count=size)))
    commits, events = await whole_log(storage)
    leaves = [leaf_of(event) for event in events]
    assert [event.leaf_hash for event in events] == leaves
    for commit in commits:
        assert commit.root == root_of(leaves[: commit.last_position])
    last = commits[-1]
    assert await storage.head() == Head(len(leaves), last.recorded_at, last.root)


async def test_documents_are_stored_once(storage: StoragePort) -> None:
    """A body that comes again is known already, and an unknown hash has none."""
    await storage.append(new_commit("1", bodies=[b"{}", b"", b"[]"]))
    await storage.append(new_commit("2", bodies=[b"[]", b"1"]))
    known = documents_of([b"{}", b"", b"[]", b"1"])
    (unknown,) = documents_of([b"unknown"])
    assert sorted(await collect(storage.all_documents())) == sorted(known)
    assert await storage.documents([*known, *known, unknown]) == known
    assert await storage.documents([unknown]) == await storage.documents([]) == {}


async def test_packed_documents_can_be_unpacked_later(storage: StoragePort) -> None:
    """In any order and as often as wanted; what is unknown or erased is not among them."""
    bodies = documents_of([b"{}", b"", b"[1]" * 500])
    erased, *kept = bodies
    await storage.append(new_commit("1", bodies=bodies.values()))
    await storage.append(attrs.evolve(new_commit("2"), erased=frozenset([erased])))
    (unknown,) = documents_of([b"unknown"])
    packed = await storage.packed([*bodies, *kept, unknown])
    assert set(packed) == set(kept)
    names = [*kept, *reversed(kept)]
    assert list(storage.unpack([packed[name] for name in names])) == [bodies[n] for n in names]
    assert list(storage.unpack([])) == []
    assert await storage.packed([]) == {}


async def test_unpacking_in_many_threads_at_once(storage: StoragePort) -> None:
    """Each gets what it asked for."""
    bodies = documents_of(str(number).encode() * 300 for number in range(200))
    await storage.append(new_commit("1", bodies=bodies.values()))
    packed = await storage.packed(bodies)
    frames = [packed[name] for name in bodies]
    wanted = list(bodies.values())

    async def unpack() -> None:
        for _ in range(20):
            assert list(await anyio.to_thread.run_sync(storage.unpack, frames)) == wanted
            assert list(storage.unpack(frames)) == wanted

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(unpack)


async def test_staged_documents_come_with_their_commit(storage: StoragePort) -> None:
    """Bodies staged for a commit are in the log with it, and before that nowhere."""
    commit = new_commit("first", write("a"))
    mine, others = documents_of([b"{}", b"[]"]), documents_of([b"[]", b"1"])
    (inline,) = commit_documents = documents_of([b"0"])
    for body in mine.items():
        await storage.stage(commit.commit_id, dict([body]))
    await storage.stage(commit.commit_id, mine)
    await storage.stage(CommitId("other"), others)
    assert await storage.documents([*mine, *others]) == {}
    await storage.append(attrs.evolve(commit, documents=commit_documents))
    assert set(await collect(storage.all_documents())) == {*mine, inline}
    assert await storage.documents(mine) == mine


async def test_what_was_unstaged_is_forgotten(storage: StoragePort) -> None:
    """A commit that comes all the same has no documents; what was staged for others stays."""
    kept = documents_of([b"{}", b"[]"])
    await storage.stage(CommitId("dropped"), documents_of([b"{}", b"1"]))
    await storage.stage(CommitId("kept"), kept)
    await storage.unstage(CommitId("dropped"))
    await storage.unstage(CommitId("unknown"))
    await storage.append(new_commit("dropped", write("a")))
    assert await collect(storage.all_documents()) == []
    await storage.append(new_commit("kept", write("a")))
    assert await storage.documents(kept) == kept


async def test_a_refused_commit_leaves_what_was_staged(storage: StoragePort) -> None:
    """A commit that is refused takes nothing over, and may be tried again."""
    bodies = documents_of([b"{}"])
    await storage.stage(CommitId("c"), bodies)
    assert await refusal(storage, new_commit("c", write("a", expected=Exactly(5))))
    assert await collect(storage.all_documents()) == []
    await storage.append(new_commit("c", write("a")))
    assert await storage.documents(bodies) == bodies


async def test_a_staged_document_must_fit_its_hash(storage: StoragePort) -> None:
    """A body under the hash of another is refused at once."""
    (name,) = documents_of([b"{}"])
    with pytest.raises(CorruptLogError, match=name):
        await storage.stage(CommitId("c"), {name: b"[]"})


async def test_a_document_under_a_wrong_hash_is_refused(storage: StoragePort) -> None:
    """A body must hash to its name, or nothing of its commit is appended."""
    good, bad = new_commit("1", bodies=[b"{}"]), {DocumentHash("0" * 64): b"{}"}
    wrong = attrs.evolve(good, documents={**good.documents, **bad})
    assert await refusal(storage, wrong) is CorruptLogError
    assert await whole_log(storage) == ([], [])
    assert await collect(storage.all_documents()) == []
    assert await refusal(storage, good) is None


async def test_a_moment_resolves_to_the_last_commit_by_then(
    storage: StoragePort, clock: SteppingClock
) -> None:
    """At, just before and just after every commit, and at every position within one."""
    for number, step in enumerate([SECOND, MICROSECOND, timedelta(0), SECOND]):
        clock.step = step
        await storage.append(new_commit(str(number), write("a", count=1 + number)))
    commits, _ = await whole_log(storage)
    around = [c.recorded_at + n * MICROSECOND for c in commits for n in (-1, 0, 1)]
    for at in around:
        by_then = [commit for commit in commits if commit.recorded_at <= at]
        assert await storage.commit_at(AtRecorded(at)) == (by_then[-1] if by_then else None)
    for position in range(commits[-1].last_position + 2):
        by_then = [commit for commit in commits if commit.last_position <= position]
        assert await storage.commit_at(AtPosition(position)) == (by_then[-1] if by_then else None)


async def test_every_position_belongs_to_its_commit(storage: StoragePort) -> None:
    """From the first to the last of each commit; before the first and beyond the last to none."""
    sizes = (1, 3, 2, 1)
    commits = await append_all(
        storage, *(new_commit(str(n), write("a", count=size)) for n, size in enumerate(sizes))
    )
    owners = [commit for commit, size in zip(commits, sizes, strict=True) for _ in range(size)]
    found = [await storage.commit_of(position) for position in range(10)]
    assert found == [None, *owners, None, None]


async def test_effective_times_are_those_of_commits(storage: StoragePort) -> None:
    """Of commits recorded at exactly those times, however often and in whatever zone one asks."""
    said = (None, LAST, LAST - SECOND)
    commits = await append_all(
        storage,
        *(new_commit(str(n), write(f"s{n}"), effective_at=at) for n, at in enumerate(said)),
    )
    times = {commit.recorded_at: commit.effective_at for commit in commits}
    zoned = [at.astimezone(timezone(timedelta(hours=5))) for at in times]
    around = [at + n * MICROSECOND for at in times for n in (-1, 1)]
    assert list(times.values()) == [START, LAST, LAST - SECOND]
    assert await storage.effective_times([*times, *zoned, *around]) == times
    assert await storage.effective_times([commits[1].recorded_at]) == {commits[1].recorded_at: LAST}
    assert await storage.effective_times(around) == await storage.effective_times([]) == {}


async def test_what_was_in_effect_is_found_at_every_time(storage: StoragePort) -> None:
    """In a stream of few and of many events, with equal times, and with *upto* in their midst."""
    times = [LAST + seconds * SECOND for seconds in (0, 0, 1, 3, 3, 3, 4)]
    for number, at in enumerate(times):
        other = new_commit(f"other-{number}", write("b"), effective_at=LAST + number * SECOND)
        mine = new_commit(str(number), write("c"), write("a", count=2), effective_at=at)
        await append_all(storage, other, mine)
    events = await collect(storage.read())
    around = sorted({at + n * MICROSECOND for at in times for n in (-1, 0, 1)})
    for stream in (StreamName("a"), StreamName("b"), StreamName("unknown")):
        for upto in range(len(events) + 2):
            known = [e for e in events if e.stream == stream and e.position <= upto]
            for at in around:
                wanted = max((e.position for e in known if e.effective_at <= at), default=0)
                assert await storage.in_effect(stream, at, upto=upto) == wanted


async def test_the_first_event_of_a_stream(storage: StoragePort) -> None:
    """It stays the first one, and a stream without events has none."""
    await storage.append(new_commit("1", write("a"), write("b", b"1", b"2")))
    await storage.append(new_commit("2", write("b", b"3")))
    events = await collect(storage.read())
    assert await storage.first_of(StreamName("a")) == events[0]
    assert await storage.first_of(StreamName("b")) == events[1]
    assert await storage.first_of(StreamName("c")) is None


async def test_leaves_of_any_range(storage: StoragePort) -> None:
    """Those of the events, after an exclusive and up to an inclusive position."""
    await append_all(storage, new_commit("1", write("a", count=3)), new_commit("2"))
    leaves = [event.leaf_hash for event in await collect(storage.read())]
    for after in range(5):
        for upto in range(after, 5):
            assert await storage.leaf_hashes(after=after, upto=upto) == leaves[after:upto]


@pytest.mark.parametrize(
    "payload", [FIVE_MEGABYTES, '{"é": "😀\u2028\\u0000"}'.encode(), b"", b"\0\xff"]
)
async def test_any_payload_comes_back(storage: StoragePort, payload: bytes) -> None:
    """Events, documents and rows, also past ones, hold any bytes, and megabytes of them."""
    await storage.append(new_commit("1", write("a", payload), bodies=[payload]))
    changes = [ViewChange(since=at, puts={"a": value}) for at, value in ((1, payload), (2, b"."))]
    await storage.advance(VIEW, changes, after=0, upto=2)
    (event,) = await collect(storage.read())
    assert event.data == payload
    assert list((await storage.documents(documents_of([payload]))).values()) == [payload]
    assert await storage.rows_at(VIEW, 1, start="", stop="b", limit=1) == [("a", payload)]


async def test_rows_that_hold_at_a_position_are_found_among_many_that_do_not(
    storage: StoragePort,
) -> None:
    """Of rows that came one by one, were all replaced, and of which some went, as many as are
    wanted from any key on."""
    keys = [f"{number:03}" for number in range(300)]
    changes = [
        *(ViewChange(since=at, puts={key: b"1"}) for at, key in enumerate(reversed(keys), 1)),
        ViewChange(since=301, puts=dict.fromkeys(keys, b"2")),
        ViewChange(since=302, deletes=frozenset(keys[10:290])),
    ]
    await storage.advance(VIEW, changes, after=0, upto=302)
    held = {
        40: [(key, b"1") for key in keys[-40:]],
        300: [(key, b"1") for key in keys],
        301: [(key, b"2") for key in keys],
        302: [(key, b"2") for key in (*keys[:10], *keys[290:])],
    }
    for position, rows in held.items():
        for start in ("", "005", "0055", "280", "299", "3"):
            for stop in ("285", "9"):
                wanted = [row for row in rows if start <= row[0] < stop]
                for limit in (1, 7, 1000):
                    found = await storage.rows_at(
                        VIEW, position, start=start, stop=stop, limit=limit
                    )
                    assert list(found) == wanted[:limit]


async def test_who_waits_for_growth_is_told_of_it(storage: StoragePort) -> None:
    """Of a commit, a step of a view and a view that goes, all who wait, and each of them once."""
    await storage.append(new_commit("1"))
    told: list[str] = []
    waiting = anyio.Event()

    async def follow(name: str) -> None:
        await storage.grown()
        waiting.set()
        while True:
            await storage.grown()
            told.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(follow, "a")
        group.start_soon(follow, "b")
        await waiting.wait()
        for grow in (
            lambda: storage.append(new_commit("2")),
            lambda: storage.advance(VIEW, [], after=0, upto=2),
            lambda: storage.drop(VIEW),
        ):
            told.clear()
            await grow()
            with anyio.fail_after(10):
                while set(told) != {"a", "b"}:
                    await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()


async def test_growth_between_two_calls_is_told_at_once(storage: StoragePort) -> None:
    """Whoever was away hears of what came meanwhile."""
    await storage.grown()
    await storage.append(new_commit("1"))
    with anyio.fail_after(10):
        await storage.grown()


async def test_a_storage_may_be_closed_twice(storage: StoragePort) -> None:
    """Closing what is closed does nothing."""
    await storage.append(new_commit("1"))
    await storage.close()
    await storage.close()
