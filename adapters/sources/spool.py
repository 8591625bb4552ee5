"""Content on its way to a parser: a little of it in memory, much of it in a file."""

import hashlib
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import IO

import attrs

from domain.ports.source import LargePayload, Payload

LARGE_BYTES = 1024 * 1024
"""From where on content is large: a file holds it, and a process of its own takes it apart."""

CHUNK_BYTES = 1024 * 1024
"""How much of a file is read at a time."""


@attrs.define
class Spool:
    """Takes content piece by piece.

    Where there is no folder for it, the file is where the system puts temporary ones. It has no
    name, so that nobody else can change it, and it is gone with whoever has it open. Without
    `large_bytes` nothing is too large for the memory.
    """

    folder: Path | None = None
    large_bytes: int | None = LARGE_BYTES
    size: int = attrs.field(default=0, init=False)
    _start: bytearray = attrs.field(factory=bytearray, init=False)
    _file: IO[bytes] | None = attrs.field(default=None, init=False)

    def add(self, content: bytes) -> None:
        """Take the next piece."""
        self.size += len(content)
        if self._file is not None:
            self._file.write(content)
        else:
            self._start += content
            if self.large_bytes is not None and self.size > self.large_bytes:
                self._roll()

    def payload(self) -> Payload:
        """All that came, when nothing more does."""
        if self._file is None:
            return bytes(self._start)
        self._file.flush()
        self._file.seek(0)
        return LargePayload(self._file)

    def close(self) -> None:
        """Forget it all."""
        self._start.clear()
        if self._file is not None:
            self._file.close()

    def _roll(self) -> None:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
        self._file.write(self._start)
        self._start.clear()


def digest(payload: Payload) -> str:
    """The SHA-256 of what a source sent, as it stands in its revision."""
    if isinstance(payload, bytes):
        return f"sha256:{hashlib.sha256(payload).hexdigest()}"
    found = hashlib.sha256()
    while chunk := payload.file.read(CHUNK_BYTES):
        found.update(chunk)
    payload.file.seek(0)
    return f"sha256:{found.hexdigest()}"


def close(payload: Payload) -> None:
    """Let go of a payload that nobody reads any more."""
    if isinstance(payload, LargePayload):
        payload.file.close()


async def only(payload: Payload) -> AsyncGenerator[Payload, None]:
    """The payloads of a source that has one. Its file is closed behind it."""
    try:
        yield payload
    finally:
        close(payload)
