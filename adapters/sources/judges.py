"""Processes that share the work of a large payload that is read for the first time.

They are forks of the one that opened it, and judge every so many slices by themselves. What
depends on several slices, as which of two entries is the first, stays with whoever opened it.
"""

import fcntl
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle, islice
from typing import BinaryIO, NoReturn

import attrs
import msgspec

from adapters.sources.apart import die_with_parent
from adapters.sources.formats.admission import Judged
from adapters.sources.formats.opened import Opened, Slice
from domain import errors
from domain.errors import SourceError

_RUN = 250  # slices: what comes of them mostly fits into a pipe
_PIPE_BYTES = 1024 * 1024
_LENGTH_BYTES = 8
_MOST = 4


@attrs.frozen(kw_only=True)
class _Run:
    """What became of some slices, up to the first that met an error."""

    judged: Sequence[Judged]
    error: str | None = None
    message: str = ""


def helpers() -> int:
    """How many processes help: none where there is one core."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(cores, _MOST) if cores > 1 else 0


@contextmanager
def judges(
    opened: Opened, count: int, forget: Callable[[], None]
) -> Iterator[Callable[[Slice], Judged]]:
    """What judges a registry: *count* helpers if all slices come in their order.

    After each run a helper calls *forget*. It has no state that others see.

    Raises:
        SourceError: as of `Opened.judge`.
        MemoryError
        ChildProcessError: a helper is no more.
    """
    if count == 0:
        yield opened.judge
        return
    with ExitStack() as stack:
        pipes = [
            stack.enter_context(_helper(opened, slice(number, None, count), forget))
            for number in range(count)
        ]
        found = (judged for pipe in cycle(pipes) for judged in _received(pipe))
        yield lambda _slice: next(found)


@contextmanager
def _helper(opened: Opened, share: slice, forget: Callable[[], None]) -> Iterator[BinaryIO]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)  # or writing would wait for ever when the other process has been killed
        _help(opened, share, forget, writer)
    os.close(writer)
    with suppress(OSError, AttributeError):  # Linux has it: see fcntl(2)
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    try:
        with os.fdopen(reader, "rb") as pipe:
            yield pipe
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _help(opened: Opened, share: slice, forget: Callable[[], None], writer: int) -> NoReturn:
    """What a helper does. It ends at once, as what is open belongs to the other one."""
    try:
        die_with_parent()
        with os.fdopen(writer, "wb") as pipe:
            for run in islice(_runs(opened), share.start, share.stop, share.step):
                encoded = msgspec.msgpack.encode(_judged(opened, run))
                pipe.write(len(encoded).to_bytes(_LENGTH_BYTES) + encoded)
                pipe.flush()
                forget()
    except BrokenPipeError:
        pass  # nobody wants it any more
    except Exception:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(0)


def _runs(opened: Opened) -> Iterator[list[Slice]]:
    slices = iter(opened.slices)
    while run := list(islice(slices, _RUN)):
        yield run


def _judged(opened: Opened, run: Sequence[Slice]) -> _Run:
    found: list[Judged] = []
    try:
        for slice_ in run:  # what came before an error counts
            found.append(opened.judge(slice_))  # noqa: PERF401
    except (SourceError, MemoryError) as error:
        message = str(error).encode(errors="replace").decode()
        return _Run(judged=found, error=type(error).__name__, message=message)
    return _Run(judged=found)


def _received(pipe: BinaryIO) -> Iterator[Judged]:
    """What became of the next run."""
    length = pipe.read(_LENGTH_BYTES)
    if not length:
        raise ChildProcessError("a process that helps to take a payload apart is no more")
    run = msgspec.msgpack.decode(pipe.read(int.from_bytes(length)), type=_Run)
    yield from run.judged
    if run.error:
        kind: type[Exception] = getattr(errors, run.error, MemoryError)
        raise kind(run.message)
