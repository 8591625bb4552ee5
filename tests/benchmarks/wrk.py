"""The load generator wrk, run for a second at a time."""

import itertools
import json
import resource
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from tests.benchmarks.programs import LOAD_CORE, pinned

HOW_TO_GET = "wrk is not installed: `apt-get install wrk` (Debian), `brew install wrk` (macOS)"
_SCRIPT = Path(__file__).with_name("many_urls.lua")
_APART_SECONDS = 0.1
_numbers = itertools.count()


@attrs.frozen(kw_only=True)
class Pressed:
    """What a server did under load."""

    requests: int
    seconds: float
    broken: int
    refused: int
    p50_ms: float
    p99_ms: float
    processor_seconds: float = 0
    """What asking took, beside the server."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


class Load:
    """Many connections that ask for one path after the other, and go on where they were.

    One worker of a server takes all connections that are opened at once. So that several have
    some, *batches* of them are opened one after the other, each when the last ones are busy.
    """

    def __init__(
        self,
        url: str,
        paths: Sequence[str],
        directory: Path,
        headers: Mapping[str, str] | None = None,
        core: int | None = LOAD_CORE,
        batches: int = 1,
        connections: int = 32,
    ) -> None:
        self.url, self.paths, self.headers = url, paths, headers or {}
        self._core, self._batches, self._offset = core, batches, 0
        self._connections = connections
        self._file = directory / f"paths-{next(_numbers)}"
        self._file.write_text("\n".join(paths), encoding="utf-8")

    def press(self, seconds: float) -> Pressed:
        """Ask for that long.

        Raises:
            RuntimeError: not every answer was a good one.
        """
        spent, running = _processor_seconds(), []
        for batch in range(self._batches):
            time.sleep(_APART_SECONDS if batch else 0)
            running.append(self._start(seconds, batch))
        told = [_told(process, seconds + 30) for process in running]
        pressed = _together(told, _processor_seconds() - spent)
        if pressed.broken or pressed.refused or not all(each.requests for each in told):
            raise RuntimeError(f"{self.paths[0]}: {pressed}")
        self._offset += pressed.requests + self._connections
        return pressed

    def _start(self, seconds: float, batch: int) -> subprocess.Popen[str]:
        connections = self._connections // self._batches
        offset = self._offset + batch * len(self.paths) // self._batches
        headers = [f"-H{name}: {value}" for name, value in self.headers.items()]
        options = ["-t1", f"-c{connections}", f"-d{seconds:.0f}s", *headers, "-s", str(_SCRIPT)]
        command = ["wrk", *options, self.url, "--", str(self._file), str(offset)]
        return subprocess.Popen(pinned(command, self._core), stdout=subprocess.PIPE, text=True)


def _told(process: subprocess.Popen[str], within_seconds: float) -> Pressed:
    output, _ = process.communicate(timeout=within_seconds)
    if process.returncode:
        raise RuntimeError(f"wrk ended with {process.returncode}")
    return Pressed(**json.loads(output.splitlines()[-1]))


def _together(told: Sequence[Pressed], processor_seconds: float) -> Pressed:
    return Pressed(
        requests=sum(each.requests for each in told),
        seconds=max(each.seconds for each in told) + _APART_SECONDS * (len(told) - 1),
        broken=sum(each.broken for each in told),
        refused=sum(each.refused for each in told),
        p50_ms=max(each.p50_ms for each in told),
        p99_ms=max(each.p99_ms for each in told),
        processor_seconds=processor_seconds,
    )


def _processor_seconds() -> float:
    """What all processes took that were started here and have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def is_installed() -> bool:
    """Whether there is a wrk."""
    return shutil.which("wrk") is not None
