"""Where server definitions come from."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import IO, Protocol, TypeAlias, runtime_checkable

import attrs


@attrs.frozen
class LargePayload:
    """A payload that lies in an open file which nobody else can reach or change, from its start."""

    file: IO[bytes]


Payload: TypeAlias = bytes | LargePayload


@attrs.frozen
class Unchanged:
    """The source is still at the revision that the caller knows."""


@attrs.frozen(kw_only=True)
class Fetched:
    """What a source sends: payloads in the source's format, read at most once, in order.

    `revision` tells the source's own mark of this state, given back at the next fetch; it can be
    asked for when all payloads have been read. What a `complete` source does not send it no
    longer offers; of one that sends only changes the rest is as it was. `effective_at` is since
    when the source has been in this state, where it knows. `notes` tell what an operator should
    know, such as a rewritten history.
    """

    payloads: AsyncGenerator[Payload, None]
    revision: Callable[[], str]
    complete: bool = True
    effective_at: datetime | None = None
    notes: tuple[str, ...] = ()


FetchResult: TypeAlias = Unchanged | Fetched


class SourcePort(Protocol):
    """One configured source. It keeps nothing that the log depends on."""

    async def fetch(self, known_revision: str | None) -> FetchResult:
        """Read the source, unless it is still at *known_revision*.

        Without a known revision all of it is read. Errors may also come while payloads are read.

        Raises:
            SourceError: what happened, and what to do about it.
        """
        ...


@attrs.frozen(kw_only=True)
class PastRevision:
    """One earlier state of a source, and all that it offered then.

    Without a payload the source had nothing then that can be read: `problem` says why. `number`
    is the place of the revision among the `total` of the history that is told, counted from 1.
    """

    revision: str
    payload: bytes | None
    problem: str | None
    effective_at: datetime
    number: int
    total: int


@runtime_checkable
class HistoryPort(Protocol):
    """What a source can do besides that knows its own past."""

    @property
    def keeps_history(self) -> bool:
        """Whether it is configured to tell it."""
        ...

    def history(self, after: str | None) -> AsyncGenerator[PastRevision, None]:
        """Its revisions, the oldest first and the present one last, one at a time.

        They begin behind *after*, where that is given.

        Raises:
            HistoryRewrittenError: *after* is none of them.
            SourceError: what happened, and what to do about it.
        """
        ...


@runtime_checkable
class WatchPort(Protocol):
    """What a source can do besides that tells of its changes by itself."""

    def changes(self) -> AsyncGenerator[None, None]:
        """Yields each time that the source seems to have changed, for as long as it is asked.

        It raises nothing and does not end: while the source is gone it waits for its return.
        """
        ...
