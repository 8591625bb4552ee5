"""Scratch files that are none, for registries that are gone with the process anyhow."""

from collections.abc import Sequence

from domain.ports.scratch import ScratchFile, Span


class _Bytes:
    def __init__(self) -> None:
        self._content = bytearray()

    @property
    def size(self) -> int:
        return len(self._content)

    def append(self, content: bytes) -> int:
        start = len(self._content)
        self._content += content
        return start

    def at_hand(self, opening: bytes, spans: Sequence[Span], closing: bytes) -> bytes:
        return b"".join((opening, *self.read(spans), closing))

    def read(self, spans: Sequence[Span]) -> Sequence[bytes]:
        return [bytes(self._content[start:end]) for start, end in spans]


class MemoryScratch:
    """ScratchPort that takes memory."""

    def open(self) -> ScratchFile:
        return _Bytes()
