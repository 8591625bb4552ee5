"""Where the event log and its views are kept."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import attrs

from domain.asof import RecordedAsOf
from domain.identifiers import ORIGIN, CommitId, DocumentHash, Position, StreamName
from domain.log import (
    Appended,
    Head,
    NewCommit,
    Payload,
    StoredCommit,
    StoredEvent,
)


@attrs.frozen
class Compaction:
    """Which events say all that those before them said: those of *type* in the same stream whose
    payloads have the same *member*.
    """

    type: str
    member: str


@attrs.frozen(kw_only=True)
class Stretch:
    """Events *after* a position and *upto* another, of those that had taken effect *by* a time."""

    after: Position
    upto: Position
    by: datetime | None = None


class EventStorePort(Protocol):
    """An append-only log of stored events, and the documents they name."""

    async def stage(self, commit_id: CommitId, documents: Mapping[DocumentHash, bytes]) -> None:
        """Keep bodies for a commit to come, so that nobody has to hold all of them at once.

        They become part of the log with the commit of that id. Until then nobody reads them,
        and they are gone when the storage is closed.

        Raises:
            CorruptLogError: a body has another hash.
            StorageUnavailableError
        """
        ...

    async def unstage(self, commit_id: CommitId) -> None:
        """Forget what was staged for a commit that will not come."""
        ...

    async def append(self, commit: NewCommit) -> Appended:
        """Write all of *commit*, and what was staged for it, durably, or nothing.

        The same commit id with the same events returns what the first append returned.
        Cancellation does not tell whether the commit was made: repeat it to find out.

        Raises:
            WrongExpectedVersionError: a stream is not where the commit expects it.
            CommitIdReusedError: the commit id was used for other events.
            DocumentNotFoundError: a document to erase is not known.
            StorageUnavailableError
        """
        ...

    def read(
        self,
        *,
        after: Position = ORIGIN,
        upto: Position | None = None,
        categories: Sequence[str] | None = None,
    ) -> AsyncIterator[Sequence[StoredEvent]]:
        """Events in the order of positions, in batches of the adapter's choice, none empty.

        *after* is exclusive and *upto* inclusive. *categories* restricts to streams whose name
        up to the first `-` is one of them.

        Raises:
            CorruptLogError: a row cannot be read as an event.
        """
        ...

    async def compacted(
        self, category: str, stretch: Stretch, compaction: Compaction
    ) -> Sequence[Payload]:
        """What the events of a category say, in order, but for those that others supersede.

        What has no such member, or cannot be read, is superseded by nothing.
        """
        ...

    async def head(self) -> Head:
        """Where the log ends."""
        ...

    async def stream_version(self, stream: StreamName) -> int:
        """How many events *stream* has, 0 where there is none."""
        ...

    async def commit_at(self, as_of: RecordedAsOf) -> StoredCommit | None:
        """The last commit as of a moment, None before the first."""
        ...

    async def commit_of(self, position: Position) -> StoredCommit | None:
        """The commit that *position* belongs to, None where the log does not reach."""
        ...

    async def effective_times(self, recorded: Iterable[datetime]) -> Mapping[datetime, datetime]:
        """When what was recorded at these times took effect, for those that commits have."""
        ...

    async def first_of(self, stream: StreamName) -> StoredEvent | None:
        """The first event of *stream*, None where it has none."""
        ...

    async def in_effect(
        self, stream: StreamName, effective_at: datetime, *, upto: Position
    ) -> Position:
        """The last position of *stream* up to *upto* that had taken effect, or ORIGIN."""
        ...

    async def first_commit(self) -> StoredCommit | None:
        """The first commit of the log, None while it is empty."""
        ...

    def commits(self, *, after: Position = ORIGIN) -> AsyncIterator[Sequence[StoredCommit]]:
        """Commits whose first position is beyond *after*, in order, in batches, none empty."""
        ...

    async def leaf_hashes(self, *, after: Position, upto: Position) -> Sequence[bytes]:
        """The Merkle leaves of the events in a range of positions that the log has."""
        ...

    async def documents(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        """The bodies of those hashes that are known and not erased.

        Raises:
            CorruptLogError: a body is not what was stored.
        """
        ...

    async def packed(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        """The same as the storage packs them, for who holds many of them in memory."""
        ...

    def unpack(self, packed: Sequence[bytes]) -> Sequence[bytes]:
        """The bodies of what `packed` gave, in the same order. It waits for nothing.

        Raises:
            CorruptLogError: it is not what was stored.
        """
        ...

    async def grown(self) -> None:
        """Wait until the log or a view may have changed, by whomever, since this task last asked.

        A task that never did need not wait. It may return without a change, but none stays
        untold for more than 50 ms.
        """
        ...

    def all_documents(self) -> AsyncIterator[Mapping[DocumentHash, bytes | None]]:
        """All documents that have a body, with it, in batches, none empty.

        None where it is not what was stored: `documents` tells what is amiss.
        """
        ...

    async def erasures(self) -> Mapping[DocumentHash, CommitId]:
        """All documents whose body was erased, each with the commit that did so first."""
        ...

    async def scrub(self) -> bool:
        """Remove what is left of erased bodies beside the log itself.

        False where somebody still reads what was there before: try again.
        """
        ...


@attrs.frozen(kw_only=True)
class ViewChange:
    """What a step of a projection does to its view: rows put by key, and keys removed.

    `since` is the position that the rows hold from.
    """

    since: Position
    puts: Mapping[str, bytes] = attrs.field(factory=dict)
    deletes: frozenset[str] = frozenset()


@attrs.frozen(cache_hash=True)
class View:
    """A projection's view: its name and the version of the projection's logic.

    One that `keeps_past` can be read as of any position up to its checkpoint.
    """

    projection: str
    version: int
    keeps_past: bool = False


@attrs.frozen(kw_only=True)
class RowVersion:
    """What a row held from one position to another, None for the one that it holds now."""

    key: str
    since: Position
    until: Position | None
    value: bytes


class ViewStorePort(Protocol):
    """Rows by key, and a checkpoint, per view. Everything here can be deleted and rebuilt."""

    async def checkpoint(self, view: View) -> Position:
        """The position up to which *view* has been brought, ORIGIN for a new one."""
        ...

    async def advance(
        self, view: View, changes: Sequence[ViewChange], *, after: Position, upto: Position
    ) -> bool:
        """Apply *changes* and move the checkpoint from *after* to *upto* in one transaction.

        They come in the order of positions. Returns False, and does nothing, where the
        checkpoint is not at *after*: somebody else was faster.
        """
        ...

    def rows(self, view: View) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """All rows of a view in the order of keys, in batches, none empty."""
        ...

    async def rows_within(
        self, view: View, ranges: Sequence[tuple[str, str]]
    ) -> Sequence[tuple[str, bytes]]:
        """The rows that hold now with *start* <= key < *stop*, for many ranges at once."""
        ...

    async def rows_at(
        self, view: View, position: Position, *, start: str, stop: str, limit: int
    ) -> Sequence[tuple[str, bytes]]:
        """The first rows with *start* <= key < *stop*, as they were at a position."""
        ...

    async def row_history(self, view: View, *, start: str, stop: str) -> Sequence[RowVersion]:
        """All that the rows with *start* <= key < *stop* ever held, by key and position."""
        ...

    async def row_changes(
        self, view: View, *, after: tuple[Position, str], upto: Position, limit: int
    ) -> Sequence[tuple[Position, str]]:
        """Where rows were put: the first positions and keys beyond *after*, in that order."""
        ...

    async def drop(self, view: View) -> None:
        """Delete a view with its past and its checkpoint."""
        ...


@attrs.frozen(kw_only=True)
class Damage:
    """Something in a log that does not fit. `position` is None where no event is concerned."""

    position: Position | None
    what: str


class StoragePort(EventStorePort, ViewStorePort, Protocol):
    """Event store and view store in one, so that one transaction can cover a view's step."""

    async def self_check(self) -> Sequence[Damage]:
        """What the storage itself finds wrong, below the level of events and commits."""
        ...

    async def close(self) -> None:
        """Let go of files and connections."""
        ...
