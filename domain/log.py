"""What goes into the event log and what comes out, without knowing what events mean."""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import attrs

from domain.errors import (
    CommitIdReusedError,
    CorruptLogError,
    DocumentNotFoundError,
    WrongExpectedVersionError,
)
from domain.identifiers import ORIGIN, CommitId, DocumentHash, Position, StreamName
from domain.merkle import EMPTY_ROOT, Frontier, grow, leaf_hash
from domain.timestamps import to_micros

_MICROSECOND = timedelta(microseconds=1)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")


@attrs.frozen
class NoStream:
    """The stream has no event yet."""


@attrs.frozen
class AnyVersion:
    """Wherever the stream stands."""


@attrs.frozen
class Exactly:
    """The stream has exactly this many events."""

    version: int


ExpectedVersion: TypeAlias = NoStream | AnyVersion | Exactly


@lru_cache(maxsize=256)  # the types of events are few, and each event has one
def _is_plain(value: str) -> bool:
    return _PLAIN.fullmatch(value) is not None


def _plain(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Leaves hold these texts as they are, so they must need no escape in JSON."""
    if not _is_plain(value):
        raise ValueError(
            f"{attribute.name} {value!r}: expected 1 to 200 of A-Z a-z 0-9 . _ : -, "
            "with a letter or digit first"
        )


@attrs.frozen
class NewEvent:
    """An event to append. `data` is its payload as canonical JSON."""

    type: str = attrs.field(validator=_plain)
    schema_version: int
    data: bytes


@attrs.frozen(kw_only=True)
class StreamWrite:
    """Events for one stream, and where that stream must stand."""

    stream: StreamName = attrs.field(validator=_plain)
    expected: ExpectedVersion
    events: tuple[NewEvent, ...]


@attrs.frozen(kw_only=True)
class NewCommit:
    """What one append makes, all or nothing: at least one event, each stream at most once.

    A write without events only says where its stream must stand.

    `documents` are bodies by their hash, which must fit; one that is known already is not
    stored again. `effective_at` is when the source says that all this took effect; it is
    brought between the last effective time of the streams (or 1970) and `recorded_at`. `erased`
    are documents that are known and whose bodies go with this commit, never to come back.
    """

    commit_id: CommitId = attrs.field(validator=_plain)
    writes: tuple[StreamWrite, ...] = attrs.field()
    documents: Mapping[DocumentHash, bytes] = attrs.field(factory=dict)
    effective_at: datetime | None = None
    erased: frozenset[DocumentHash] = frozenset()

    @writes.validator
    def _check_writes(self, _: object, writes: tuple[StreamWrite, ...]) -> None:
        streams = {write.stream for write in writes}
        if not any(write.events for write in writes) or len(streams) != len(writes):
            raise ValueError("a commit has at least one event, and one write for each stream")


@attrs.frozen(kw_only=True)
class StoredEvent:
    """An event at its position.

    `stream_version` counts the events of its stream from 1. `leaf_hash` is what the store
    kept as the event's Merkle leaf; `leaf_of` tells what it must be.
    """

    position: Position
    commit_id: CommitId
    recorded_at: datetime
    effective_at: datetime
    stream: StreamName
    stream_version: int
    type: str
    schema_version: int
    data: bytes
    leaf_hash: bytes


class Payload(NamedTuple):
    """What a stored event says, without what proves it. Times are microseconds since 1970.

    A tuple, because who reads these reads very many.
    """

    position: Position
    recorded_at: int
    effective_at: int
    stream: StreamName
    type: str
    schema_version: int
    data: bytes


@attrs.frozen(kw_only=True)
class StoredCommit:
    """A commit, the positions it covers, and the Merkle root over the log up to its last."""

    commit_id: CommitId
    recorded_at: datetime
    effective_at: datetime
    first_position: Position
    last_position: Position
    root: bytes


@attrs.frozen
class Head:
    """Where a log ends."""

    position: Position = ORIGIN
    recorded_at: datetime | None = None
    root: bytes = EMPTY_ROOT


@attrs.frozen(kw_only=True)
class Appended:
    """The commit as stored, and whether an earlier append had already made it."""

    commit: StoredCommit
    repeated: bool


@attrs.frozen
class StreamHead:
    """Where one stream ends: how many events it has, and when its last took effect."""

    version: int = 0
    effective_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Standing:
    """All that a store must know of its log to append to it."""

    head: Head
    frontier: Frontier
    streams: Mapping[StreamName, StreamHead]


@attrs.frozen(kw_only=True)
class MadeCommit:
    """A commit with its place in the log, ready to be written."""

    commit: StoredCommit
    events: tuple[StoredEvent, ...]
    frontier: Frontier


def make_commit(new: NewCommit, standing: Standing, now: datetime) -> MadeCommit:
    """Give a commit its times, positions, leaves and root.

    Raises:
        WrongExpectedVersionError: a stream is not where the commit expects it.
    """
    for write in new.writes:
        _expect(write, standing.streams.get(write.stream, StreamHead()).version)
    recorded_at = _recorded_at(standing.head, now)
    effective_at = _effective_at(new, standing, recorded_at)
    events = tuple(_stored_events(new, standing, recorded_at, effective_at))
    frontier = grow(standing.frontier, [event.leaf_hash for event in events])
    commit = StoredCommit(
        commit_id=new.commit_id,
        recorded_at=recorded_at,
        effective_at=effective_at,
        first_position=events[0].position,
        last_position=events[-1].position,
        root=frontier.root(),
    )
    return MadeCommit(commit=commit, events=events, frontier=frontier)


def refuse_other_content(new: NewCommit, stored: Sequence[StoredEvent]) -> None:
    """A commit id may come back with the same events only.

    Raises:
        CommitIdReusedError
    """
    ours = [(write.stream, event) for write in new.writes for event in write.events]
    theirs = [
        (event.stream, NewEvent(event.type, event.schema_version, event.data)) for event in stored
    ]
    if ours != theirs:
        raise CommitIdReusedError(
            f"commit {new.commit_id} was made with other events: use a new commit id"
        )


def _expect(write: StreamWrite, version: int) -> None:
    match write.expected:
        case NoStream() if version:
            wanted = "no events"
        case Exactly(expected) if version != expected:
            wanted = f"{expected} events"
        case _:
            return
    raise WrongExpectedVersionError(
        f"stream {write.stream} has {version} events, expected {wanted}: read it again and retry"
    )


def _recorded_at(head: Head, now: datetime) -> datetime:
    """Later than every commit before, also when the clock went back."""
    return max(now, head.recorded_at + _MICROSECOND) if head.recorded_at else now


def _effective_at(new: NewCommit, standing: Standing, recorded_at: datetime) -> datetime:
    """Never after it was recorded, never before 1970 or what the same streams said last."""
    if new.effective_at is None:
        return recorded_at
    earlier = (standing.streams.get(write.stream, StreamHead()) for write in new.writes)
    floor = [stream.effective_at for stream in earlier if stream.effective_at]
    return max(min(new.effective_at, recorded_at), _BEGINNING, *floor)


def _stored_events(
    new: NewCommit, standing: Standing, recorded_at: datetime, effective_at: datetime
) -> Iterator[StoredEvent]:
    position = standing.head.position
    for write in new.writes:
        version = standing.streams.get(write.stream, StreamHead()).version
        for offset, event in enumerate(write.events, 1):
            position += 1
            yield StoredEvent(
                position=position,
                commit_id=new.commit_id,
                recorded_at=recorded_at,
                effective_at=effective_at,
                stream=write.stream,
                stream_version=version + offset,
                type=event.type,
                schema_version=event.schema_version,
                data=event.data,
                leaf_hash=leaf_hash(
                    _leaf_data(
                        new.commit_id,
                        event.data,
                        effective_at,
                        position,
                        recorded_at,
                        event.schema_version,
                        write.stream,
                        version + offset,
                        event.type,
                    )
                ),
            )


def leaf_data(event: StoredEvent) -> bytes:
    """What the Merkle leaf of an event covers: canonical JSON (RFC 8785) of its envelope.

    Times are microseconds since 1970. Of the payload only the SHA-256 is covered, so that a
    payload can be taken away and the proof stays.
    """
    return _leaf_data(
        event.commit_id,
        event.data,
        event.effective_at,
        event.position,
        event.recorded_at,
        event.schema_version,
        event.stream,
        event.stream_version,
        event.type,
    )


def _leaf_data(
    commit_id: CommitId,
    data: bytes,
    effective_at: datetime,
    position: Position,
    recorded_at: datetime,
    schema_version: int,
    stream: StreamName,
    stream_version: int,
    type_name: str,
) -> bytes:
    return (
        f'{{"commit_id":"{commit_id}"'
        f',"data_sha256":"{hashlib.sha256(data).hexdigest()}"'
        f',"effective_at_us":{to_micros(effective_at)}'
        f',"position":{position}'
        f',"recorded_at_us":{to_micros(recorded_at)}'
        f',"schema_version":{schema_version}'
        f',"stream":"{stream}"'
        f',"stream_version":{stream_version}'
        f',"type":"{type_name}"}}'
    ).encode()


def leaf_of(event: StoredEvent) -> bytes:
    """The Merkle leaf of an event (RFC 6962, section 2.1)."""
    return leaf_hash(leaf_data(event))


def stored_payload(event: StoredEvent) -> Payload:
    """An event without what proves it."""
    return Payload(
        position=event.position,
        recorded_at=to_micros(event.recorded_at),
        effective_at=to_micros(event.effective_at),
        stream=event.stream,
        type=event.type,
        schema_version=event.schema_version,
        data=event.data,
    )


def category_of(stream: StreamName) -> str:
    """What the streams of one kind share: the name up to the first `-`."""
    return stream.partition("-")[0]


def refuse_unknown_documents(
    erased: Collection[DocumentHash], known: Collection[DocumentHash]
) -> None:
    """Only what is stored can be erased.

    Raises:
        DocumentNotFoundError
    """
    for unknown in sorted(set(erased).difference(known)):
        raise DocumentNotFoundError(unknown)


def check_documents(documents: Mapping[DocumentHash, bytes]) -> None:
    """Every body must hash to the name it is stored under.

    Raises:
        CorruptLogError
    """
    for name, body in documents.items():
        if hashlib.sha256(body).hexdigest() != name:
            raise CorruptLogError(f"document {name} has another hash: nothing was stored")
