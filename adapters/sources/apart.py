"""Work in a process of its own, which can be ended: questions go in, replies come out."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import IO, TypeVar

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

T = TypeVar("T")

_LENGTH_BYTES = 8
"""What comes before each reply: its length, the highest byte first."""
_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 1


def command(module: str) -> Sequence[str]:
    """What starts a module of this program."""
    return (sys.executable, "-P", "-m", module)


def environment() -> Mapping[str, str]:
    """What a process needs to find the modules that this one has."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@asynccontextmanager
async def worker(
    module: str, question: bytes, complaints: IO[bytes], pass_fds: Sequence[int] = ()
) -> AsyncIterator[tuple[Process, BufferedByteReceiveStream]]:
    """A process that was asked, and its replies. At the end it is no more."""
    process = await anyio.open_process(
        command(module),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        env=environment(),
        start_new_session=True,  # a Ctrl-C is for this process, which then ends that one
        pass_fds=pass_fds,
    )
    try:
        with suppress(anyio.BrokenResourceError):  # its end is told by its return code
            await _stream(process.stdin).send(question)
            await _stream(process.stdin).aclose()
        yield process, BufferedByteReceiveStream(_stream(process.stdout))
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
            await process.aclose()


async def _end(process: Process) -> None:
    """Let it end processes of its own first, but do not wait for long."""
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(_GRACE_SECONDS):
            await process.wait()
    if process.returncode is None:
        process.kill()


async def next_reply(replies: BufferedByteReceiveStream) -> bytes | None:
    """The next reply, None behind the last."""
    try:
        length = await replies.receive_exactly(_LENGTH_BYTES)
        return await replies.receive_exactly(int.from_bytes(length))
    except anyio.IncompleteRead:
        return None


def write_reply(reply: bytes) -> None:
    """Send a reply from within, when the one before was taken."""
    sys.stdout.buffer.write(len(reply).to_bytes(_LENGTH_BYTES))
    sys.stdout.buffer.write(reply)
    sys.stdout.buffer.flush()


def die_with_parent() -> None:
    """Let this process not outlive the one that asks."""
    with suppress(OSError, AttributeError):  # Linux has it: see prctl(2)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit_memory(most_bytes: int) -> None:
    """Let this process not grow beyond that."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(ValueError, OSError):  # not every system knows this limit, or allows it
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, hard))


def _stream(pipe: T | None) -> T:
    assert pipe is not None, "every pipe was asked for"  # noqa: S101
    return pipe
