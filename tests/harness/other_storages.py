"""Storages that behave as any may: small batches, an early death, a log that was copied."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import attrs

from domain.identifiers import CommitId, DocumentHash, Position
from domain.log import Head, StoredCommit, StoredEvent
from domain.merkle import EMPTY_ROOT
from domain.ports.storage import Damage, StoragePort, View, ViewChange


class SmallBatches:
    """A storage that reads events a few at a time. `events_read` counts them."""

    def __init__(self, storage: StoragePort, size: int = 1) -> None:
        self.storage = storage
        self.size = size
        self.events_read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    async def read(self, **bounds: Any) -> AsyncIterator[Sequence[StoredEvent]]:
        async for batch in self.storage.read(**bounds):
            self.events_read += len(batch)
            for start in range(0, len(batch), self.size):
                yield batch[start : start + self.size]


class DiedError(Exception):
    """The process has come to its end."""


class Mortal:
    """A storage of a process that dies when it advances a view once too often."""

    def __init__(self, storage: StoragePort, advances: int, *, after_writing: bool) -> None:
        self.storage = storage
        self.advances = advances
        self.after_writing = after_writing

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    async def advance(
        self, view: View, changes: Sequence[ViewChange], *, after: Position, upto: Position
    ) -> bool:
        self.advances -= 1
        if self.advances >= 0 or self.after_writing:
            done = await self.storage.advance(view, changes, after=after, upto=upto)
        if self.advances < 0:
            raise DiedError
        return done


@attrs.frozen(kw_only=True)
class CopiedLog:
    """The reading half of an event store over a copy of a log, which may have been altered."""

    commits_read: Sequence[StoredCommit]
    events: Sequence[StoredEvent]
    bodies: Mapping[DocumentHash, bytes] = attrs.field(factory=dict)
    erased: Mapping[DocumentHash, CommitId] = attrs.field(factory=dict)

    async def head(self) -> Head:
        if not self.commits_read:
            return Head(0, None, EMPTY_ROOT)
        last = self.commits_read[-1]
        return Head(last.last_position, last.recorded_at, last.root)

    async def read(self, **_bounds: Any) -> AsyncIterator[Sequence[StoredEvent]]:
        yield self.events

    async def commits(self) -> AsyncIterator[Sequence[StoredCommit]]:
        yield self.commits_read

    async def documents(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        return {known: self.bodies[known] for known in hashes}

    async def all_documents(self) -> AsyncIterator[Mapping[DocumentHash, bytes | None]]:
        yield self.bodies

    async def erasures(self) -> Mapping[DocumentHash, CommitId]:
        return self.erased

    async def self_check(self) -> Sequence[Damage]:
        return []
