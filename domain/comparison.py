"""Two states of a registry side by side, name by name."""

from collections.abc import Container, Sequence
from enum import StrEnum

import attrs

from domain.composition import RegistryEntry
from domain.identifiers import DocumentHash


class Outcome(StrEnum):
    """What became of a version, or of all that has a name."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@attrs.frozen(kw_only=True)
class Comparison:
    """A version that is not what it was: None where it was not there, or no longer is.

    `other` stands in for the missing side: what a new version came after, or what an old one
    was replaced by.
    """

    before: RegistryEntry | None
    after: RegistryEntry | None
    other: RegistryEntry | None = None

    @property
    def outcome(self) -> Outcome:
        return outcome_of(self.before is not None, self.after is not None)

    @property
    def version(self) -> str:
        present = self.after or self.before
        return present.entry.version if present else ""

    @property
    def old(self) -> RegistryEntry | None:
        """What the new document is compared with."""
        return self.before or self.other

    @property
    def new(self) -> RegistryEntry | None:
        """What the old document is compared with."""
        return self.after or self.other


def outcome_of(was_there: bool, is_there: bool) -> Outcome:  # both are facts
    """What became of something that was there or not, and is or not."""
    if not was_there:
        return Outcome.ADDED
    return Outcome.CHANGED if is_there else Outcome.REMOVED


def compare(
    before: Sequence[RegistryEntry], after: Sequence[RegistryEntry]
) -> tuple[Comparison, ...]:
    """What changed among the versions of one name, in the order of versions."""
    old = {served.entry.version: served for served in before}
    new = {served.entry.version: served for served in after}
    came = [served for version, served in new.items() if version not in old]
    left = [served for version, served in old.items() if version not in new]
    return tuple(
        _comparison(old.get(version), new.get(version), _newest(left) or _newest(before), came)
        for version in sorted(old.keys() | new.keys())
        if old.get(version) != new.get(version)
    )


def retold(
    entries: Sequence[RegistryEntry], documents: Container[DocumentHash | None]
) -> tuple[Comparison, ...]:
    """Versions that are as they were, but have one of these documents, which were taken away."""
    return tuple(
        Comparison(before=served, after=served)
        for served in entries
        if served.entry.document_hash in documents
    )


def _comparison(
    before: RegistryEntry | None,
    after: RegistryEntry | None,
    predecessor: RegistryEntry | None,
    came: Sequence[RegistryEntry],
) -> Comparison:
    if before and after:
        return Comparison(before=before, after=after)
    return Comparison(before=before, after=after, other=_newest(came) if before else predecessor)


def _newest(entries: Sequence[RegistryEntry]) -> RegistryEntry | None:
    """The latest, or the one that comes last where none has that flag."""
    return max(entries, key=lambda served: served.entry.is_latest, default=None)
