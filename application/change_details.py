"""What changed in a registry, with the documents read and compared."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

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
from domain.redaction import Redaction

ALL_CLASSES = frozenset(ChangeClass)
SHOWN = ALL_CLASSES - {ChangeClass.POPULARITY}
"""What is shown to people who did not ask for more: stars and pulls change all the time."""

_Bodies: TypeAlias = Mapping[DocumentHash, bytes | Redaction]


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
    """What became of a version. `body` is its document now, None where it left.

    Where a document is `redacted` nobody can tell any longer what differs in it. Where nothing
    else changed, that is the change.
    """

    comparison: Comparison
    differences: tuple[Difference, ...]
    body: bytes | Redaction | None
    redacted: bool

    @property
    def classes(self) -> frozenset[ChangeClass]:
        """What it means. To come or to go is of the lifecycle, unless something with another
        meaning came in its place.
        """
        found = frozenset(difference.change_class for difference in self.differences)
        replaced = self.comparison.other is not None and not found.isdisjoint(SHOWN)
        if self.comparison.outcome is Outcome.CHANGED or replaced:
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

    @property
    def redacted(self) -> bool:
        return any(version.redacted for version in self.versions)

    def is_shown(self, classes: Collection[ChangeClass]) -> bool:
        """Whether it belongs, or may belong, to what is asked for.

        One that changes no member has no class.
        """
        return classes == ALL_CLASSES or self.redacted or not self.classes.isdisjoint(classes)


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
    found = await documents.bodies_or_redactions(list(wanted.values()))
    bodies = dict(zip(wanted, found, strict=True))
    return await anyio.to_thread.run_sync(_all_details, compared, bodies)


def _all_details(compared: Iterable[Compared], bodies: _Bodies) -> Sequence[ServerChange]:
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


def _version_change(comparison: Comparison, bodies: _Bodies) -> VersionChange:
    before, after = comparison.before, comparison.after
    found = _document_differences(comparison.old, comparison.new, bodies)
    told = _status_differences(before, after) if before and after else ()
    return VersionChange(
        comparison=comparison,
        differences=(*told, *(found or ())),
        body=bodies[after.entry.document_hash] if after else None,
        redacted=found is None or before == after,
    )


def _document_differences(
    old: RegistryEntry | None, new: RegistryEntry | None, bodies: _Bodies
) -> Sequence[Difference] | None:
    """None where one of two documents was redacted."""
    hashes = [served.entry.document_hash if served else None for served in (old, new)]
    if hashes[0] == hashes[1]:
        return ()
    documents: list[dict[str, Any]] = []
    for known in hashes:
        body = bodies[known] if known else b"{}"
        if isinstance(body, Redaction):
            return None
        documents.append(json.loads(body))
    return differences(*documents)


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
