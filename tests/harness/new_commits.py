"""Small commits for tests of what stores them, and how to read a log back whole."""

import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import attrs

from domain.identifiers import CommitId, DocumentHash, StreamName
from domain.log import (
    AnyVersion,
    ExpectedVersion,
    NewCommit,
    NewEvent,
    StoredCommit,
    StoredEvent,
    StreamWrite,
)
from domain.ports.storage import EventStorePort
from tests.harness.clock import START

T = TypeVar("T")


def write(
    stream: str, *payloads: bytes, expected: ExpectedVersion | None = None, count: int = 1
) -> StreamWrite:
    """Events for one stream: one per payload, or *count* whose payloads are numbers."""
    data = payloads or [str(number).encode() for number in range(count)]
    return StreamWrite(
        stream=StreamName(stream),
        expected=expected or AnyVersion(),
        events=tuple(NewEvent("entry.listed", 1, payload) for payload in data),
    )


def new_commit(
    commit_id: str,
    *writes: StreamWrite,
    bodies: Iterable[bytes] = (),
    effective_at: datetime | None = None,
) -> NewCommit:
    """A commit of those writes, or of one event in `catalog-a`."""
    return NewCommit(
        commit_id=CommitId(commit_id),
        writes=writes or (write("catalog-a"),),
        documents=documents_of(bodies),
        effective_at=effective_at,
    )


def documents_of(bodies: Iterable[bytes]) -> Mapping[DocumentHash, bytes]:
    """Bodies by their hash."""
    return {DocumentHash(hashlib.sha256(body).hexdigest()): body for body in bodies}


async def collect(batches: AsyncIterator[Collection[T]]) -> list[T]:
    """All that comes in batches, none of which may be empty."""
    collected: list[T] = []
    async for batch in batches:
        assert batch, "an empty batch"
        collected += batch
    return collected


async def whole_log(store: EventStorePort) -> tuple[list[StoredCommit], list[StoredEvent]]:
    """All commits and all events."""
    return await collect(store.commits()), await collect(store.read())


def stored(event: NewEvent, **changed: Any) -> StoredEvent:
    """An event as it comes out of a store, at position 7."""
    at_seven = StoredEvent(
        position=7,
        commit_id=CommitId("c"),
        recorded_at=START,
        effective_at=START,
        stream=StreamName("catalog-main"),
        stream_version=1,
        type=event.type,
        schema_version=event.schema_version,
        data=event.data,
        leaf_hash=b"",
    )
    return attrs.evolve(at_seven, **changed)
