"""Checks a whole log: every event, every commit, every document, recomputed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import anyio.to_thread
import attrs

from application.codec import decode
from domain.entry import document_hash
from domain.errors import CorruptLogError
from domain.events import DocumentRedacted, EntryListed, EntryRevised
from domain.identifiers import ORIGIN, CommitId, DocumentHash, Position, StreamName
from domain.log import StoredCommit, StoredEvent, StreamHead, leaf_of
from domain.merkle import EMPTY_ROOT, Frontier, grow
from domain.ports.storage import Damage, StoragePort


@attrs.frozen(kw_only=True)
class Verification:
    """What was checked, and what does not fit, the first position first.

    Of the documents so many were `redacted`: of those there is nothing to check.
    """

    events: int
    commits: int
    documents: int
    redacted: int
    root: bytes
    damages: tuple[Damage, ...]


Progress = Callable[[Position, Position], None]
"""Told how many events have been checked, and of how many."""


async def verify(
    storage: StoragePort, progress: Progress = lambda _done, _all: None
) -> Verification:
    """Recompute positions, versions, leaves, roots and hashes, and compare."""
    found = list(await storage.self_check())
    check = _LogCheck()
    try:
        head = await storage.head()
        commits = [commit async for batch in storage.commits() for commit in batch]
        found += check.expect(commits)
        async for events in storage.read(upto=_MOST):
            found += await anyio.to_thread.run_sync(check.events, events)
            progress(check.position, head.position)
        found += check.end()
    except _UNREADABLE as error:
        found.append(_damage(check.position + 1, f"the log cannot be read further: {error}"))
    found += await _document_damages(storage, check)
    return Verification(
        events=check.position,
        commits=check.commits,
        documents=len(check.named),
        redacted=len(check.redacted),
        root=check.root,
        damages=tuple(sorted(found, key=_by_position)),
    )


_MOST = 2**63 - 1
_UNREADABLE = (CorruptLogError, TypeError)
"""Where the file itself is damaged a value may be missing, or of another type than stored."""


def _by_position(damage: Damage) -> tuple[bool, Position]:
    return damage.position is None, damage.position or ORIGIN


class _LogCheck:
    """Walks over the log once, knowing only what it has seen."""

    def __init__(self) -> None:
        self.position = ORIGIN
        self.commits = 0
        self.root = EMPTY_ROOT
        self.named: dict[DocumentHash, Position] = {}
        self.redacted: dict[DocumentHash, StoredEvent] = {}
        self._expected: Sequence[StoredCommit] = ()
        self._frontier = Frontier()
        self._streams: dict[StreamName, StreamHead] = {}

    def expect(self, commits: Sequence[StoredCommit]) -> list[Damage]:
        """Take what the events are compared with: each commit must begin where one ends."""
        self._expected = commits
        ends = [ORIGIN, *(commit.last_position for commit in commits)]
        return [
            _damage(
                min(end + 1, commit.first_position),
                f"commit {commit.commit_id} begins at {commit.first_position}, "
                f"the one before ends at {end}",
            )
            for end, commit in zip(ends, commits, strict=False)
            if commit.first_position != end + 1
        ]

    def events(self, batch: Sequence[StoredEvent]) -> list[Damage]:
        """Check the next events."""
        return [damage for event in batch for damage in self._event(event)]

    def end(self) -> list[Damage]:
        """What is missing once all events were seen."""
        return [
            _damage(
                max(commit.first_position, self.position + 1),
                f"commit {commit.commit_id} has lost its events",
            )
            for commit in self._expected[self.commits :]
        ]

    def _event(self, event: StoredEvent) -> Iterator[Damage]:
        position = self.position + 1
        if event.position != position:
            yield _damage(position, f"the next event is at {event.position}")
        yield from self._envelope(event)
        yield from self._payload(event)
        self._frontier = grow(self._frontier, [event.leaf_hash])
        yield from self._commit(event)
        self.position = event.position

    def _envelope(self, event: StoredEvent) -> Iterator[Damage]:
        if leaf_of(event) != event.leaf_hash:
            yield _damage(event.position, "the event is not the one that was appended")
        stream = self._streams.get(event.stream, StreamHead())
        if event.stream_version != stream.version + 1:
            yield _damage(event.position, f"stream {event.stream} goes on at another version")
        if stream.effective_at and event.effective_at < stream.effective_at:
            yield _damage(event.position, f"stream {event.stream} goes back in time")
        self._streams[event.stream] = StreamHead(event.stream_version, event.effective_at)

    def _payload(self, event: StoredEvent) -> Iterator[Damage]:
        try:
            decoded = decode(event)
        except CorruptLogError as error:
            yield _damage(event.position, str(error))
            return
        if isinstance(decoded, EntryListed | EntryRevised):
            self.named.setdefault(decoded.document_hash, event.position)
        if isinstance(decoded, DocumentRedacted):
            self.redacted.setdefault(decoded.document_hash, event)

    def _commit(self, event: StoredEvent) -> Iterator[Damage]:
        """Hold the event against its commit; at the commit's end, the tree against its root."""
        if self.commits >= len(self._expected):
            yield _damage(event.position, "the event belongs to no commit")
            return
        commit = self._expected[self.commits]
        if not commit.first_position <= event.position <= commit.last_position:
            yield _damage(event.position, f"commit {commit.commit_id} does not reach this far")
        if _shared(event) != _shared(commit):
            yield _damage(event.position, f"the event is not of commit {commit.commit_id}")
        if event.position >= commit.last_position:
            yield from self._root(commit)

    def _root(self, commit: StoredCommit) -> Iterator[Damage]:
        before = self._expected[self.commits - 1] if self.commits else None
        if before and commit.recorded_at <= before.recorded_at:
            yield _damage(commit.first_position, "the commit is not later than the one before")
        self.root = self._frontier.root()
        self.commits += 1
        if self.root != commit.root:
            yield _damage(
                commit.last_position,
                f"the Merkle root of commit {commit.commit_id} is not that of the events up to it",
            )


