"""How registries are written down."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

import attrs

from domain.entry import Entry
from domain.events import RejectedEntry
from domain.identifiers import EntryKey, EntryKind


@attrs.frozen(kw_only=True)
class Parsed:
    """What a payload, or a page of one, holds. One bad entry is rejected by itself; warnings
    reject nothing.

    `nameless` tells that a rejected entry may be any: nobody knows its name. `gone` are entries
    that the payload before had, where it is compared with one (see ParserPort).
    """

    entries: tuple[Entry, ...]
    rejected: tuple[RejectedEntry, ...] = ()
    warnings: tuple[RejectedEntry, ...] = ()
    nameless: bool = False
    gone: tuple[EntryKey, ...] = ()


@attrs.frozen(kw_only=True)
class Listed:
    """An entry on its way out: its document in canonical form, and whether it is the latest."""

    document: bytes
    is_latest: bool


class FormatPort(Protocol):
    """Reads and writes one format of registry files. Pure."""

    def parse(self, payload: bytes) -> Parsed:
        """Read a payload.

        Raises:
            SourceContentError: it is not of this format at all.
        """
        ...

    def render(
        self, entries: Mapping[EntryKind, Iterable[Listed]], last_updated: datetime
    ) -> Iterator[bytes]:
        """Write a registry piece by piece, the same bytes for the same entries in the same order.

        Each entry is asked for when its turn comes, so nobody has to hold them all.
        """
        ...
