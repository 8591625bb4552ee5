"""Two real servers over one log: how soon one follows the other, and takes its place."""

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.process_pair import holder_and_follower, sync_at, syncs, two_servers
from tests.harness.server_process import ServerProcess

_CONFIGURATION = """
sources:
  - {name: main, file: {path: offered.json}, syncPolicy: {interval: 1h}}
server: {drain: 0s}
"""
_FOLLOWED, _TAKEN_OVER = 50, 3  # rounds


@pytest.fixture
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A configuration with one source that nobody reads by himself."""
    if not request.config.getoption("benchmark_only"):
        pytest.skip("starts servers: only with --benchmark-only")
    (tmp_path / "annals.yaml").write_text(_CONFIGURATION)
    offer(tmp_path, 0)
    return tmp_path


def offer(directory: Path, number: int) -> None:
    """Let the source offer that many servers and one."""
    servers = [
        {"name": f"io.example/{each}", "version": "1.0.0", "description": "Does it."}
        for each in range(number + 1)
    ]
    (directory / "offered.json").write_text(json.dumps(servers))


@contextmanager
def a_pair(directory: Path) -> Iterator[Sequence[ServerProcess]]:
    """The one that syncs, and the one that follows."""
    with two_servers(directory) as servers:
        yield holder_and_follower(directory, servers)


def test_a_change_in_the_other_process(benchmark: Any, directory: Path) -> None:
    """From the answer of the process that has synced to the first page with it of the other."""
    numbers = count(1)
    with a_pair(directory) as (holder, follower), httpx.Client(base_url=follower.url) as client:

        def sync() -> tuple[tuple[int], dict[str, Any]]:
            offer(directory, next(numbers))
            return (sync_at(holder)["position"],), {}

        def follow(position: int) -> None:
            while int(client.get("/v0.1/servers").headers["Registry-Position"]) < position:
                pass

        benchmark.pedantic(follow, setup=sync, rounds=_FOLLOWED)


def test_a_process_takes_the_place_of_a_killed_one(benchmark: Any, directory: Path) -> None:
    """From the signal until the other knows when it will sync next, which is after a sync."""
    with ExitStack() as pair:

        def start() -> tuple[Sequence[ServerProcess], dict[str, Any]]:
            pair.close()
            return pair.enter_context(a_pair(directory)), {}

        def take_over(holder: ServerProcess, follower: ServerProcess) -> None:
            holder.signal(signal.SIGKILL)
            while not syncs(follower):
                pass

        benchmark.pedantic(take_over, setup=start, rounds=_TAKEN_OVER)
