"""What happens to a registry in a year: servers come, are revised, marked, removed and return."""

import random
from collections.abc import Callable, Iterator, Sequence

import attrs

from domain.change import Change, ChangeClass
from domain.entry import Entry, Lifecycle, Status, make_entry
from domain.events import (
    CatalogEvent,
    DelistReason,
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
)
from domain.identifiers import EntryKind
from tests.benchmarks.catalogue import document

_CHANGE = Change(paths=("/_meta",), classes=(ChangeClass.POPULARITY,))
_REMOVED, _MARKED = 0.03, 0.1  # of the events of what is listed; the others are revisions
_COMMITS_BETWEEN_COUNTS = 10


@attrs.define
class Version:
    """One version of a server, and what the log says about it so far."""

    number: int
    made: Callable[[Entry], None]
    editions: list[Entry] = attrs.field(factory=list)
    edition: int = 0
    listed: bool = False
    deprecated: bool = False

    def unsettled(self) -> int:
        """How many events make it what it ends as: listed, active, in its first edition."""
        return int(self.edition) + int(self.deprecated) if self.listed else 1

    def settle(self) -> CatalogEvent:
        """Bring it a step nearer to that."""
        if not self.listed:
            return self.list()
        return self.mark() if self.deprecated else self.revise()

    def happen(self, chance: float) -> CatalogEvent:
        """What comes next, by chance."""
        if not self.listed:
            return self.list()
        if chance < _REMOVED:
            return self.remove()
        return self.mark() if chance < _MARKED else self.revise()

    def list(self) -> CatalogEvent:
        self.listed, self.edition, self.deprecated = True, 0, False
        entry = self._entry(0)
        return EntryListed(
            key=entry.key,
            document_hash=entry.document_hash,
            title=entry.title,
            tags=entry.tags,
            lifecycle=entry.lifecycle,
        )

    def revise(self) -> CatalogEvent:
        old, self.edition = self._entry(self.edition), 1 - self.edition
        entry = self._entry(self.edition)
        return EntryRevised(
            key=entry.key,
            document_hash=entry.document_hash,
            previous_hash=old.document_hash,
            title=entry.title,
            tags=entry.tags,
            change=_CHANGE,
        )

    def mark(self) -> CatalogEvent:
        self.deprecated = not self.deprecated
        status = Status.DEPRECATED if self.deprecated else Status.ACTIVE
        return EntryStatusChanged(key=self._entry(0).key, lifecycle=Lifecycle(status=status))

    def remove(self) -> CatalogEvent:
        self.listed = False
        return EntryDelisted(key=self._entry(0).key, reason=DelistReason.WITHDRAWN)

    def _entry(self, edition: int) -> Entry:
        while len(self.editions) <= edition:
            entry = make_entry(EntryKind.SERVER, document(self.number, len(self.editions)))
            self.editions.append(entry)
            self.made(entry)
        return self.editions[edition]


def commits(
    versions: Sequence[Version], events: int, size: int
) -> Iterator[Sequence[CatalogEvent]]:
    """About that many events, *size* to a commit; in the end all versions are settled."""
    chance = random.Random(events)
    coming = chance.sample(versions, len(versions))
    known = [coming.pop() for _ in range(len(versions) // 5)]
    yield [version.list() for version in known]
    events -= len(known)
    while events > sum(version.unsettled() for version in versions):
        for _ in range(_COMMITS_BETWEEN_COUNTS):
            known += [coming.pop() for _ in range(min(size // 10, len(coming)))]
            chosen = {version.number: version for version in chance.choices(known, k=size)}
            yield [version.happen(chance.random()) for version in chosen.values()]
            events -= len(chosen)
    yield from _settling(versions, size)


def _settling(versions: Sequence[Version], size: int) -> Iterator[Sequence[CatalogEvent]]:
    """Two turns are enough, and no version is touched twice by one commit."""
    for _ in range(2):
        unsettled = [version for version in versions if version.unsettled()]
        for start in range(0, len(unsettled), size):
            yield [version.settle() for version in unsettled[start : start + size]]
