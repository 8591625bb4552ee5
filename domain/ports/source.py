"""Where server definitions come from."""

from collections.abc import AsyncIterable
from datetime import datetime
from typing import Protocol, TypeAlias

import attrs


@attrs.frozen
class Unchanged:
    """The source is still at the revision that the caller knows."""


@attrs.frozen(kw_only=True)
class Fetched:
    """What a source sent: payloads in the source's format, read at most once, in order.

    `revision` is the source's own mark of this state, given back at the next fetch.
    `effective_at` is since when the source has been in this state, where it knows. `notes`
    tell what an operator should know, such as a rewritten history.
    """

    revision: str
    payloads: AsyncIterable[bytes]
    effective_at: datetime | None = None
    notes: tuple[str, ...] = ()


FetchResult: TypeAlias = Unchanged | Fetched


class SourcePort(Protocol):
    """One configured source. It keeps nothing that the log depends on."""

    async def fetch(self, known_revision: str | None) -> FetchResult:
        """Read the source, unless it is still at *known_revision*.

        Errors may also come while payloads are read.

        Raises:
            SourceError: what happened, and what to do about it.
        """
        ...
