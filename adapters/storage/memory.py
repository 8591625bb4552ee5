"""A log and views that live as long as the process: for tests and for trying things out."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from operator import attrgetter
from typing import Any

import attrs

from adapters.storage.growth import Growth
from domain.asof import AtPosition, AtRecorded, RecordedAsOf
from domain.identifiers import ORIGIN, CommitId, DocumentHash, Position, StreamName
from domain.log import (
    Appended,
    Head,
    NewCommit,
    Payload,
    Standing,
    StoredCommit,
    StoredEvent,
    StreamHead,
    category_of,
    check_documents,
    make_commit,
    refuse_other_content,
    refuse_unknown_documents,
    stored_payload,
)
from domain.merkle import Frontier
from domain.ports.clock import ClockPort
from domain.ports.storage import Compaction, Damage, RowVersion, Stretch, View, ViewChange


class MemoryStorage:
    """StoragePort in plain Python objects."""

    def __init__(self, clock: ClockPort) -> None:
        self._clock = clock
        self._events: list[StoredEvent] = []
        self._commits: dict[CommitId, StoredCommit] = {}
        self._documents: dict[DocumentHash, bytes] = {}
        self._erasures: dict[DocumentHash, CommitId] = {}
        self._staged: dict[CommitId, dict[DocumentHash, bytes]] = {}
        self._streams: dict[StreamName, StreamHead] = {}
        self._frontier = Frontier()
        self._head = Head()
        self._checkpoints: dict[View, Position] = {}
        self._rows: dict[View, dict[str, list[RowVersion]]] = {}
        self._growth = Growth(lambda: 0)

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
        self._take_documents(commit)
        self._events += made.events
        self._commits[commit.commit_id] = made.commit
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
        self._growth.tell()
        return Appended(commit=made.commit, repeated=False)

    def _take_documents(self, commit: NewCommit) -> None:
        offered = {**self._staged.get(commit.commit_id, {}), **commit.documents}
        if commit.erased:
            known = self._documents.keys() | self._erasures.keys() | offered.keys()
            refuse_unknown_documents(commit.erased, known)
        self._staged.pop(commit.commit_id, None)
        self._documents.update(offered)
        self._erasures = {**dict.fromkeys(commit.erased, commit.commit_id), **self._erasures}
        for erased in self._erasures:
            self._documents.pop(erased, None)

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

    async def compacted(
        self, category: str, stretch: Stretch, compaction: Compaction
    ) -> Sequence[Payload]:
        known: dict[Any, StoredEvent] = {}
        for event in self._events[stretch.after : stretch.upto]:
            if category_of(event.stream) == category and _is_in_effect(event, stretch.by):
                known[_compacted_by(compaction, event)] = event
        in_order = sorted(known.values(), key=attrgetter("position"))
        return [stored_payload(event) for event in in_order]

    async def head(self) -> Head:
        return self._head

    async def stream_version(self, stream: StreamName) -> int:
        return self._streams.get(stream, StreamHead()).version

    async def commit_at(self, as_of: RecordedAsOf) -> StoredCommit | None:
        return next((c for c in reversed(self._commits.values()) if _is_by(c, as_of)), None)

    async def commit_of(self, position: Position) -> StoredCommit | None:
        commits = self._commits.values()
        return next((c for c in commits if c.first_position <= position <= c.last_position), None)

    async def effective_times(self, recorded: Iterable[datetime]) -> Mapping[datetime, datetime]:
        wanted = set(recorded)
        commits = self._commits.values()
        return {c.recorded_at: c.effective_at for c in commits if c.recorded_at in wanted}

    async def first_of(self, stream: StreamName) -> StoredEvent | None:
        return next((event for event in self._events if event.stream == stream), None)

    async def in_effect(
        self, stream: StreamName, effective_at: datetime, *, upto: Position
    ) -> Position:
        known = (event for event in self._events[:upto] if event.stream == stream)
        return max((e.position for e in known if e.effective_at <= effective_at), default=ORIGIN)

    async def first_commit(self) -> StoredCommit | None:
        return next(iter(self._commits.values()), None)

    async def commits(self, *, after: Position = ORIGIN) -> AsyncIterator[Sequence[StoredCommit]]:
        wanted = [commit for commit in self._commits.values() if commit.first_position > after]
        if wanted:
            yield wanted

    async def leaf_hashes(self, *, after: Position, upto: Position) -> Sequence[bytes]:
        return [event.leaf_hash for event in self._events[after:upto]]

    async def documents(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        return {known: self._documents[known] for known in hashes if known in self._documents}

    async def packed(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        return await self.documents(hashes)

    def unpack(self, packed: Sequence[bytes]) -> Sequence[bytes]:
        return packed

    async def grown(self) -> None:
        await self._growth.wait()

    async def all_documents(self) -> AsyncIterator[Mapping[DocumentHash, bytes | None]]:
        if self._documents:
            yield dict(self._documents)

    async def erasures(self) -> Mapping[DocumentHash, CommitId]:
        return dict(self._erasures)

    async def scrub(self) -> bool:
        return True

    async def checkpoint(self, view: View) -> Position:
        return self._checkpoints.get(view, ORIGIN)

    async def advance(
        self, view: View, changes: Sequence[ViewChange], *, after: Position, upto: Position
    ) -> bool:
        if self._checkpoints.get(view, ORIGIN) != after:
            return False
        rows = self._rows.setdefault(view, {})
        for change in changes:
            for key in {*change.deletes, *change.puts}:
                rows[key] = _ended(rows.get(key, []), change.since) if view.keeps_past else []
            for key, value in change.puts.items():
                rows[key].append(RowVersion(key=key, since=change.since, until=None, value=value))
        self._checkpoints[view] = upto
        self._growth.tell()
        return True

    async def rows(self, view: View) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        if rows := [(row.key, row.value) for row in self._versions(view) if row.until is None]:
            yield rows

    async def rows_within(
        self, view: View, ranges: Sequence[tuple[str, str]]
    ) -> Sequence[tuple[str, bytes]]:
        rows = [(row.key, row.value) for row in self._versions(view) if row.until is None]
        return [row for start, stop in ranges for row in rows if start <= row[0] < stop]

    async def rows_at(
        self, view: View, position: Position, *, start: str, stop: str, limit: int
    ) -> Sequence[tuple[str, bytes]]:
        rows = [
            (row.key, row.value)
            for row in await self.row_history(view, start=start, stop=stop)
            if row.since <= position and (row.until is None or position < row.until)
        ]
        return rows[:limit]

    async def row_history(self, view: View, *, start: str, stop: str) -> Sequence[RowVersion]:
        return [row for row in self._versions(view) if start <= row.key < stop]

    async def row_changes(
        self, view: View, *, after: tuple[Position, str], upto: Position, limit: int
    ) -> Sequence[tuple[Position, str]]:
        put = sorted((row.since, row.key) for row in self._versions(view) if row.since <= upto)
        return [place for place in put if place > after][:limit]

    def _versions(self, view: View) -> Iterator[RowVersion]:
        for _, versions in sorted(self._rows.get(view, {}).items()):
            yield from versions

    async def drop(self, view: View) -> None:
        self._checkpoints.pop(view, None)
        self._rows.pop(view, None)
        self._growth.tell()

    async def self_check(self) -> Sequence[Damage]:
        return []

    async def close(self) -> None:
        pass


def _ended(versions: Iterable[RowVersion], position: Position) -> list[RowVersion]:
    """What a key held, none of it any longer."""
    return [row if row.until else attrs.evolve(row, until=position) for row in versions]


def _is_by(commit: StoredCommit, as_of: RecordedAsOf) -> bool:
    match as_of:
        case AtPosition(position):
            return commit.last_position <= position
        case AtRecorded(at):
            return commit.recorded_at <= at


def _is_in_effect(event: StoredEvent, by: datetime | None) -> bool:
    return by is None or event.effective_at <= by


def _compacted_by(compaction: Compaction, event: StoredEvent) -> object:
    """What an event has in common with those that supersede it."""
    with suppress(ValueError, AttributeError):
        if event.type == compaction.type:
            member = json.loads(event.data).get(compaction.member)
            return event.position if member is None else (event.stream, json.dumps(member))
    return event.position
