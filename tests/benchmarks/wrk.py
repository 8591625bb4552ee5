"""The load generator wrk, run for a second at a time."""

import itertools
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from tests.benchmarks.programs import LOAD_CORE, pinned

HOW_TO_GET = "wrk is not installed: `apt-get install wrk` (Debian), `brew install wrk` (macOS)"
_SCRIPT = Path(__file__).with_name("many_urls.lua")
_CONNECTIONS = 32
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

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


class Load:
    """Many connections that ask for one path after the other, and go on where they were."""

    def __init__(
        self,
        url: str,
        paths: Sequence[str],
        directory: Path,
        headers: Mapping[str, str] | None = None,
        core: int | None = LOAD_CORE,
    ) -> None:
        self.url, self.paths, self.headers = url, paths, headers or {}
        self._core, self._offset = core, 0
        self._file = directory / f"paths-{next(_numbers)}"
        self._file.write_text("\n".join(paths), encoding="utf-8")

    def press(self, seconds: float) -> Pressed:
        """Ask for that long.

        Raises:
            RuntimeError: not every answer was a good one.
        """
        done = subprocess.run(
            pinned(self._command(seconds), self._core),
            capture_output=True,
            timeout=seconds + 30,
            text=True,
            check=True,
        )
        pressed = Pressed(**json.loads(done.stdout.splitlines()[-1]))
        if pressed.broken or pressed.refused or not pressed.requests:
            raise RuntimeError(f"{self.paths[0]}: {pressed}")
        self._offset += pressed.requests + _CONNECTIONS
        return pressed

    def _command(self, seconds: float) -> Sequence[str]:
        headers = [f"-H{name}: {value}" for name, value in self.headers.items()]
        options = ["-t1", f"-c{_CONNECTIONS}", f"-d{seconds:.0f}s", *headers, "-s", str(_SCRIPT)]
        return ["wrk", *options, self.url, "--", str(self._file), str(self._offset)]


def is_installed() -> bool:
    """Whether there is a wrk."""
    return shutil.which("wrk") is not None
