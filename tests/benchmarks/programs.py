"""Servers and commands in processes of their own: started, watched, stopped by their ids."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path

import attrs

from tests.harness.command_line import environment
from tests.harness.server_process import free_port

PROJECT = Path(__file__).resolve().parents[2]
ANNALS, RAW = "entrypoints.asgi:app", "tests.benchmarks.raw_app:app"
SERVER_CORE, LOAD_CORE = 0, 1
_PATIENCE_SECONDS = 300
_STOP_SECONDS = 10
_HYPERCORN = """
keep_alive_max_requests = 1000000
include_server_header = false
startup_timeout = 1200
"""

Command = Callable[[str, int], Sequence[str]]
"""How a server is started that serves an application at a port."""


@attrs.frozen(kw_only=True)
class Program:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of an answer."""
        return self._ask("GET", path, headers)

    def post(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        """The same of a POST without a body."""
        return self._ask("POST", path, {})

    def answers(self, path: str) -> bool:
        """Whether it answers well, by now."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the server has ended: {self.log.read_text()[-2000:]}")
        with suppress(OSError):
            return self.get(path)[0] == 200
        return False

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request(method, path, headers=dict(headers))
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, named, answer.read()
        finally:
            connection.close()


def hypercorn(app: str, port: int, *options: str) -> Sequence[str]:
    """Hypercorn in one process, or in more where *options* say so."""
    program = Path(sys.executable).with_name("hypercorn")
    alone = ["-c", "hypercorn.toml", "-b", f"127.0.0.1:{port}", "-w", "0"]
    return [str(program), *alone, *options, app]


def two_workers(app: str, port: int) -> Sequence[str]:
    """Hypercorn with two workers."""
    return hypercorn(app, port, "-w", "2")


def uvicorn(app: str, port: int) -> Sequence[str]:
    """uvicorn in one process."""
    options = ["--no-access-log", "--log-level", "warning", "--port", str(port)]
    return [sys.executable, "-m", "uvicorn", app, *options]


def granian(app: str, port: int) -> Sequence[str]:
    """granian with one worker."""
    options = ["--interface", "asgi", "--log-level", "warning", "--port", str(port)]
    return [sys.executable, "-m", "granian", app, *options]


SERVERS: Mapping[str, Command] = {
    name: command
    for name, command in {"uvicorn": uvicorn, "granian": granian}.items()
    if find_spec(name)
}
"""The servers beside Hypercorn that are installed."""


def pinned(command: Sequence[str], core: int | None) -> Sequence[str]:
    """The command on one core of its own, where the machine has two and `taskset`."""
    if core is None or (os.cpu_count() or 1) < 2 or not shutil.which("taskset"):
        return command
    return ["taskset", "-c", str(core), *command]


@contextmanager
def serving(
    directory: Path,
    app: str = ANNALS,
    command: Command = hypercorn,
    core: int | None = SERVER_CORE,
    ready: str = "/readiness",
    within_seconds: float = _PATIENCE_SECONDS,
) -> Iterator[Program]:
    """A server of `annals.yaml` and `data` in *directory*, once it answers at *ready*."""
    with started(directory, app, command, core) as program:
        until(lambda: program.answers(ready), within_seconds)
        yield program


@contextmanager
def started(
    directory: Path, app: str = ANNALS, command: Command = hypercorn, core: int | None = None
) -> Iterator[Program]:
    """A server that has just been started."""
    (directory / "hypercorn.toml").write_text(_HYPERCORN)
    port = free_port()
    log = directory / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned(command(app, port), core),
            cwd=directory,
            env=variables(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Program(process=process, port=port, log=log)
    finally:
        stop(process)
        log.unlink()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process in order, and then what is left of the group that it leads."""
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def variables() -> dict[str, str]:
    """What servers and commands are configured with."""
    return environment(
        REGISTRY_CONFIG="annals.yaml", REGISTRY_DATA_DIR="data", PYTHONPATH=str(PROJECT)
    )


def until(
    happens: Callable[[], bool],
    within_seconds: float = _PATIENCE_SECONDS,
    pause_seconds: float = 0.01,
) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + within_seconds
    while not happens():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing within {within_seconds} s")
        time.sleep(pause_seconds)
