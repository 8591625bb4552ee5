"""A real server in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import attrs
import httpx

from tests.harness.command_line import COMMAND, PATIENCE_SECONDS, environment

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class ServerProcess:
    """A server that was started, whether it listens already or not."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self, within_seconds: float = PATIENCE_SECONDS) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(within_seconds)

    def wrote(self) -> str:
        """Both of its outputs."""
        return self.log.read_text()

    def until_ready(self) -> None:
        """Wait until it says that requests should come."""
        until(self.is_ready)

    def is_ready(self) -> bool:
        """Whether it says so now."""
        assert self.process.poll() is None, self.wrote()
        try:
            return httpx.get(f"{self.url}/readiness").status_code == 200
        except httpx.TransportError:
            return False


def until(happens: Callable[[], T], within_seconds: float = PATIENCE_SECONDS) -> T:
    """Ask until the answer is true in some way, and give that answer."""
    deadline = time.monotonic() + within_seconds
    while not (answer := happens()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return answer


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def by_registry(port: int) -> Sequence[str]:
    """The program's own server."""
    return [str(COMMAND), "serve", "--address", f"127.0.0.1:{port}"]


def by_registry_with(server: str) -> Callable[[int], Sequence[str]]:
    """The program's own server, with another one that takes the requests."""
    return lambda port: [*by_registry(port), "--server", server]


def by_hypercorn(port: int) -> Sequence[str]:
    """The application behind a server that was started by somebody else."""
    return [*_program("hypercorn"), "entrypoints.asgi:app", "--bind", f"127.0.0.1:{port}"]


def by_hypercorn_workers(port: int) -> Sequence[str]:
    """The same with two processes, and one that keeps them."""
    return [*by_hypercorn(port), "--workers", "2"]


def by_uvicorn(port: int) -> Sequence[str]:
    """The application behind another one."""
    return [*_program("uvicorn"), "entrypoints.asgi:app", "--port", str(port)]


def by_granian(port: int) -> Sequence[str]:
    """And behind another one."""
    asgi = ["--interface", "asgi", "entrypoints.asgi:app"]
    return [*_program("granian"), *asgi, "--host", "127.0.0.1", "--port", str(port)]


def _program(name: str) -> Sequence[str]:
    """A program that was installed beside this one."""
    return [str(Path(sys.executable).with_name(name))]


@contextmanager
def started(
    directory: Path,
    command: Callable[[int], Sequence[str]] = by_registry,
    port: int | None = None,
) -> Iterator[ServerProcess]:
    """A server over `annals.yaml` and `data` of a directory; killed if it is left running."""
    port = port or free_port()
    log = directory / f"server-{port}.log"
    variables = environment(REGISTRY_CONFIG="annals.yaml", REGISTRY_DATA_DIR="data")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(port),
            cwd=directory,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield ServerProcess(process=process, port=port, log=log)
    finally:
        # The whole group: Hypercorn's workers outlive a parent that is killed.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
