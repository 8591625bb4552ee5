"""A lease on a file: whom it outlives, and what it tells."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from adapters.lease.file import FileLease
from domain.errors import StorageUnavailableError
from tests.harness.clock import SteppingClock

HOLDER = """
import sys
from pathlib import Path
import anyio
from adapters.clock import SystemClock
from adapters.lease.file import FileLease

async def hold():
    async with FileLease(Path(sys.argv[1]), SystemClock()).held():
        print("held", flush=True)
        await anyio.sleep_forever()

anyio.run(hold)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the lease is."""
    return tmp_path / "log.db-lease"


def lease(file: Path) -> FileLease:
    return FileLease(file, SteppingClock())


async def is_free(file: Path) -> bool:
    """Whether somebody who asks has the lease at once."""
    with anyio.move_on_after(0.2):
        async with lease(file).held():
            return True
    return False


@contextmanager
def holder(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


async def test_a_killed_holder_has_lost_the_lease(file: Path) -> None:
    """The kernel takes it from a process that cannot give it back."""
    with holder(file) as process:
        assert not await is_free(file)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with anyio.fail_after(10):
            async with lease(file).held():
                pass


async def test_a_program_that_the_holder_started_does_not_have_it(file: Path) -> None:
    """One that lives longer, as a Git worker may, must not keep it from the next process."""
    async with lease(file).held():
        asleep = sleeping()
    try:
        assert await is_free(file)
        assert str(file) not in open_files(asleep)
    finally:
        end(asleep)


def sleeping() -> subprocess.Popen[bytes]:
    """A program that waits for its input."""
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def open_files(process: subprocess.Popen[bytes]) -> set[str]:
    """What a process has open, where the system tells it."""
    kept = Path(f"/proc/{process.pid}/fd")
    return {str(each.readlink()) for each in kept.iterdir()} if kept.is_dir() else set()


def end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing running."""
    process.kill()
    process.communicate()


async def test_a_fork_of_the_holder_does_not_keep_it_from_others(file: Path) -> None:
    """A child that has the descriptor too loses the lease when its parent gives it back."""
    async with lease(file).held():
        child = fork()
    try:
        assert await is_free(file)
    finally:
        reap(child)


def fork() -> int:
    """A copy of this process that does nothing."""
    child = os.fork()
    if not child:
        signal.pause()
        os._exit(0)
    return child


def reap(child: int) -> None:
    """Leave nothing running."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


async def test_the_file_tells_who_holds_it(file: Path) -> None:
    """For people: nothing reads it. It stays when it is given back, and tells the next one."""
    write(file, "something that was there before, and is longer than what comes\n" * 2)
    for _ in range(2):
        async with lease(file).held():
            assert read(file) == f"process {os.getpid()} since 2026-11-22T09:30:00Z\n"


def write(file: Path, text: str) -> None:
    file.write_text(text)


def read(file: Path) -> str:
    return file.read_text()


async def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """With its path, and what to do."""
    with pytest.raises(StorageUnavailableError, match=r"nowhere/lease: No such file.*writable"):
        async with lease(tmp_path / "nowhere" / "lease").held():
            pass
