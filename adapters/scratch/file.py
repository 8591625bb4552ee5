"""Scratch files on a disk. They have no name, so that they go with the process that has them."""

import errno
import os
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from domain.errors import StorageUnavailableError
from domain.ports.scratch import ScratchFile, Span

# Only Linux reads what the page cache has, and nothing else (preadv2(2)).
_AT_HAND: int | None = getattr(os, "RWF_NOWAIT", None)
_AHEAD = 2 * 1024 * 1024  # bytes, for one answer
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class FileScratch:
    """ScratchPort by files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> ScratchFile:
        try:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                return _File(os.dup(file.fileno()), self._folder)
        except OSError as error:
            raise _unavailable(self._folder, error) from error


class _File:
    def __init__(self, descriptor: int, folder: Path) -> None:
        self._descriptor = descriptor
        self._folder = folder
        self._flags = _AT_HAND
        self._buffer = memoryview(bytearray())
        self.size = 0
        weakref.finalize(self, os.close, descriptor)

    def append(self, content: bytes) -> int:
        start = end = self.size
        left = memoryview(content)
        try:
            while left:
                written = os.pwrite(self._descriptor, left, end)
                left, end = left[written:], end + written
        except OSError as error:
            raise _unavailable(self._folder, error) from error
        self.size = end
        return start

    def at_hand(self, opening: bytes, spans: Sequence[Span], closing: bytes) -> bytes | None:
        if self._flags is None:
            return None
        try:
            found = self._filled(spans, self._flags)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in _UNSUPPORTED:  # as some file systems say
                self._flags = None
            return None
        return None if found is None else b"".join((opening, found, closing))

    def _filled(self, spans: Sequence[Span], flags: int) -> memoryview | None:
        """Nothing where only a part of a span is at hand.

        The buffer is used again and again: a new one has to be cleared, and is in no cache.
        """
        size = sum([end - start for start, end in spans])
        if size > len(self._buffer):
            self._buffer = memoryview(bytearray(size))
        filled = 0
        for start, end in spans:
            piece = self._buffer[filled : filled + end - start]
            if os.preadv(self._descriptor, [piece], start, flags) != end - start:
                return None
            filled += end - start
        return self._buffer[:filled]

    def read(self, spans: Sequence[Span]) -> Sequence[bytes]:
        _read_ahead(self._descriptor, spans)
        return [self._whole(start, end) for start, end in spans]

    def _whole(self, start: int, end: int) -> bytes:
        try:
            found = os.pread(self._descriptor, end - start, start)
        except OSError as error:
            raise _unavailable(self._folder, error) from error
        if len(found) != end - start:
            raise StorageUnavailableError(f"a scratch file in {self._folder} lost what it had")
        return found


def _read_ahead(descriptor: int, spans: Sequence[Span]) -> None:
    """Have what lies around brought into the page cache: after a pause all of it may be wanted."""
    size = _AHEAD // max(len(spans), 1)
    with suppress(AttributeError, OSError):  # not every system has this
        for start, _ in spans:
            os.posix_fadvise(descriptor, start - start % size, size, os.POSIX_FADV_WILLNEED)


def _unavailable(folder: Path, error: OSError) -> StorageUnavailableError:
    return StorageUnavailableError(
        f"no scratch file in {folder}: {error.strerror}: is the folder writable, with free space?"
    )
