"""One checker for each promise of docs/guarantees.md: AssertionError where it is broken.

They take logs, storages or answers of any origin, and trust nothing of how those came to be.
"""

import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import attrs

from application.codec import EVENT_TYPES, decode, encode
from application.event_log import CATALOG, CONFIG, SYNC, EventLog, LoggedEvent
from application.projections import CATALOGS, DEFINITIONS, PROJECTIONS
from application.projections.catalogs import Catalogs, fold_catalogs
from application.projections.definitions import fold_definitions
from application.projections.projection import Step
from application.projector import Projector
from application.sync import SyncOutcome
from application.transparency import Transparency
from application.verify import verify
from domain.asof import AtPosition, AtRecorded, RecordedAsOf
from domain.errors import WrongExpectedVersionError
from domain.identifiers import ORIGIN, CommitId, DocumentHash, Position, SourceName
from domain.log import (
    Exactly,
    ExpectedVersion,
    NewCommit,
    NewEvent,
    NoStream,
    StoredCommit,
    StoredEvent,
    StreamWrite,
)
from domain.notes import Note
from domain.ports.storage import EventStorePort, StoragePort, View, ViewChange
from domain.timestamps import to_rfc_3339
from tests.harness.altered_logs import altered_logs
from tests.harness.clock import MICROSECOND
from tests.harness.feed_reader import Key, Reader
from tests.harness.live_view import sized_catalogs, stored_catalogs
from tests.harness.naive_registry import NaiveCatalog, catalogs_told_by
from tests.harness.new_commits import collect, whole_log
from tests.harness.other_storages import CopiedLog, DiedError, Mortal, SmallBatches
from tests.harness.served_log import is_start, served_leaves

_END, _ALL = chr(0x10FFFF), 1_000_000  # beyond all keys, more than all rows
_WITH_PAST: tuple[tuple[Any, Any, Any], ...] = (
    (CATALOGS, sized_catalogs, fold_catalogs),
    (DEFINITIONS, DEFINITIONS.restore, fold_definitions),
)


def check_ordered(commits: Sequence[StoredCommit], events: Sequence[StoredEvent]) -> None:
    """Events come by position; recorded times only rise; no stream's effective time goes back."""
    for earlier, later in pairwise(events):
        assert earlier.position < later.position, later
        assert earlier.recorded_at <= later.recorded_at, later
    for former, latter in pairwise(commits):
        assert former.last_position < latter.first_position, latter
        assert former.recorded_at < latter.recorded_at, latter
    for stream in _by_stream(events).values():
        for earlier, later in pairwise(stream):
            assert earlier.effective_at <= later.effective_at <= later.recorded_at, later


def check_gapless(commits: Sequence[StoredCommit], events: Sequence[StoredEvent]) -> None:
    """Positions are 1, 2, 3 ... over all events and all commits, versions within each stream."""
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    for stream in _by_stream(events).values():
        assert [event.stream_version for event in stream] == list(range(1, len(stream) + 1))
    covered = [p for c in commits for p in range(c.first_position, c.last_position + 1)]
    assert covered == list(range(1, len(events) + 1))


async def check_atomic(store: EventStorePort) -> None:
    """At every position and every time, a commit is wholly there or not at all."""
    commits, events = await whole_log(store)
    ends = {commit.last_position for commit in commits}
    for event in events:
        assert _owner(event, commits).commit_id == event.commit_id, event
    for moment in _moments(commits, events):
        found = await store.commit_at(moment)
        assert found is None or found.last_position in ends, moment


async def check_as_of(store: EventStorePort) -> None:
    """A moment stands for the last commit by then, as a walk over all commits finds it."""
    commits, events = await whole_log(store)
    for moment in _moments(commits, events):
        by_then = [commit for commit in commits if _is_by(commit, moment)]
        assert await store.commit_at(moment) == (by_then[-1] if by_then else None), moment


