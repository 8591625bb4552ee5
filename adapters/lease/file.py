"""A lease on a lock that the kernel takes from a process with its life (flock(2))."""

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio

from domain.errors import StorageUnavailableError
from domain.ports.clock import ClockPort
from domain.timestamps import to_rfc_3339

_LOOK_SECONDS = 0.5
_READABLE = 0o644


class FileLease:
    """LeasePort by a lock on a file. What is in the file tells people who holds it."""

    def __init__(self, path: Path, clock: ClockPort) -> None:
        self._path = path
        self._clock = clock

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        with self._opened() as descriptor:
            while not self._locked(descriptor):  # noqa: ASYNC110  # the kernel tells nobody
                await anyio.sleep(_LOOK_SECONDS)
            try:
                self._sign(descriptor)
                yield
            finally:
                # Closing alone would not do where a forked child has the descriptor too.
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The file, which no program that this process starts inherits (PEP 446)."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, _READABLE)
        except OSError as error:
            raise self._unavailable(error) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _locked(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._unavailable(error) from error
        return True

    def _sign(self, descriptor: int) -> None:
        text = f"process {os.getpid()} since {to_rfc_3339(self._clock.now())}\n"
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text.encode(), 0)
        except OSError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: OSError) -> StorageUnavailableError:
        return StorageUnavailableError(
            f"{self._path}: {error.strerror}: is it writable, with free space, and on a file "
            "system of this machine that has locks?"
        )