async def _document_damages(storage: StoragePort, check: _LogCheck) -> list[Damage]:
    """Documents that are other than their hash says, and those that events name in vain."""
    found: list[Damage] = []
    missing = {known: at for known, at in check.named.items() if known not in check.redacted}
    try:
        async for hashes in storage.document_hashes():
            found += await _batch_damages(storage, hashes, check)
            for known in hashes:
                missing.pop(known, None)
        found += _erasure_damages(check, await storage.erasures())
    except _UNREADABLE as error:
        return [*found, Damage(position=None, what=f"the documents cannot be listed: {error}")]
    found += [_damage(position, f"document {h} is missing") for h, position in missing.items()]
    return found


def _erasure_damages(
    check: _LogCheck, erasures: Mapping[DocumentHash, CommitId]
) -> Iterator[Damage]:
    """Where storage and log do not agree on what was redacted."""
    for known in sorted(erasures.keys() - check.redacted.keys()):
        yield Damage(
            position=check.named.get(known),
            what=f"document {known} was erased, and no event says so",
        )
    for known, event in check.redacted.items():
        if erasures.get(known) != event.commit_id:
            yield _damage(event.position, f"document {known} was redacted, and is not erased by it")


async def _batch_damages(
    storage: StoragePort, hashes: Sequence[DocumentHash], check: _LogCheck
) -> list[Damage]:
    try:
        bodies = await storage.documents(hashes)
    except _UNREADABLE as error:
        if len(hashes) == 1:
            return [Damage(position=check.named.get(hashes[0]), what=str(error))]
        return [
            damage for known in hashes for damage in await _batch_damages(storage, [known], check)
        ]
    hashed = await anyio.to_thread.run_sync(
        lambda: [known for known, body in bodies.items() if document_hash(body) != known]
    )
    return [
        Damage(position=check.named.get(known), what=f"document {known} has another body")
        for known in hashed
    ]


def _shared(part: StoredEvent | StoredCommit) -> tuple[CommitId, datetime, datetime]:
    """What a commit has in common with its events."""
    return part.commit_id, part.recorded_at, part.effective_at


def _damage(position: Position, what: str) -> Damage:
    return Damage(position=position, what=what)
