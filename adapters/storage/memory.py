"""A log and views that live as long as the process: for tests and for trying things out."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from domain.asof import AsOf, AtPosition, AtRecorded
from domain.identifiers import ORIGIN, CommitId, DocumentHash, Position, StreamName
from domain.log import (
    Appended,
    Head,
    NewCommit,
    Standing,
    StoredCommit,
    StoredEvent,
    StreamHead,
    category_of,
    check_documents,
    make_commit,
    refuse_other_content,
)
from domain.merkle import Frontier
from domain.ports.clock import ClockPort
from domain.ports.storage import Damage, View, ViewChange


class MemoryStorage:
    """StoragePort in plain Python objects."""

    def __init__(self, clock: ClockPort) -> None:
        self._clock = clock
        self._events: list[StoredEvent] = []
        self._commits: dict[CommitId, StoredCommit] = {}
        self._documents: dict[DocumentHash, bytes] = {}
        self._staged: dict[CommitId, dict[DocumentHash, bytes]] = {}
        self._streams: dict[StreamName, StreamHead] = {}
        self._frontier = Frontier()
        self._head = Head()
        self._checkpoints: dict[View, Position] = {}
        self._rows: dict[View, dict[str, bytes]] = {}

    async def stage(self, commit_id: CommitId, documents: Mapping[DocumentHash, bytes]) -> None:
        check_documents(documents)
        self._staged.setdefault(commit_id, {}).update(documents)

    async def unstage(self, commit_id: CommitId) -> None:
        self._staged.pop(commit_id, None)

    async def append(self, commit: NewCommit) -> Appended:
        check_documents(commit.documents)
        if known := self._commits.get(commit.commit_id):
            refuse_other_content(commit, self._events_of(known))
            return Appended(commit=known, repeated=True)
        standing = Standing(head=self._head, frontier=self._frontier, streams=self._streams)
        made = make_commit(commit, standing, self._clock.now())
        self._events += made.events
        self._commits[commit.commit_id] = made.commit
        self._documents.update({**self._staged.pop(commit.commit_id, {}), **commit.documents})
        self._frontier = made.frontier
        self._head = Head(
            position=made.commit.last_position,
            recorded_at=made.commit.recorded_at,
            root=made.commit.root,
        )
        for event in made.events:
            self._streams[event.stream] = StreamHead(
                version=event.stream_version, effective_at=event.effective_at
            )
        return Appended(commit=made.commit, repeated=False)

    def _events_of(self, commit: StoredCommit) -> Sequence[StoredEvent]:
        return self._events[commit.first_position - 1 : commit.last_position]

    async def read(
        self,
        *,
        after: Position = ORIGIN,
        upto: Position | None = None,
        categories: Sequence[str] | None = None,
    ) -> AsyncIterator[Sequence[StoredEvent]]:
        wanted = [
            event
            for event in self._events[after:upto]
            if categories is None or category_of(event.stream) in categories
        ]
        if wanted:
            yield wanted

    async def head(self) -> Head:
        return self._head

    async def stream_version(self, stream: StreamName) -> int:
        return self._streams.get(stream, StreamHead()).version

    async def commit_at(self, as_of: AsOf) -> StoredCommit | None:
        return next((c for c in reversed(self._commits.values()) if _is_by(c, as_of)), None)

    async def first_commit(self) -> StoredCommit | None:
        return next(iter(self._commits.values()), None)

    async def commits(self, *, after: Position = ORIGIN) -> AsyncIterator[Sequence[StoredCommit]]:
        wanted = [commit for commit in self._commits.values() if commit.first_position > after]
        if wanted:
            yield wanted

    async def documents(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        return {known: self._documents[known] for known in hashes if known in self._documents}

    async def document_hashes(self) -> AsyncIterator[Sequence[DocumentHash]]:
        if self._documents:
            yield tuple(self._documents)

    async def checkpoint(self, view: View) -> Position:
        return self._checkpoints.get(view, ORIGIN)

    async def advance(
        self, view: View, change: ViewChange, *, after: Position, upto: Position
    ) -> bool:
        if self._checkpoints.get(view, ORIGIN) != after:
            return False
        rows = self._rows.setdefault(view, {})
        for key in change.deletes & rows.keys():
            del rows[key]
        rows.update(change.puts)
        self._checkpoints[view] = upto
        return True

    async def rows(self, view: View) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        if rows := sorted(self._rows.get(view, {}).items()):
            yield rows

    async def drop(self, view: View) -> None:
        self._checkpoints.pop(view, None)
        self._rows.pop(view, None)

    async def self_check(self) -> Sequence[Damage]:
        return []

    async def close(self) -> None:
        pass


def _is_by(commit: StoredCommit, as_of: AsOf) -> bool:
    match as_of:
        case AtPosition(position):
            return commit.last_position <= position
        case AtRecorded(at):
            return commit.recorded_at <= at
