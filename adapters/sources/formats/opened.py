"""A registry whose entries are read one at a time, and sent on in pages."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256 as _sha256
from typing import Any, NamedTuple

import attrs
import msgspec

from adapters.sources.formats.admission import Admission, Admitted, Candidate, Judged, judge
from adapters.sources.formats.payload import is_label, label, pointer
from domain.events import RejectedEntry
from domain.ports.format import Parsed

PAGE = 1000
"""How many entries, and things to tell, a page holds at most."""

_PAGE_BYTES = 1024 * 1024


class Slice(NamedTuple):
    """One entry of a payload, closed or not, and where it stands.

    `holder` is the JSON pointer to the list or map that has it under `key`; it is the entry of
    that `index` there.
    """

    section: str
    holder: str
    key: str | int
    number: int
    value: Any

    @property
    def path(self) -> str:
        """The JSON pointer to it."""
        return self.holder + pointer(self.key)

    @property
    def label(self) -> str:
        """What to call it if it does not tell its name."""
        return label(self.section, self.number)

    @property
    def is_closed(self) -> bool:
        """Whether its text is at hand."""
        return isinstance(self.value, msgspec.Raw)

    def digest(self) -> bytes:
        """SHA-256 of its text without the white space, and what else decides what entry it becomes.

        It is closed.
        """
        section, _, key, _, value = self
        beside = f"{section}/{key}" if isinstance(key, str) else section
        return _sha256(_dense(value)).digest() + beside.encode("utf-8", "surrogatepass")


def _dense(text: msgspec.Raw) -> bytes | msgspec.Raw:
    """JSON without the white space around its tokens."""
    try:
        return msgspec.json.format(text, indent=-1)
    except RecursionError:  # what is nested so deeply is one thing only as it is written
        return text


@attrs.frozen(kw_only=True)
class Opened:
    """What lies in a registry, in its order. Warnings are those of no entry."""

    slices: Iterable[Slice]
    candidate: Callable[[Slice], Candidate | RejectedEntry]
    warnings: tuple[RejectedEntry, ...] = ()

    def judge(self, slice_: Slice) -> Judged:
        """What a slice is by itself.

        Raises:
            SourceContentError: it is nested too deeply.
        """
        return judge(self.candidate(slice_))


def parsed(opened: Opened) -> Parsed:
    """All of it at once.

    Raises:
        SourceContentError: so much is rejected that it can be no registry.
    """
    admission = Admission()
    warnings = admission.warn(opened.warnings)
    found = [admission.admit(opened.judge(slice_)) for slice_ in opened.slices]
    return _page(found, warnings)


def pages(admitted: Iterable[Admitted], warnings: Sequence[RejectedEntry]) -> Iterator[Parsed]:
    """What was admitted, some at a time. The first page begins with those warnings."""
    found: list[Admitted] = []
    size = 0
    for one in admitted:
        found.append(one)
        size += len(one.entry.document) if one.entry else 0
        if len(found) == PAGE or size > _PAGE_BYTES:
            yield _page(found, warnings)
            found, size, warnings = [], 0, ()
    if found or warnings:
        yield _page(found, warnings)


def _page(found: list[Admitted], warnings: Iterable[RejectedEntry]) -> Parsed:
    rejected = tuple(one.rejected for one in found if one.rejected)
    return Parsed(
        entries=tuple(one.entry for one in found if one.entry),
        rejected=rejected,
        warnings=(*warnings, *(warning for one in found for warning in one.warnings)),
        nameless=any(is_label(one.name) for one in rejected),
    )
