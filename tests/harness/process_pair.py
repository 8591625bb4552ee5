"""Two servers, each a process of its own, over one data directory."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.harness.server_process import ServerProcess, started, until

LEASE = "annals.db-lease"


@contextmanager
def two_servers(directory: Path) -> Iterator[Sequence[ServerProcess]]:
    """Both started at once, and ready."""
    with ExitStack() as stack:
        servers = [stack.enter_context(started(directory)) for _ in range(2)]
        for server in servers:
            server.until_ready()
        yield servers


def holder_and_follower(
    directory: Path, servers: Sequence[ServerProcess]
) -> tuple[ServerProcess, ServerProcess]:
    """The one that the lease names, and the other."""
    (first,) = [server for server in servers if server.process.pid == holder_of(directory)]
    (second,) = [server for server in servers if server is not first]
    return first, second


def holder_of(directory: Path) -> int:
    """The process that the lease names."""
    told = re.match(r"process (\d+) since ", (directory / "data" / LEASE).read_text())
    return int(told[1]) if told else 0


def source_at(server: ServerProcess, name: str = "main") -> Any:
    """What a server tells of a source."""
    return httpx.get(f"{server.url}/v1/sources/{name}").raise_for_status().json()


def syncs(server: ServerProcess) -> bool:
    """Whether a server knows when it will sync next, which one knows that does so by itself."""
    return "nextRun" in source_at(server)


def sync_at(server: ServerProcess, name: str = "main") -> Any:
    """Have a server sync a source now."""
    answer = httpx.post(f"{server.url}/v1/sources/{name}/sync", timeout=60)
    return answer.raise_for_status().json()


def until_names(server: ServerProcess, names: Sequence[str], within_seconds: float = 10) -> None:
    """Wait until a server lists exactly these."""
    until(lambda: names_at(server) == list(names), within_seconds)


def names_at(server: ServerProcess) -> list[str]:
    """The names that a server lists."""
    listed = httpx.get(f"{server.url}/v0.1/servers").raise_for_status().json()["servers"]
    return [str(each["server"]["name"]) for each in listed]
