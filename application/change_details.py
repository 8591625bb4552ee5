"""What changed in a registry, with the documents read and compared."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import anyio.to_thread
import attrs

from application.documents import Documents
from domain.change import ChangeClass, Difference, differences, reuses_version
from domain.comparison import Comparison, Outcome, outcome_of
from domain.composition import RegistryEntry
from domain.entry import OFFICIAL_META
from domain.errors import InvalidInputError
from domain.identifiers import DocumentHash, EntryName
from domain.log import StoredCommit

ALL_CLASSES = frozenset(ChangeClass)
SHOWN = ALL_CLASSES - {ChangeClass.POPULARITY}
"""What is shown to people who did not ask for more: stars and pulls change all the time."""


def parse_classes(text: str) -> frozenset[ChangeClass]:
    """Read some classes with commas between, or `all`.

    Raises:
        InvalidInputError
    """
    if text == "all":
        return ALL_CLASSES
    try:
        return frozenset(ChangeClass(name.strip()) for name in text.split(","))
    except ValueError as error:
        raise InvalidInputError(
            f"{text!r} are no classes of changes: expected some of {', '.join(ChangeClass)}, with "
            "commas between, or all"
        ) from error


@attrs.frozen(kw_only=True)
class VersionChange:
    """What became of a version. `body` is its document now, None where it left."""

    comparison: Comparison
    differences: tuple[Difference, ...]
    body: bytes | None

    @property
    def classes(self) -> frozenset[ChangeClass]:
        """What it means; to come and to go is of the lifecycle, whatever else differs."""
        found = frozenset(difference.change_class for difference in self.differences)
        if self.comparison.outcome is Outcome.CHANGED:
            return found
        return found | {ChangeClass.LIFECYCLE}

    def shown_differences(self, classes: Collection[ChangeClass]) -> Sequence[Difference]:
        """Those of some classes; none where there is nothing to compare with."""
        if self.comparison.old is None or self.comparison.new is None:
            return ()
        return [found for found in self.differences if found.change_class in classes]

    @property
    def version_reused(self) -> bool:
        """Whether another definition came under a version that was there already."""
        return self.comparison.outcome is Outcome.CHANGED and reuses_version(self.classes)


@attrs.frozen(kw_only=True)
class ServerChange:
    """What became of all versions of a name at a position, or between two moments.

    `commit` is None between moments, where `mark` says nothing.
    """

    mark: str
    commit: StoredCommit | None
    name: EntryName
    outcome: Outcome
    versions: tuple[VersionChange, ...]

    @property
    def classes(self) -> frozenset[ChangeClass]:
        return frozenset().union(*(version.classes for version in self.versions))

    @property
    def version_reused(self) -> bool:
        return any(version.version_reused for version in self.versions)

    def is_shown(self, classes: Collection[ChangeClass]) -> bool:
        """Whether it belongs to what is asked for; one that changes no member has no class."""
        return classes == ALL_CLASSES or not self.classes.isdisjoint(classes)


@attrs.frozen(kw_only=True)
class Compared:
    """The versions of a name before and after something, documents not yet read."""

    mark: str = ""
    commit: StoredCommit | None = None
    name: EntryName
    before: Sequence[RegistryEntry]
    after: Sequence[RegistryEntry]
    comparisons: tuple[Comparison, ...]


async def detailed(documents: Documents, compared: Sequence[Compared]) -> Sequence[ServerChange]:
    """The same with what changed in the documents."""
    wanted = {
        served.entry.document_hash: served
        for one in compared
        for comparison in one.comparisons
        for served in (comparison.old, comparison.new)
        if served
    }
    bodies = dict(zip(wanted, await documents.bodies(list(wanted.values())), strict=True))
    return await anyio.to_thread.run_sync(_all_details, compared, bodies)


def _all_details(
    compared: Iterable[Compared], bodies: Mapping[DocumentHash, bytes]
) -> Sequence[ServerChange]:
    return [
        ServerChange(
            mark=one.mark,
            commit=one.commit,
            name=one.name,
            outcome=outcome_of(bool(one.before), bool(one.after)),
            versions=tuple(_version_change(comparison, bodies) for comparison in one.comparisons),
        )
        for one in compared
    ]


def _version_change(comparison: Comparison, bodies: Mapping[DocumentHash, bytes]) -> VersionChange:
    old, new = comparison.old, comparison.new
    found: tuple[Difference, ...] = ()
    if _hash(old) != _hash(new):
        found = differences(_parsed(old, bodies), _parsed(new, bodies))
    if comparison.before and comparison.after:
        found = (*_status_differences(comparison.before, comparison.after), *found)
    after = comparison.after
    return VersionChange(
        comparison=comparison,
        differences=found,
        body=bodies[after.entry.document_hash] if after else None,
    )


def _hash(served: RegistryEntry | None) -> DocumentHash | None:
    return served.entry.document_hash if served else None


def _parsed(served: RegistryEntry | None, bodies: Mapping[DocumentHash, bytes]) -> dict[str, Any]:
    if served is None:
        return {}
    document: dict[str, Any] = json.loads(bodies[served.entry.document_hash])
    return document


def _status_differences(before: RegistryEntry, after: RegistryEntry) -> Sequence[Difference]:
    """What a source says beside the document, where an answer shows it."""
    was, now = before.entry.lifecycle, after.entry.lifecycle
    pairs = (
        ("status", was.status.value, now.status.value),
        ("statusMessage", was.status_message, now.status_message),
    )
    return [
        Difference(
            path=f"/_meta/{OFFICIAL_META.replace('/', '~1')}/{member}",
            operation="replace",
            change_class=ChangeClass.LIFECYCLE,
            old=old,
            new=new,
        )
        for member, old, new in pairs
        if old != new
    ]