def check_never_older(positions: Sequence[Position]) -> None:
    """What one process answers, in the order in which it was asked, is of ever later positions."""
    for earlier, later in pairwise(positions):
        assert earlier <= later, f"after position {earlier}, {later} was served"


def check_followable(
    changes: Iterable[bytes], listed: Mapping[Position, Mapping[Key, bytes]]
) -> None:
    """Who applies all changes up to a position, each told once, has what was listed then."""
    reader, coming, seen = Reader(), deque(changes), set[str]()
    for position, entries in sorted(listed.items()):
        while coming and json.loads(coming[0])["position"] <= position:
            change = reader.take(coming.popleft())
            assert change.id not in seen, change.id
            seen.add(change.id)
        assert reader.entries == entries, position
    assert not coming


def check_durable(acknowledged: Iterable[StoredCommit], commits: Iterable[StoredCommit]) -> None:
    """Every commit that was acknowledged is in the log, as it was acknowledged."""
    kept = {commit.commit_id: commit for commit in commits}
    for commit in acknowledged:
        assert kept.get(commit.commit_id) == commit, commit


async def check_idempotent(store: EventStorePort, commit: NewCommit) -> None:
    """A commit that is in the log, sent again, gives the first result and changes nothing."""
    before = await whole_log(store)
    again = await store.append(commit)
    assert again.repeated
    assert again.commit in before[0]
    assert await whole_log(store) == before


async def check_guarded(store: EventStorePort) -> None:
    """No stream takes a write that expects it elsewhere, and the refusal changes nothing."""
    before = await whole_log(store)
    for name, stream in _by_stream(before[1]).items():
        for number, wrong in enumerate(_wrong_versions(len(stream))):
            event = NewEvent(stream[-1].type, stream[-1].schema_version, stream[-1].data)
            write = StreamWrite(stream=name, expected=wrong, events=(event,))
            commit = NewCommit(commit_id=CommitId(f"wrong-{name}-{number}"), writes=(write,))
            assert await _is_refused(store, commit), (name, wrong)
    assert await whole_log(store) == before


async def check_repeatable(
    answer: Callable[[Position], Awaitable[bytes]], remembered: Mapping[Position, bytes]
) -> None:
    """Whatever was once answered at a position is answered again, byte for byte."""
    for position, before in remembered.items():
        assert await answer(position) == before, position


async def check_rebuildable(storage: StoragePort) -> None:
    """Views are the same after they were dropped and rebuilt, and say what the log says."""
    projector = Projector(storage, EventLog(storage))
    await projector.load()
    before, rows = projector.live, await view_rows(storage)
    await projector.rebuild()
    assert projector.live.states == before.states
    assert await view_rows(storage) == rows
    check_catalogs(await stored_catalogs(storage), await collect(storage.read()))


def check_catalogs(catalogs: Catalogs, events: Iterable[StoredEvent]) -> None:
    """Catalogs are those of a naive reader of the same log."""
    told = catalogs_told_by(events)
    assert _plain(catalogs) == {source: _plain_rows(naive) for source, naive in told.items()}


async def check_past_views(storage: StoragePort) -> None:
    """What views tell of every past commit is what the log up to it says, and what it changed."""
    log = EventLog(storage)
    await Projector(storage, log).load()
    commits = await collect(storage.commits())
    for projection, restore, fold in _WITH_PAST:
        state, rows, end = restore([]), dict[str, bytes](), ORIGIN
        for commit in commits:
            after, before, end = end, rows, commit.last_position
            events = log.read(after=after, upto=end, categories=projection.categories)
            state = fold(state, await collect(events))
            rows = await _rows_at(storage, projection.view, end)
            assert restore(rows.items()) == state, commit
            differing = {key for key, _ in rows.items() ^ before.items()}
            assert await _put_between(storage, projection.view, after, end) == differing, commit


