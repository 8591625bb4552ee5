"""The typed face of the event store: events go in, events come out."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime

import anyio.to_thread
import attrs

from application.codec import decode, encode
from domain.asof import RecordedAsOf, refuse_future
from domain.errors import NothingRecordedError
from domain.events import Event
from domain.identifiers import (
    ORIGIN,
    CommitId,
    DocumentHash,
    Position,
    SourceName,
    StreamName,
)
from domain.log import (
    Appended,
    ExpectedVersion,
    NewCommit,
    Payload,
    StoredCommit,
    StoredEvent,
    StreamWrite,
)
from domain.ports.clock import ClockPort
from domain.ports.storage import Compaction, EventStorePort, Stretch

CONFIG_STREAM = StreamName("config")
PINS_STREAM = StreamName("pins")
REDACTIONS_STREAM = StreamName("redactions")
CATALOG, SYNC, HISTORY, CONFIG, PINS = "catalog", "sync", "history", "config", "pins"
REDACTIONS = "redactions"
"""The categories of streams."""

_REVISIONS = Compaction(type="entry.revised", member="key")
"""A revision tells all of its entry that the revisions before it told."""


def catalog_stream(source: SourceName) -> StreamName:
    """Where the changes of a source's catalog go."""
    return StreamName(f"{CATALOG}-{source}")


def sync_stream(source: SourceName) -> StreamName:
    """Where every sync of a source goes, also one that changed nothing."""
    return StreamName(f"{SYNC}-{source}")


def history_stream(source: SourceName) -> StreamName:
    """Where the revisions of a source's own history go."""
    return StreamName(f"{HISTORY}-{source}")


def source_of(stream: StreamName) -> SourceName:
    """The source that a catalog, sync or history stream is about."""
    return SourceName(stream.partition("-")[2])


@attrs.frozen(kw_only=True)
class LoggedEvent:
    """An event with its place in the log."""

    position: Position
    commit_id: CommitId
    recorded_at: datetime
    effective_at: datetime
    stream: StreamName
    event: Event


@attrs.frozen
class Write:
    """Events for one stream, if any, and where that stream must stand."""

    stream: StreamName
    expected: ExpectedVersion
    events: Sequence[Event]


class EventLog:
    """Appends and reads typed events."""

    def __init__(self, store: EventStorePort) -> None:
        self._store = store

    async def append(
        self,
        commit_id: CommitId,
        writes: Sequence[Write],
        *,
        effective_at: datetime | None = None,
        erased: Collection[DocumentHash] = (),
    ) -> Appended:
        """Append all of *writes*, with the documents that were staged for them, or nothing.

        The bodies of the documents in *erased* go in the same step. Errors: see EventStorePort.
        """
        commit = await anyio.to_thread.run_sync(_new_commit, commit_id, writes, effective_at)
        return await self._store.append(attrs.evolve(commit, erased=frozenset(erased)))

    async def read(
        self,
        *,
        after: Position = ORIGIN,
        upto: Position | None = None,
        categories: Sequence[str] | None = None,
    ) -> AsyncIterator[Sequence[LoggedEvent]]:
        """Events in batches of whole commits, in order. *upto* must be where a commit ends."""
        rest: list[LoggedEvent] = []
        async for batch in self._store.read(after=after, upto=upto, categories=categories):
            rest += await anyio.to_thread.run_sync(_decode_all, batch)
            whole = _whole_commits(rest)
            if whole:
                yield rest[:whole]
                del rest[:whole]
        if rest:
            yield rest

    async def catalog_changes(self, stretch: Stretch) -> Sequence[Payload]:
        """What became of all catalogs, in order and undecoded, without superseded revisions."""
        return await self._store.compacted(CATALOG, stretch, _REVISIONS)

    async def end_of_commit(self, position: Position) -> Position:
        """Where the commit ends that has an event at a position."""
        commit = await self._store.commit_of(position)
        return commit.last_position if commit else position

    async def began(self, source: SourceName, upto: Position) -> datetime | None:
        """When what a source had first took effect, as far as it was known at a position."""
        first = await self._store.first_of(catalog_stream(source))
        return first.effective_at if first and first.position <= upto else None

    async def end(self) -> Position:
        """The position of the last event."""
        return (await self._store.head()).position

    async def resolve(self, as_of: RecordedAsOf, clock: ClockPort) -> StoredCommit:
        """The last commit as of a moment.

        Raises:
            InvalidAsOfError: the moment lies in the future.
            NothingRecordedError: it lies before the first commit.
        """
        head, now = await self._store.head(), clock.now()
        refuse_future(as_of, max(now, head.recorded_at or now), head.position)
        commit = await self._store.commit_at(as_of)
        if commit is None:
            first = await self._store.first_commit()
            raise NothingRecordedError(str(as_of), first.recorded_at if first else None)
        return commit


def _new_commit(
    commit_id: CommitId,
    writes: Sequence[Write],
    effective_at: datetime | None,
) -> NewCommit:
    return NewCommit(
        commit_id=commit_id,
        writes=tuple(
            StreamWrite(
                stream=write.stream,
                expected=write.expected,
                events=tuple(encode(event) for event in write.events),
            )
            for write in writes
        ),
        effective_at=effective_at,
    )


def _whole_commits(events: Sequence[LoggedEvent]) -> int:
    """How many of *events* surely end a commit: all but those of the last one."""
    last = events[-1].commit_id
    count = 0 if events[0].commit_id == last else len(events)
    while count and events[count - 1].commit_id == last:
        count -= 1
    return count


def _decode_all(stored: Sequence[StoredEvent]) -> Sequence[LoggedEvent]:
    return [
        LoggedEvent(
            position=event.position,
            commit_id=event.commit_id,
            recorded_at=event.recorded_at,
            effective_at=event.effective_at,
            stream=event.stream,
            event=decode(event),
        )
        for event in stored
    ]
