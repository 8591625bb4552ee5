"""What an entry must be before it is listed, whichever format it came in."""

import json
import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import attrs

from adapters.sources.formats.payload import pointer
from domain.entry import Entry, Lifecycle, make_entry
from domain.errors import InvalidDocumentError, SourceContentError
from domain.events import RejectedEntry
from domain.identifiers import EntryKey, EntryKind
from domain.json_checks import Issue, Place, expect, first_issue, object_of, string
from domain.server_json import is_of_shape, issues_of

_MOST_REJECTED = 10_000
_MOST_ISSUES = 1_000
_MOST_WARNINGS = 20
_MANY_WARNED = 10_000  # when so many were told, of each further entry the first will do

MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
"""How large one document may be: a hundred of them are on a page."""


@attrs.frozen(kw_only=True)
class Candidate:
    """An entry as a payload offers it.

    `name` is what to call it if it is rejected. `path` is where its document stands in the
    payload or, if it was `converted`, where that stands which it was converted from. `body` is
    the document's canonical form, where that is at hand.
    """

    kind: EntryKind
    name: str
    path: str
    document: Any
    lifecycle: Lifecycle
    converted: bool = False
    body: bytes | None = None


def key_text(key: EntryKey) -> str:
    """A key in one string: names and versions have no control characters."""
    return f"{key.kind}\n{key.name}\n{key.version}"


def key_of(text: str) -> EntryKey:
    """What `key_text` was given."""
    kind, name, version = text.split("\n")
    return EntryKey(EntryKind(kind), name, version)


class Admitted(NamedTuple):
    """What became of one candidate: an entry, with its warnings, or a rejection."""

    entry: Entry | None
    rejected: RejectedEntry | None = None
    warnings: Sequence[RejectedEntry] = ()


class Judged(NamedTuple):
    """What one candidate is by itself, whatever others there are; its name and path."""

    name: str
    path: str
    entry: Entry | None = None
    rejected: RejectedEntry | None = None
    warnings: Sequence[RejectedEntry] = ()


def judge(found: Candidate | RejectedEntry) -> Judged:
    """Whether a candidate can be served."""
    if isinstance(found, RejectedEntry):
        return Judged(found.name, found.path, rejected=found)
    path = found.path.encode(errors="replace").decode()
    fatal, others = _issues(found)
    if fatal:
        return Judged(found.name, path, rejected=_told(found, fatal))
    entry = _entry(found)
    if isinstance(entry, RejectedEntry):
        return Judged(found.name, path, rejected=entry)
    warnings = [_told(found, issue) for issue in others]
    return Judged(found.name, path, entry=entry, warnings=warnings)


@attrs.define
class Admission:
    """Makes entries of what can be served; of two candidates with one key, of the first."""

    _places: dict[str, str | Callable[[], str]] = attrs.field(factory=dict, init=False)
    _rejected: list[RejectedEntry] = attrs.field(factory=list, init=False)
    _warned: int = attrs.field(default=0, init=False)

    @property
    def rejects_nothing(self) -> bool:
        """Whether all that came so far was admitted."""
        return not self._rejected

    def has(self, key: str) -> bool:
        """Whether an entry of that key (see `key_text`) was admitted."""
        return key in self._places

    def admit(self, judged: Judged) -> Admitted:
        """What becomes of the next one.

        Raises:
            SourceContentError: so much is rejected that this can be no registry.
        """
        rejected = judged.rejected or self._repeated(judged)
        if rejected:
            self._reject(rejected)
            return Admitted(None, rejected)
        return Admitted(judged.entry, warnings=self.warn(judged.warnings))

    def admit_known(self, key: str, place: Callable[[], str]) -> bool:
        """Whether the entry of a payload before is admitted again: it is unless its key is taken.

        *place* tells its path.
        """
        return self._places.setdefault(key, place) is place

    def warn(self, warnings: Sequence[RejectedEntry]) -> Sequence[RejectedEntry]:
        """What is told of the warnings of one entry."""
        told = warnings if self._warned < _MANY_WARNED else warnings[:1]
        self._warned += len(told)
        return told

    def _repeated(self, judged: Judged) -> RejectedEntry | None:
        """The rejection of what is there for the second time."""
        if judged.entry is None:
            return None
        key = judged.entry.key
        first = self._places.setdefault(key_text(key), judged.path)
        if first == judged.path:
            return None
        kept = first if isinstance(first, str) else first()
        reason = f"expected {key} once: {kept} is kept, {judged.path} is not"
        return rejection(judged.name, reason, judged.path)

    def _reject(self, rejected: RejectedEntry) -> None:
        self._rejected.append(rejected)
        if len(self._rejected) > _MOST_REJECTED:
            first = self._rejected[0]
            raise SourceContentError(
                f"expected a registry, found more than {_MOST_REJECTED} entries that cannot be"
                f" used, the first at {first.path}: {first.reason}"
            )