async def check_tamper_evident(
    commits: Sequence[StoredCommit],
    events: Sequence[StoredEvent],
    documents: Mapping[DocumentHash, bytes],
    stride: int = 1,
) -> None:
    """Whichever byte of whichever member is another one, `verify` names its first position.

    With *stride* only every so many altered logs are verified.
    """
    sound = CopiedLog(commits_read=commits, events=events, bodies=documents)
    assert (await verify(sound)).damages == ()
    for number, (altered, suspects) in enumerate(altered_logs(sound)):
        if number % stride == 0:
            damages = (await verify(altered)).damages
            assert {damage.position for damage in damages} & set(suspects), (number, damages)


async def check_provable(log: Transparency, seen: Iterable[Note]) -> None:
    """Each checkpoint that was seen is one of the log, which only grew, leaf by leaf."""
    leaves = await served_leaves(log)
    for note in seen:
        assert await is_start(log, leaves, note), note


def check_readable_forever(corpus: Path) -> None:
    """Every payload of the corpus is one that was released, decodes, and is written the same."""
    sums = dict(
        reversed(line.split("  ")) for line in (corpus / "SHA256SUMS").read_text().splitlines()
    )
    files = sorted(corpus.glob("*.json"))
    assert sums.keys() == {file.name for file in files}
    for file in files:
        data = file.read_bytes()
        assert hashlib.sha256(data).hexdigest() == sums[file.name], file.name
        name, _, version = file.stem.rpartition(".")
        written = encode(decode(_stored(name, int(version), data)))
        assert written.type == name
        if written.schema_version == int(version):
            assert written.data == data, file.name
    assert {file.stem for file in files} == {
        f"{name}.{version}"
        for name, event_type in EVENT_TYPES.items()
        for version in range(1, event_type.schema_version + 1)
    }


async def check_resumable(storage: StoragePort, deaths: Iterable[int] | None = None) -> None:
    """Views end the same whenever a process dies over them: no event is missed or taken twice.

    It dies at each step of any view; with *deaths* only at those steps.
    """
    await _projector(storage).rebuild()
    whole = await _all_rows(storage)
    tally = {key: json.loads(row) for key, row in whole[_TALLY.view]}
    positions = [event.position for event in await collect(storage.read())]
    assert tally == {str(position): 1 for position in positions}
    for advances in count() if deaths is None else deaths:
        for after_writing in (False, True):
            died = await _dies(storage, Mortal(storage, advances, after_writing=after_writing))
            await _projector(storage).load()
            assert await _all_rows(storage) == whole, (advances, after_writing)
        if not died:
            return


def check_contained(before: Catalogs, after: Catalogs, outcome: SyncOutcome) -> None:
    """A sync touches the catalog of its own source only, and that only where it succeeds."""
    touched = {outcome.source} if outcome.completed else set()
    for source in before.keys() | after.keys():
        if source not in touched:
            assert after.get(source) == before.get(source), source


async def view_rows(storage: StoragePort) -> dict[View, Sequence[Any]]:
    """All views that the program keeps, row by row, with the past of those that keep it."""
    return {
        projection.view: await _kept_rows(storage, projection.view)
        for projection in (*PROJECTIONS, CATALOGS)
    }


async def _kept_rows(storage: StoragePort, view: View) -> Sequence[Any]:
    if view.keeps_past:
        return list(await storage.row_history(view, start="", stop=_END))
    return await collect(storage.rows(view))


async def _rows_at(storage: StoragePort, view: View, position: Position) -> dict[str, bytes]:
    return dict(await storage.rows_at(view, position, start="", stop=_END, limit=_ALL))


async def _put_between(
    storage: StoragePort, view: View, after: Position, upto: Position
) -> set[str]:
    put = await storage.row_changes(view, after=(after, _END), upto=upto, limit=_ALL)
    return {key for _, key in put}


def _by_stream(events: Iterable[StoredEvent]) -> dict[Any, list[StoredEvent]]:
    streams = defaultdict(list)
    for event in events:
        streams[event.stream].append(event)
    return streams


