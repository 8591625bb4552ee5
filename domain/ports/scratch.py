"""Bytes that a process has no room for in memory, and needs only while it lives."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

Span: TypeAlias = tuple[int, int]
"""Where some bytes begin, and where they end."""


class Readable(Protocol):
    """Bytes that lie at places."""

    def at_hand(self, opening: bytes, spans: Sequence[Span], closing: bytes) -> bytes | None:
        """The bytes of all spans, one after the other, between an opening and a closing.

        Called on the event loop: None where they cannot be had without waiting.
        """
        ...

    def read(self, spans: Sequence[Span]) -> Sequence[bytes]:
        """The bytes of each span, however long it takes: called beside the event loop.

        Raises:
            StorageUnavailableError
        """
        ...


class ScratchFile(Readable, Protocol):
    """What was written stays as it is, until nobody has the file any more."""

    @property
    def size(self) -> int:
        """How many bytes were written."""
        ...

    def append(self, content: bytes) -> int:
        """Write *content* behind all else. Called beside the event loop, by one at a time.

        Returns:
            Where it begins.

        Raises:
            StorageUnavailableError: there is no room for it, and the file is as it was.
        """
        ...


class ScratchPort(Protocol):
    """Makes files that nobody else can see."""

    def open(self) -> ScratchFile:
        """A new file, with nothing in it.

        Raises:
            StorageUnavailableError
        """
        ...
