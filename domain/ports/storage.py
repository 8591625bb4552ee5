"""Where the event log and its views are kept."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Protocol

import attrs

from domain.asof import AsOf
from domain.identifiers import ORIGIN, CommitId, DocumentHash, Position, StreamName
from domain.log import Appended, Head, NewCommit, StoredCommit, StoredEvent


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

    async def head(self) -> Head:
        """Where the log ends."""
        ...

    async def stream_version(self, stream: StreamName) -> int:
        """How many events *stream* has, 0 where there is none."""
        ...

    async def commit_at(self, as_of: AsOf) -> StoredCommit | None:
        """The last commit as of a moment, None before the first."""
        ...

    async def first_commit(self) -> StoredCommit | None:
        """The first commit of the log, None while it is empty."""
        ...

    def commits(self, *, after: Position = ORIGIN) -> AsyncIterator[Sequence[StoredCommit]]:
        """Commits whose first position is beyond *after*, in order, in batches, none empty."""
        ...

    async def documents(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        """The bodies of those hashes that are known.

        Raises:
            CorruptLogError: a body is not what was stored.
        """
        ...

    def document_hashes(self) -> AsyncIterator[Sequence[DocumentHash]]:
        """The hashes of all documents, in batches, none empty."""
        ...


@attrs.frozen(kw_only=True)
class ViewChange:
    """What one step of a projection does to its view: rows put by key, and keys removed."""

    puts: Mapping[str, bytes] = attrs.field(factory=dict)
    deletes: frozenset[str] = frozenset()


@attrs.frozen
class View:
    """A projection's view: its name and the version of the projection's logic."""

    projection: str
    version: int


class ViewStorePort(Protocol):
    """Rows by key, and a checkpoint, per view. Everything here can be deleted and rebuilt."""

    async def checkpoint(self, view: View) -> Position:
        """The position up to which *view* has been brought, ORIGIN for a new one."""
        ...

    async def advance(
        self, view: View, change: ViewChange, *, after: Position, upto: Position
    ) -> bool:
        """Apply *change* and move the checkpoint from *after* to *upto* in one transaction.

        Returns False, and does nothing, where the checkpoint is not at *after*: somebody
        else was faster.
        """
        ...

    def rows(self, view: View) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """All rows of a view in the order of keys, in batches, none empty."""
        ...

    async def drop(self, view: View) -> None:
        """Delete a view and its checkpoint."""
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
