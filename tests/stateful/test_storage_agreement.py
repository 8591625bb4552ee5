"""The adapters of StoragePort, driven side by side, never tell different stories."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
from anyio.from_thread import start_blocking_portal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from adapters.storage.memory import MemoryStorage
from adapters.storage.sqlite import SqliteStorage
from domain.asof import AtPosition, AtRecorded
from domain.errors import AnnalsError
from domain.identifiers import CommitId, DocumentHash, StreamName
from domain.log import (
    AnyVersion,
    Exactly,
    ExpectedVersion,
    NewCommit,
    NewEvent,
    NoStream,
    StreamWrite,
    leaf_of,
)
from domain.merkle import root_of
from domain.ports.storage import Compaction, StoragePort, Stretch, View, ViewChange
from tests.harness.clock import MICROSECOND, START, SteppingClock
from tests.harness.new_commits import collect, documents_of

STREAMS = tuple(map(StreamName, ("catalog-a", "catalog-b", "sync-a", "config")))
BODIES = (b"", b"{}", b"[1]", '{"é":"😀"}'.encode())
PAYLOADS = (*BODIES, b'{"key":{}}', b'{"key":{"a":"\\u0000\\"},"}}', b'{"key":null}')
HASHES = tuple(documents_of([*BODIES, b"never stored"]))

erasures = st.just(frozenset[DocumentHash]()) | st.frozensets(st.sampled_from(HASHES), max_size=2)
positions = st.integers(0, 30)
moves = st.sampled_from([-timedelta(days=1), -MICROSECOND, MICROSECOND, timedelta(days=2)])
effective_times = st.none() | st.integers(-4, 4).map(lambda days: START + timedelta(days=days))
keys = st.sampled_from(["", "\0", "a", "a\0", "b", "é", "\uffff", "😀"])
bodies = st.lists(st.sampled_from(BODIES), max_size=3).map(documents_of)
events = st.builds(
    NewEvent,
    st.sampled_from(["entry.listed", "entry.revised"]),
    st.integers(1, 2),
    st.sampled_from(PAYLOADS),
)
stands = st.sampled_from(["none", "any", "any", "here", "here", "here", "behind", "ahead"])
writes = st.lists(
    st.tuples(st.sampled_from(STREAMS), stands, st.lists(events, min_size=1, max_size=3)),
    min_size=1,
    max_size=3,
    unique_by=lambda write: write[0],
)
views = st.sampled_from(
    [
        View("catalog", 1, keeps_past=True),
        View("catalog", 2, keeps_past=True),
        View("servers", 1),
        View("servers", 2),
    ]
)
steps = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.dictionaries(keys, st.sampled_from(BODIES), max_size=4),
        st.frozensets(keys, max_size=3),
    ),
    max_size=3,
)
"""Changes of a view: how far each lies beyond the one before, what it puts and deletes."""
ends = keys | st.just(chr(0x10FFFF))
limits = st.integers(1, 5)
alterations = st.sampled_from(
    [
        lambda commit: commit,
        lambda commit: attrs.evolve(commit, effective_at=START),
        lambda commit: attrs.evolve(commit, documents=documents_of(BODIES)),
        lambda commit: attrs.evolve(commit, documents={DocumentHash("0" * 64): b""}),
        lambda commit: attrs.evolve(commit, writes=commit.writes[:1]),
        lambda commit: attrs.evolve(commit, writes=commit.writes[::-1]),
        lambda commit: attrs.evolve(
            commit, writes=tuple(attrs.evolve(w, expected=NoStream()) for w in commit.writes)
        ),
    ]
)
"""What may have become of a commit when it is sent again."""


class StorageAgreement(RuleBasedStateMachine):
    """Everything is asked of both storages, and both must answer the same."""

    commits = Bundle("commits")

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.path = Path(self.open.enter_context(TemporaryDirectory())) / "log.db"
        self.portal = self.open.enter_context(start_blocking_portal())
        self.clock = SteppingClock(step=timedelta(0))
        self.memory = MemoryStorage(self.clock)
        self.sqlite = self.portal.call(SqliteStorage.open, self.path, self.clock)
        self.sent = 0

    def teardown(self) -> None:
        assert self.agree(lambda storage: storage.self_check()) == []
        self.portal.call(self.sqlite.close)
        self.open.close()

    def agree(self, ask: Callable[[StoragePort], Awaitable[Any]]) -> Any:
        """The answer of both, or the class of the error that both raise."""
        in_memory = self.portal.call(_answer, ask, self.memory)
        in_sqlite = self.portal.call(_answer, ask, self.sqlite)
        assert in_sqlite == in_memory
        return in_memory

    def expected(self, stream: StreamName, stands: str) -> ExpectedVersion:
        version = self.agree(lambda storage: storage.stream_version(stream))
        shifts = {"here": 0, "behind": -1, "ahead": 1}
        if stands in shifts:
            return Exactly(version + shifts[stands])
        return NoStream() if stands == "none" else AnyVersion()

    @rule(
        target=commits,
        writes=writes,
        documents=bodies,
        effective_at=effective_times,
        erased=erasures,
    )
    def append(
        self, writes: Any, documents: Any, effective_at: datetime | None, erased: Any
    ) -> NewCommit:
        self.sent += 1
        commit = NewCommit(
            commit_id=CommitId(f"commit-{self.sent}"),
            writes=tuple(
                StreamWrite(
                    stream=stream, expected=self.expected(stream, stands), events=tuple(events)
                )
                for stream, stands, events in writes
            ),
            documents=documents,
            effective_at=effective_at,
            erased=erased,
        )
        self.agree(lambda storage: storage.append(commit))
        self.agree(lambda storage: storage.erasures())
        return commit

    @rule(commit=commits, alter=alterations)
    def send_again(self, commit: NewCommit, alter: Callable[[NewCommit], NewCommit]) -> None:
        again = alter(commit)
        self.agree(lambda storage: storage.append(again))

    @rule(move=moves)
    def set_the_clock(self, move: timedelta) -> None:
        self.clock.at += move

    @rule(view=views, steps=steps, after=positions | st.none(), beyond=st.integers(0, 2))
    def advance(self, view: View, steps: Any, after: int | None, beyond: int) -> None:
        checkpoint = upto = self.agree(lambda storage: storage.checkpoint(view))
        changes = []
        for far, puts, deletes in steps:
            upto += far
            changes.append(ViewChange(since=upto, puts=puts, deletes=deletes))
        start = checkpoint if after is None else after
        self.agree(lambda storage: storage.advance(view, changes, after=start, upto=upto + beyond))
        self.agree(lambda storage: collect(storage.rows(view)))

    @rule(view=views, position=positions, start=keys, stop=ends, limit=limits)
    def look_into_the_past(
        self, view: View, position: int, start: str, stop: str, limit: int
    ) -> None:
        self.agree(
            lambda storage: _list(
                storage.rows_at(view, position, start=start, stop=stop, limit=limit)
            )
        )
        self.agree(lambda storage: _list(storage.row_history(view, start=start, stop=stop)))

    @rule(view=views, after=st.tuples(positions, keys), upto=positions, limit=limits)
    def look_at_changes(self, view: View, after: Any, upto: int, limit: int) -> None:
        self.agree(
            lambda storage: _list(storage.row_changes(view, after=after, upto=upto, limit=limit))
        )

    @rule(view=views)
    def drop(self, view: View) -> None:
        self.agree(lambda storage: storage.drop(view))
        self.agree(lambda storage: storage.checkpoint(view))

    @rule(view=views)
    def list_rows(self, view: View) -> None:
        self.agree(lambda storage: collect(storage.rows(view)))

    @rule(
        after=positions,
        upto=positions | st.none(),
        categories=st.none() | st.lists(st.sampled_from(["catalog", "sync", "config", "cat"])),
    )
    def read(self, after: int, upto: int | None, categories: Sequence[str] | None) -> None:
        self.agree(
            lambda storage: collect(storage.read(after=after, upto=upto, categories=categories))
        )
        self.agree(lambda storage: collect(storage.commits(after=after)))

    @rule(
        category=st.sampled_from(["catalog", "sync", "config", "cat", "catalog-a"]),
        after=positions,
        upto=positions,
        by=effective_times,
        member=st.sampled_from(["key", "other"]),
    )
    def compact(
        self, category: str, after: int, upto: int, by: datetime | None, member: str
    ) -> None:
        stretch, compaction = (
            Stretch(after=after, upto=upto, by=by),
            Compaction("entry.revised", member),
        )
        self.agree(lambda storage: storage.compacted(category, stretch, compaction))

    @rule(hashes=st.lists(st.sampled_from(HASHES)))
    def look_up_documents(self, hashes: Sequence[DocumentHash]) -> None:
        self.agree(lambda storage: storage.documents(hashes))
        self.agree(lambda storage: _sorted(collect(storage.all_documents())))

    @rule(position=positions)
    def resolve_position(self, position: int) -> None:
        self.agree(lambda storage: storage.commit_at(AtPosition(position)))
        self.agree(lambda storage: storage.first_commit())
        self.agree(lambda storage: storage.commit_of(position))

    @rule(after=positions, upto=positions)
    def read_leaves(self, after: int, upto: int) -> None:
        self.agree(lambda storage: _list(storage.leaf_hashes(after=after, upto=upto)))

    @rule(stream=st.sampled_from(STREAMS), upto=positions, days=st.integers(-5, 9))
    def ask_what_was_in_effect(self, stream: StreamName, upto: int, days: int) -> None:
        at = START + timedelta(days=days)
        self.agree(lambda storage: storage.in_effect(stream, at, upto=upto))
        self.agree(lambda storage: storage.first_of(stream))

    @rule(commit=st.integers(0, 9), micros=st.sampled_from([-1, 0, 1]))
    def resolve_time(self, commit: int, micros: int) -> None:
        known = self.agree(lambda storage: collect(storage.commits()))
        at = known[commit % len(known)].recorded_at if known else START
        self.agree(lambda storage: storage.commit_at(AtRecorded(at + micros * MICROSECOND)))
        self.agree(lambda storage: storage.effective_times([at, at + micros * MICROSECOND]))

    @rule()
    def reopen(self) -> None:
        self.portal.call(self.sqlite.close)
        self.sqlite = self.portal.call(SqliteStorage.open, self.path, self.clock)

    @invariant()
    def heads_agree_with_the_events(self) -> None:
        head = self.agree(lambda storage: storage.head())
        events = self.agree(lambda storage: collect(storage.read()))
        assert [event.position for event in events] == list(range(1, head.position + 1))
        assert head.root == root_of([leaf_of(event) for event in events])


async def _answer(ask: Callable[[StoragePort], Awaitable[Any]], storage: StoragePort) -> Any:
    try:
        return await ask(storage)
    except AnnalsError as error:
        return type(error)


async def _list(answer: Awaitable[Sequence[Any]]) -> list[Any]:
    return list(await answer)


async def _sorted(answer: Awaitable[Sequence[Any]]) -> Sequence[Any]:
    return sorted(await answer)


def test_memory_and_sqlite_agree() -> None:
    """Whatever is appended, read, resolved, projected, looked back at or reopened, both agree."""
    run_state_machine_as_test(
        StorageAgreement, settings=settings(max_examples=40, stateful_step_count=30)
    )