def rejection(name: str, reason: str, path: str) -> RejectedEntry:
    """Why an entry is rejected or warned of, in texts that UTF-8 can hold."""
    name, reason, path = (text.encode(errors="replace").decode() for text in (name, reason, path))
    return RejectedEntry(name=name, reason=reason, path=path)


def rejection_for(issue: Issue, name: str, path: str) -> RejectedEntry:
    """The rejection for an issue of what stands at *path* in the payload."""
    return rejection(name, _reason(issue), path + _pointer_of(issue))


def _entry(candidate: Candidate) -> Entry | RejectedEntry:
    try:
        entry = make_entry(candidate.kind, candidate.document, candidate.lifecycle, candidate.body)
    except InvalidDocumentError as error:
        return rejection(candidate.name, str(error), candidate.path)
    if len(entry.document) > MAX_DOCUMENT_BYTES:
        reason = f"expected at most {MAX_DOCUMENT_BYTES} bytes, found {len(entry.document)}"
        return rejection(candidate.name, reason, candidate.path)
    return entry


def _issues(candidate: Candidate) -> tuple[Issue | None, Sequence[Issue]]:
    """What keeps a document from being served, and what does not."""
    document = candidate.document
    if candidate.kind is not EntryKind.SERVER:
        return first_issue(_SKILL_OR_PLUGIN, document, Place()), ()
    size = len(candidate.body) if candidate.body else None
    found = list(islice(issues_of(document, size), _MOST_ISSUES + 1))
    fatal = [issue for issue in found if is_of_shape(issue) and _place(issue) not in _COMMON]
    if len(found) > _MOST_ISSUES:
        fatal.append(Place().issue("too-many-issues", f"expected at most {_MOST_ISSUES} issues"))
    first = fatal[0] if fatal else first_issue(_REACHABLE, document, Place())
    return first, found[:_MOST_WARNINGS]


def _place(issue: Issue) -> tuple[str, str]:
    return issue.reference, issue.path


def _told(candidate: Candidate, issue: Issue) -> RejectedEntry:
    if candidate.converted:
        return rejection(candidate.name, _reason(issue), candidate.path)
    return rejection_for(issue, candidate.name, candidate.path)


def _reason(issue: Issue) -> str:
    return f"{issue.path}: {issue.message}" if issue.path else issue.message


_STEP = re.compile(r'\[(?P<index>[0-9]+)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]|\.?(?P<plain>[^.\[]+)')


def _pointer_of(issue: Issue) -> str:
    steps = _STEP.finditer(issue.path)
    return pointer(
        *(
            json.loads(step["quoted"]) if step["quoted"] else step["index"] or step["plain"]
            for step in steps
        )
    )


# Paths and lists are made of these members; a version `latest` means another one there.
_VISIBLE = expect(
    "control-character",
    "one or more characters, none of them a control character",
    re.compile(r"[^\x00-\x1f\x7f-\x9f]+").fullmatch,
)
_NOT_LATEST = expect(
    "reserved-version-string", "a version, not the word", lambda text: text != "latest"
)
# The official registry itself has entries whose repository is an empty object.
_COMMON = {("schema-required", f"repository.{member}") for member in ("url", "source")}
_KEY = {"name": string(_VISIBLE), "version": string(_VISIBLE, _NOT_LATEST)}
_REACHABLE = object_of(_KEY)
_SKILL_OR_PLUGIN = object_of(
    {
        **_KEY,
        "namespace": string(_VISIBLE),
        "description": string(expect("schema-min-length", "a description", bool)),
    },
    required=("namespace", "name", "version", "description"),
)
