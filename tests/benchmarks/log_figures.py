"""What a long history costs: starting, verifying, replaying, asking, and memory."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from tests.benchmarks import paths
from tests.benchmarks.http_targets import position, searches
from tests.benchmarks.long_history import VERSIONS
from tests.benchmarks.memory import footprint, watched
from tests.benchmarks.programs import Program, serving, started, stop, until, variables
from tests.benchmarks.repeating import repeating
from tests.benchmarks.report import Row
from tests.benchmarks.wrk import Load, is_installed

_TIMES = 3
_MOST_MIB = 256
_NEVER_ASKED = 200
_WARM_UP = 300
_PATIENCE_SECONDS = 300


def resident(history: Path) -> Iterator[Row]:
    """The memory of a server that has been started and asked for all kinds of pages."""
    with serving(history) as program:
        for asked in _of_all_kinds(position(program)):
            for path in asked:
                program.get(path)
        size = footprint(program.process.pid)
    note = f"{size.proportional:.0f} MiB by its share, {size.private:.0f} MiB private"
    yield Row(
        part="memory",
        what=f"resident memory, {VERSIONS:,} versions",
        unit="MiB",
        at_most=_MOST_MIB,
        measured=[size.resident],
        note=note,
    )


def _of_all_kinds(end: int) -> Iterator[Sequence[str]]:
    yield paths.pages(VERSIONS)[:_WARM_UP]
    yield paths.pages(VERSIONS, paths.LATEST)[:_WARM_UP]
    yield paths.as_of(end // 2, VERSIONS)[:_WARM_UP]
    for asked in searches().values():
        yield asked[:_WARM_UP]


def never_asked(program: Program) -> Iterator[Row]:
    """Pages of moments that nobody asked for, one after the other."""
    took = []
    for path in paths.never_asked(VERSIONS // 2, position(program), VERSIONS, _NEVER_ASKED):
        begun = time.perf_counter()
        status, _, _ = program.get(path)
        took.append((time.perf_counter() - begun) * 1000)
        if status != 200:
            raise RuntimeError(f"{path}: expected 200, got {status}")
    yield Row(
        part="past",
        what="page of a past moment, never asked before",
        unit="ms",
        at_most=20,
        measured=took,
    )


def long_log(history: Path) -> Iterator[Row]:
    """What is done with a whole log."""
    yield _starts(history)
    yield from _first_searches(history)
    with serving(history) as program:
        middle = position(program) // 2
    out = str(history / "replayed.json")
    yield _command("registry verify", 8, history, "verify")
    yield _command("registry replay", 5, history, "replay", "--at", f"@{middle}", "--output", out)
    Path(out).unlink(missing_ok=True)


def _starts(history: Path) -> Row:
    """From the start of the process to the first page."""
    took = []
    for _ in range(_TIMES):
        begun = time.monotonic()
        with started(history) as program:
            until(partial(program.answers, paths.LIST))
            took.append(time.monotonic() - begun)
    return Row(part="log", what="start, 1,000,000 events", unit="s", at_most=3, measured=took)


def _first_searches(history: Path) -> Iterator[Row]:
    """How long the first search waits, which is until everything is indexed."""
    yield _first_search(history, "alone", lambda _load: nullcontext())
    if is_installed():
        asking = "beside all requests that it can answer"
        yield _first_search(history, asking, lambda load: repeating(partial(load.press, 1)))


def _first_search(
    history: Path, what: str, beside: Callable[[Load], AbstractContextManager[object]]
) -> Row:
    (search, *_), *_ = searches().values()
    with started(history) as program:
        until(partial(program.answers, paths.LIST))
        begun = time.monotonic()
        with beside(Load(program.url, paths.pages(VERSIONS), history, core=None)):
            status, _, body = program.get(search)
            took = time.monotonic() - begun
    return Row(
        part="log",
        what=f"... its first search, {what}",
        unit="s",
        measured=[took] if status == 200 else (),
        note="" if status == 200 else body.decode()[:300],
    )


def _command(what: str, at_most: float, history: Path, *arguments: str) -> Row:
    """One run of a command: seconds, and the most memory that it took."""
    program = Path(sys.executable).with_name("registry")
    begun = time.monotonic()
    process = subprocess.Popen(
        [program, *arguments],
        cwd=history,
        env=variables(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        with watched(process.pid) as peaks:
            _, complaint = process.communicate(timeout=_PATIENCE_SECONDS)
        took = time.monotonic() - begun
    finally:
        stop(process)
    return Row(
        part="log",
        what=f"{what}, 1,000,000 events",
        unit="s",
        at_most=at_most,
        measured=() if process.returncode else [took],
        note=complaint.decode()[-300:] if process.returncode else f"{peaks.together:.0f} MiB",
    )
