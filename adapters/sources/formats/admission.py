"""What an entry must be before it is listed, whichever format it came in."""

import json
import re
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

import attrs

from adapters.sources.formats.payload import is_label, pointer
from domain.entry import Entry, Lifecycle, make_entry
from domain.errors import InvalidDocumentError, SourceContentError
from domain.events import RejectedEntry
from domain.identifiers import EntryKey, EntryKind
from domain.json_checks import Issue, Place, expect, object_of, string
from domain.ports.format import Parsed
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
    payload or, if it was `converted`, where that stands which it was converted from.
    """

    kind: EntryKind
    name: str
    path: str
    document: Any
    lifecycle: Lifecycle
    converted: bool = False


def admit(
    found: Iterable[Candidate | RejectedEntry], warnings: Iterable[RejectedEntry] = ()
) -> Parsed:
    """Make entries of what can be served; of two candidates with one key, of the first.

    Raises:
        SourceContentError: so much of it is rejected that it can be no registry.
    """
    entries: list[Entry] = []
    rejected: list[RejectedEntry] = []
    warned = list(warnings)
    places: dict[EntryKey, str] = {}
    for item in found:
        outcome, issues = (item, ()) if isinstance(item, RejectedEntry) else _judged(item, places)
        if isinstance(outcome, Entry):
            entries.append(outcome)
        else:
            rejected.append(outcome)
            if len(rejected) > _MOST_REJECTED:
                raise SourceContentError(
                    f"expected a registry, found more than {_MOST_REJECTED} entries that cannot be"
                    f" used, the first at {rejected[0].path}: {rejected[0].reason}"
                )
        warned += issues if len(warned) < _MANY_WARNED else issues[:1]
    return Parsed(
        entries=tuple(entries),
        rejected=tuple(rejected),
        warnings=tuple(warned),
        nameless=any(is_label(one.name) for one in rejected),
    )


def rejection(name: str, reason: str, path: str) -> RejectedEntry:
    """Why an entry is rejected or warned of, in texts that UTF-8 can hold."""
    name, reason, path = (text.encode(errors="replace").decode() for text in (name, reason, path))
    return RejectedEntry(name=name, reason=reason, path=path)


def rejection_for(issue: Issue, name: str, path: str) -> RejectedEntry:
    """The rejection for an issue of what stands at *path* in the payload."""
    return rejection(name, _reason(issue), path + _pointer_of(issue))


def _judged(
    candidate: Candidate, places: dict[EntryKey, str]
) -> tuple[Entry | RejectedEntry, Sequence[RejectedEntry]]:
    """The entry and its warnings, or why there is none. `places` has those that were made."""
    fatal, others = _issues(candidate)
    if fatal:
        return _told(candidate, fatal), ()
    try:
        entry = make_entry(candidate.kind, candidate.document, candidate.lifecycle)
    except InvalidDocumentError as error:
        return rejection(candidate.name, str(error), candidate.path), ()
    if len(entry.document) > MAX_DOCUMENT_BYTES:
        reason = f"expected at most {MAX_DOCUMENT_BYTES} bytes, found {len(entry.document)}"
        return rejection(candidate.name, reason, candidate.path), ()
    first = places.setdefault(entry.key, candidate.path)
    if first != candidate.path:
        reason = f"expected {entry.key} once: {first} is kept, {candidate.path} is not"
        return rejection(candidate.name, reason, candidate.path), ()
    return entry, [_told(candidate, issue) for issue in others]


def _issues(candidate: Candidate) -> tuple[Issue | None, Sequence[Issue]]:
    """What keeps a document from being served, and what does not."""
    document = candidate.document
    if candidate.kind is not EntryKind.SERVER:
        return next(_SKILL_OR_PLUGIN(document, Place()), None), ()
    found = list(islice(issues_of(document), _MOST_ISSUES + 1))
    fatal = [issue for issue in found if is_of_shape(issue) and _place(issue) not in _COMMON]
    if len(found) > _MOST_ISSUES:
        fatal.append(Place().issue("too-many-issues", f"expected at most {_MOST_ISSUES} issues"))
    return next(chain(fatal, _REACHABLE(document, Place())), None), found[:_MOST_WARNINGS]


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
