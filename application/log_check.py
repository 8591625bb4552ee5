"""Checks events in the order of their positions, against their commits and the Merkle tree."""

from collections.abc import Sequence
from itertools import pairwise

from application.codec import decode
from application.plain_revisions import revised_document
from domain.errors import CorruptLogError
from domain.events import DocumentRedacted, EntryListed, EntryRevised
from domain.identifiers import DocumentHash, Position, StreamName
from domain.log import StoredCommit, StoredEvent, leaf_of
from domain.merkle import Frontier, grow
from domain.ports.storage import Damage


class LogCheck:
    """Walks once over the events beyond those of a tree, knowing only what it has seen.

    *commits* are what the events are compared with. A walk that begins where another ends can be
    made apart, and joined to it.
    """

    def __init__(self, commits: Sequence[StoredCommit], before: Frontier) -> None:
        self.position: Position = before.size
        self.commits = 0
        self.root = before.root()
        self.named: dict[DocumentHash, Position] = {}
        self.redacted: dict[DocumentHash, StoredEvent] = {}
        self.damages: list[Damage] = []
        self._expected = commits
        self._frontier = before
        self._leaves: list[bytes] = []  # of the commit that is walked over
        self._first: dict[StreamName, StoredEvent] = {}
        self._last: dict[StreamName, StoredEvent] = {}
        self._is_beginning = before.size == 0

    def events(self, batch: Sequence[StoredEvent]) -> None:
        """Check the next events."""
        for event in batch:
            if event.position != self.position + 1:
                self.note(self.position + 1, f"the next event is at {event.position}")
            if leaf_of(event) != event.leaf_hash:
                self.note(event.position, "the event is not the one that was appended")
            self._stream(event)
            self._payload(event)
            self._leaves.append(event.leaf_hash)
            self._commit(event)
            self.position = event.position

    def end(self) -> None:
        """Tell what is missing once all events were seen."""
        for commit in self._expected[self.commits :]:
            position = max(commit.first_position, self.position + 1)
            self.note(position, f"commit {commit.commit_id} has lost its events")

    def join(self, later: "LogCheck") -> None:
        """Take over what a walk saw that began where this one ends."""
        for event in later._first.values():
            self._stream(event)
        self.damages += later.damages
        self.position, self.root = later.position, later.root
        self.commits += later.commits
        self.named = {**later.named, **self.named}
        self.redacted = {**later.redacted, **self.redacted}

    def note(self, position: Position | None, what: str) -> None:
        """Remember something that does not fit."""
        self.damages.append(Damage(position=position, what=what))

    def _stream(self, event: StoredEvent) -> None:
        last = self._last.get(event.stream)
        self._last[event.stream] = event
        if last is None and not self._is_beginning:
            self._first[event.stream] = event
            return
        if event.stream_version != (last.stream_version if last else 0) + 1:
            self.note(event.position, f"stream {event.stream} goes on at another version")
        if last and event.effective_at < last.effective_at:
            self.note(event.position, f"stream {event.stream} goes back in time")

    def _payload(self, event: StoredEvent) -> None:
        if document := revised_document(event.type, event.schema_version, event.data):
            self.named.setdefault(document, event.position)
            return
        try:
            decoded = decode(event)
        except CorruptLogError as error:
            self.note(event.position, str(error))
            return
        if isinstance(decoded, EntryListed | EntryRevised):
            self.named.setdefault(decoded.document_hash, event.position)
        elif isinstance(decoded, DocumentRedacted):
            self.redacted.setdefault(decoded.document_hash, event)

    def _commit(self, event: StoredEvent) -> None:
        """Hold the event against its commit; at the commit's end, the tree against its root."""
        if self.commits >= len(self._expected):
            self.note(event.position, "the event belongs to no commit")
            return
        commit = self._expected[self.commits]
        if not commit.first_position <= event.position <= commit.last_position:
            self.note(event.position, f"commit {commit.commit_id} does not reach this far")
        if (
            event.commit_id != commit.commit_id
            or event.recorded_at != commit.recorded_at
            or event.effective_at != commit.effective_at
        ):
            self.note(event.position, f"the event is not of commit {commit.commit_id}")
        if event.position >= commit.last_position:
            self._root(commit)

    def _root(self, commit: StoredCommit) -> None:
        self._frontier = grow(self._frontier, self._leaves)
        self._leaves = []
        self.root = self._frontier.root()
        self.commits += 1
        if self.root != commit.root:
            self.note(
                commit.last_position,
                f"the Merkle root of commit {commit.commit_id} is not that of the events up to it",
            )


def find_damage(commits: Sequence[StoredCommit]) -> list[Damage]:
    """Where commits do not follow each other: each begins where one ends, and is later."""
    ends = [0, *(commit.last_position for commit in commits)]
    gaps = [
        Damage(
            position=min(end + 1, commit.first_position),
            what=f"commit {commit.commit_id} begins at {commit.first_position}, "
            f"the one before ends at {end}",
        )
        for end, commit in zip(ends, commits, strict=False)
        if commit.first_position != end + 1
    ]
    return gaps + [
        Damage(position=commit.first_position, what="the commit is not later than the one before")
        for before, commit in pairwise(commits)
        if commit.recorded_at <= before.recorded_at
    ]
