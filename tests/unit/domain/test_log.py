"""The log: what a commit becomes, and what its leaves cover."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.canonical_json import canonical_json
from domain.errors import CommitIdReusedError, CorruptLogError, WrongExpectedVersionError
from domain.identifiers import CommitId, DocumentHash, StreamName
from domain.log import (
    AnyVersion,
    Exactly,
    ExpectedVersion,
    Head,
    MadeCommit,
    NewCommit,
    NewEvent,
    NoStream,
    Standing,
    StoredEvent,
    StreamHead,
    StreamWrite,
    category_of,
    check_documents,
    leaf_data,
    leaf_of,
    make_commit,
    refuse_other_content,
)
from domain.merkle import EMPTY_ROOT, Frontier, leaf_hash, root_of
from tests.harness.strategies import instants

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
CATALOG, SYNC, CONFIG = StreamName("catalog-a"), StreamName("sync-a"), StreamName("config")
STREAMS = (CATALOG, SYNC, CONFIG)
EMPTY = Standing(head=Head(), frontier=Frontier(), streams={})
EVENT = NewEvent("entry.listed", 1, b"{}")

plain_texts = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,12}", fullmatch=True)
positions = st.integers(1, 2**53 - 1)
stored_events = st.builds(
    StoredEvent,
    position=positions,
    commit_id=plain_texts.map(CommitId),
    recorded_at=instants,
    effective_at=instants,
    stream=plain_texts.map(StreamName),
    stream_version=positions,
    type=plain_texts,
    schema_version=positions,
    data=st.binary(max_size=20),
    leaf_hash=st.just(b""),
)
event_lists = st.sampled_from(
    [
        (EVENT,),
        (EVENT, EVENT),
        (EVENT, NewEvent("entry.delisted", 2, b'{"a":1}'), EVENT),
    ]
)


@st.composite
def appends(draw: st.DrawFn) -> Sequence[tuple[NewCommit, datetime]]:
    """Commits to a few streams, each with what a clock shows that jumps back and forth."""
    streams = st.lists(st.sampled_from(STREAMS), min_size=1, max_size=3, unique=True)
    times = st.integers(-3, 3).map(lambda hours: NOW + timedelta(hours=hours))
    return [
        (_commit(draw(streams), draw(event_lists), f"c{number}", draw(st.none() | times)), now)
        for number, now in enumerate(draw(st.lists(times, max_size=6)))
    ]


def _commit(
    streams: Sequence[StreamName] = STREAMS[:1],
    events: tuple[NewEvent, ...] = (EVENT,),
    commit_id: str = "c",
    effective_at: datetime | None = None,
    expected: ExpectedVersion | None = None,
) -> NewCommit:
    return NewCommit(
        commit_id=CommitId(commit_id),
        writes=tuple(
            StreamWrite(stream=stream, expected=expected or AnyVersion(), events=events)
            for stream in streams
        ),
        effective_at=effective_at,
    )


def _after(standing: Standing, made: MadeCommit) -> Standing:
    """Where a log stands once a commit has been written."""
    commit = made.commit
    return Standing(
        head=Head(position=commit.last_position, recorded_at=commit.recorded_at, root=commit.root),
        frontier=made.frontier,
        streams={
            **standing.streams,
            **{
                event.stream: StreamHead(
                    version=event.stream_version, effective_at=event.effective_at
                )
                for event in made.events
            },
        },
    )


def _append(all_of: Sequence[tuple[NewCommit, datetime]]) -> Sequence[MadeCommit]:
    standing, made = EMPTY, []
    for new, now in all_of:
        made.append(make_commit(new, standing, now))
        standing = _after(standing, made[-1])
    return made


def _standing(**streams: int) -> Standing:
    heads = {StreamName(name): StreamHead(version=version) for name, version in streams.items()}
    return attrs.evolve(EMPTY, streams=heads)


@given(appends())
def test_positions_and_stream_versions_have_no_gap(
    all_of: Sequence[tuple[NewCommit, datetime]],
) -> None:
    """Events are numbered 1, 2, 3 ... over the log, and so in each stream."""
    made = _append(all_of)
    events = [event for one in made for event in one.events]
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    for stream in STREAMS:
        versions = [event.stream_version for event in events if event.stream == stream]
        assert versions == list(range(1, len(versions) + 1))
    for one in made:
        assert one.commit.first_position == one.events[0].position
        assert one.commit.last_position == one.events[-1].position


@given(appends())
def test_what_was_written_is_what_was_given(all_of: Sequence[tuple[NewCommit, datetime]]) -> None:
    """Events keep their order, stream, type, schema version and payload."""
    for (new, _), made in zip(all_of, _append(all_of), strict=True):
        assert made.commit.commit_id == new.commit_id
        assert [
            (event.stream, NewEvent(event.type, event.schema_version, event.data))
            for event in made.events
        ] == [(write.stream, event) for write in new.writes for event in write.events]
        refuse_other_content(new, made.events)


@given(appends())
def test_recorded_times_rise_though_the_clock_goes_back(
    all_of: Sequence[tuple[NewCommit, datetime]],
) -> None:
    """A commit is recorded when the clock says so, or a microsecond after the one before."""
    previous = datetime.min.replace(tzinfo=UTC)
    for (_, now), made in zip(all_of, _append(all_of), strict=True):
        assert made.commit.recorded_at == max(now, previous + MICROSECOND)
        previous = made.commit.recorded_at


@given(appends())
def test_effective_times_never_go_back_within_a_stream(
    all_of: Sequence[tuple[NewCommit, datetime]],
) -> None:
    """What a source says of the time is kept where it fits, and brought between where not."""
    last: dict[StreamName, datetime] = {}
    for (new, _), made in zip(all_of, _append(all_of), strict=True):
        effective_at, recorded_at = made.commit.effective_at, made.commit.recorded_at
        floor = [last[write.stream] for write in new.writes if write.stream in last]
        assert all(earlier <= effective_at for earlier in floor)
        assert effective_at <= recorded_at
        assert effective_at in {new.effective_at or recorded_at, recorded_at, *floor}
        last |= dict.fromkeys((write.stream for write in new.writes), effective_at)


@given(appends())
def test_all_of_a_commit_has_its_id_and_times(all_of: Sequence[tuple[NewCommit, datetime]]) -> None:
    """The events of a commit agree with it."""
    for made in _append(all_of):
        commit = made.commit
        assert {(e.commit_id, e.recorded_at, e.effective_at) for e in made.events} == {
            (commit.commit_id, commit.recorded_at, commit.effective_at)
        }


@given(appends())
def test_every_commit_has_the_root_over_the_whole_log(
    all_of: Sequence[tuple[NewCommit, datetime]],
) -> None:
    """The root of a commit is that of all leaves up to its last; each can be recomputed."""
    leaves: list[bytes] = []
    for made in _append(all_of):
        leaves += [leaf_of(event) for event in made.events]
        assert [event.leaf_hash for event in made.events] == leaves[-len(made.events) :]
        assert made.commit.root == made.frontier.root() == root_of(leaves)


def test_an_empty_log_ends_before_its_first_position() -> None:
    """The head of an empty log is position 0 with the root of nothing."""
    assert Head() == Head(position=0, recorded_at=None, root=EMPTY_ROOT)


@pytest.mark.parametrize(
    ("said", "effective_at"),
    [
        (None, NOW),
        (NOW - timedelta(days=400), NOW - timedelta(days=400)),
        (NOW + timedelta(days=1), NOW),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_source_cannot_speak_of_the_future(said: datetime | None, effective_at: datetime) -> None:
    """A time after the recording, or before 1970, is brought to the nearest that can be."""
    assert make_commit(_commit(effective_at=said), EMPTY, NOW).commit.effective_at == effective_at


@pytest.mark.parametrize(
    ("expected", "version"),
    [(NoStream(), 0), (AnyVersion(), 0), (AnyVersion(), 7), (Exactly(0), 0), (Exactly(7), 7)],
)
def test_a_stream_where_it_is_expected_takes_the_commit(
    expected: ExpectedVersion, version: int
) -> None:
    """A commit goes through when its stream has as many events as it says."""
    made = make_commit(_commit([CONFIG], expected=expected), _standing(config=version), NOW)
    assert made.events[0].stream_version == version + 1


@pytest.mark.parametrize(
    ("expected", "version", "message"),
    [
        (NoStream(), 1, "stream config has 1 events, expected no events: read it again"),
        (Exactly(0), 1, "stream config has 1 events, expected 0 events: read it again"),
        (Exactly(2), 1, "stream config has 1 events, expected 2 events: read it again"),
        (Exactly(1), 0, "stream config has 0 events, expected 1 events: read it again"),
    ],
)
def test_a_stream_that_moved_on_refuses_the_commit(
    expected: ExpectedVersion, version: int, message: str
) -> None:
    """A decision made on an older state is refused, and told to be made again."""
    with pytest.raises(WrongExpectedVersionError, match=message):
        make_commit(_commit([CONFIG], expected=expected), _standing(config=version), NOW)


def test_one_wrong_stream_refuses_all() -> None:
    """A commit to several streams goes through whole or not at all."""
    writes = (
        *_commit([CONFIG]).writes,
        *_commit([SYNC], expected=Exactly(4)).writes,
    )
    with pytest.raises(WrongExpectedVersionError, match="sync-a"):
        make_commit(attrs.evolve(_commit(), writes=writes), EMPTY, NOW)


@pytest.mark.parametrize(
    ("stored", "again"),
    [
        ((EVENT,), (EVENT, EVENT)),
        ((EVENT, EVENT), (EVENT,)),
        ((EVENT,), (NewEvent("entry.revised", 1, b"{}"),)),
        ((EVENT,), (NewEvent("entry.listed", 2, b"{}"),)),
        ((EVENT,), (NewEvent("entry.listed", 1, b"[]"),)),
    ],
)
def test_a_commit_id_is_good_for_one_content(
    stored: tuple[NewEvent, ...], again: tuple[NewEvent, ...]
) -> None:
    """More, fewer or other events under the same id are refused."""
    made = make_commit(_commit(events=stored), EMPTY, NOW)
    with pytest.raises(CommitIdReusedError, match="commit c was made with other events"):
        refuse_other_content(_commit(events=again), made.events)


def test_a_commit_id_is_good_for_one_stream() -> None:
    """The same events for another stream are other content."""
    made = make_commit(_commit([CONFIG]), EMPTY, NOW)
    with pytest.raises(CommitIdReusedError):
        refuse_other_content(_commit([SYNC]), made.events)


@pytest.mark.parametrize(
    ("streams", "events"), [([], (EVENT,)), ([CONFIG], ()), ([CONFIG, CONFIG], (EVENT,))]
)
def test_a_commit_has_events_for_different_streams(
    streams: Sequence[StreamName], events: tuple[NewEvent, ...]
) -> None:
    """No write, a write without events and two writes to one stream are no commit."""
    with pytest.raises(ValueError, match="at least one event, and one write for each stream"):
        _commit(streams, events)


@pytest.mark.parametrize("text", ["", "-a", 'a"b', "a b", "a\n", "é", "a\\", "a/b", "a" * 201])
def test_names_in_a_leaf_need_no_escape(text: str) -> None:
    """Commit ids, streams and types are plain, so that a leaf can hold them as they are."""
    with pytest.raises(ValueError, match=r"commit_id .* expected 1 to 200 of"):
        _commit(commit_id=text)
    with pytest.raises(ValueError, match=r"stream .* with a letter or digit first"):
        _commit([StreamName(text)])
    with pytest.raises(ValueError, match=r"type .* expected 1 to 200 of"):
        NewEvent(text, 1, b"{}")


@given(stored_events)
def test_leaf_data_is_canonical_json(event: StoredEvent) -> None:
    """What a leaf covers is canonical JSON, so any implementation of RFC 8785 can write it."""
    data = leaf_data(event)
    assert canonical_json(json.loads(data)) == data


def test_leaf_data_is_the_envelope_of_an_event() -> None:
    """A leaf covers everything about an event, and its payload by SHA-256."""
    (event,) = make_commit(_commit(effective_at=NOW - timedelta(days=1)), EMPTY, NOW).events
    assert json.loads(leaf_data(event)) == {
        "commit_id": "c",
        "data_sha256": hashlib.sha256(b"{}").hexdigest(),
        "effective_at_us": 1_767_139_200_000_000,
        "position": 1,
        "recorded_at_us": 1_767_225_600_000_000,
        "schema_version": 1,
        "stream": "catalog-a",
        "stream_version": 1,
        "type": "entry.listed",
    }
    assert leaf_of(event) == leaf_hash(leaf_data(event))


OTHERWISE: Mapping[str, Any] = {
    "position": 2,
    "commit_id": "d",
    "recorded_at": NOW + MICROSECOND,
    "effective_at": NOW - MICROSECOND,
    "stream": "catalog-b",
    "stream_version": 2,
    "type": "entry.revised",
    "schema_version": 2,
    "data": b"[]",
}


@pytest.mark.parametrize("member", [field.name for field in attrs.fields(StoredEvent)])
def test_a_leaf_covers_every_member(member: str) -> None:
    """Whatever changes about an event, its leaf is another; the stored leaf itself is not in it."""
    (event,) = make_commit(_commit(), EMPTY, NOW).events
    changed = attrs.evolve(event, **{member: OTHERWISE.get(member, b"x" * 32)})
    assert (leaf_of(changed) == leaf_of(event)) == (member == "leaf_hash")


@pytest.mark.parametrize(
    ("stream", "category"),
    [("catalog-a", "catalog"), ("sync-a-b-c", "sync"), ("config", "config")],
)
def test_the_category_of_a_stream_is_its_first_word(stream: StreamName, category: str) -> None:
    """Streams of one kind share what stands before the first hyphen."""
    assert category_of(stream) == category


def test_documents_must_fit_their_hashes() -> None:
    """A body under the hash of another is refused before anything is appended."""
    body = b'{"a":1}'
    name = DocumentHash(hashlib.sha256(body).hexdigest())
    check_documents({})
    check_documents({name: body})
    with pytest.raises(CorruptLogError, match=f"document {name} has another hash"):
        check_documents({name: body + b" "})