def _owner(event: StoredEvent, commits: Iterable[StoredCommit]) -> StoredCommit:
    covering = [c for c in commits if c.first_position <= event.position <= c.last_position]
    assert len(covering) == 1, event
    return covering[0]


def _moments(
    commits: Iterable[StoredCommit], events: Iterable[StoredEvent]
) -> Iterator[RecordedAsOf]:
    yield AtPosition(0)
    for event in events:
        yield AtPosition(event.position)
    for commit in commits:
        for shift in (-MICROSECOND, 0 * MICROSECOND, MICROSECOND):
            yield AtRecorded(commit.recorded_at + shift)


def _is_by(commit: StoredCommit, moment: RecordedAsOf) -> bool:
    if isinstance(moment, AtPosition):
        return commit.last_position <= moment.position
    return commit.recorded_at <= moment.at


def _wrong_versions(version: int) -> list[ExpectedVersion]:
    return [NoStream(), Exactly(version - 1), Exactly(version + 1)]


async def _is_refused(store: EventStorePort, commit: NewCommit) -> bool:
    try:
        await store.append(commit)
    except WrongExpectedVersionError:
        return True
    return False


def _plain(catalogs: Catalogs) -> dict[SourceName, dict[Any, Any]]:
    """Catalogs as the naive reader writes them."""
    return {
        source: {
            (str(entry.key.kind), entry.key.name, entry.key.version): (
                [entry.document_hash, entry.title, list(entry.tags)],
                _said(entry.lifecycle),
                entry.first_recorded_at,
                entry.status_recorded_at,
                entry.changed_at,
                entry.is_latest,
            )
            for entry in catalog.entries()
        }
        for source, catalog in catalogs.items()
    }


def _said(lifecycle: Any) -> dict[str, Any]:
    times = {
        member: at and to_rfc_3339(at)
        for member, at in attrs.asdict(lifecycle).items()
        if member.endswith("_at")
    }
    return {
        "status": str(lifecycle.status),
        "status_message": lifecycle.status_message,
        **times,
    }


def _plain_rows(catalog: NaiveCatalog) -> dict[Any, Any]:
    return {key: attrs.astuple(row, recurse=False) for key, row in catalog.rows.items()}


def _stored(name: str, version: int, data: bytes) -> StoredEvent:
    """An event around a payload; only what decoding looks at matters."""
    return StoredEvent(
        position=1,
        commit_id=CommitId("golden"),
        recorded_at=None,
        effective_at=None,
        stream=None,
        stream_version=1,
        type=name,
        schema_version=version,
        data=data,
        leaf_hash=b"",
    )


class _Tally:
    """A projection that counts how often it has seen each position."""

    view = View("tally", 1)
    categories = (CATALOG, CONFIG, SYNC)

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> Mapping[str, int]:
        return {key: json.loads(row) for key, row in rows}

    def step(
        self, state: Mapping[str, int], events: Sequence[LoggedEvent]
    ) -> Step[Mapping[str, int]]:
        seen = {str(event.position): state.get(str(event.position), 0) + 1 for event in events}
        puts = {key: json.dumps(times).encode() for key, times in seen.items()}
        return Step({**state, **seen}, [ViewChange(since=events[-1].position, puts=puts)])


_TALLY = _Tally()


def _projector(storage: StoragePort) -> Projector:
    small = SmallBatches(storage)
    return Projector(small, EventLog(small), (*PROJECTIONS, _TALLY))


async def _dies(storage: StoragePort, mortal: Mortal) -> bool:
    """Whether a process that starts without views dies before they are complete."""
    for view in await _all_rows(storage):
        await storage.drop(view)
    try:
        await _projector(mortal).load()
    except DiedError:
        return True
    return False


async def _all_rows(storage: StoragePort) -> dict[View, Sequence[Any]]:
    return {**await view_rows(storage), _TALLY.view: await _kept_rows(storage, _TALLY.view)}
