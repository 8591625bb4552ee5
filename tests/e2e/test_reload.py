"""A server whose configuration is changed while it answers, and that is told to sync."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.command_line import registry
from tests.harness.server_process import ServerProcess, by_hypercorn, by_registry, started, until

TWO = """
sources:
  - {name: a, file: {path: a.json}}
  - {name: b, file: {path: b.json}}
server: {drain: 0s}
"""
ONLY_A = TWO.replace("  - {name: b, file: {path: b.json}}\n", "")
WITHOUT_X = TWO.replace("a.json}", "a.json}, filter: {names: {exclude: ['*/a-x']}}")
NEW = """
sources:
  - {name: a, file: {path: a.json}}
  - {name: c, file: {path: c.json}}
registries:
  - {name: default, sources: [a]}
  - {name: team, sources: [c, a]}
server: {drain: 0s}
"""
HAMMERED = ("/v0.1/servers", "/v1/sources", "/v1/registries", "/metrics")


def by_hypercorn_itself(port: int) -> Sequence[str]:
    """Hypercorn without a worker: the process that gets the signals is the application's."""
    return [*by_hypercorn(port), "--workers", "0"]


either_way = pytest.mark.parametrize("command", [by_registry, by_hypercorn_itself])


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A configuration with two sources that are seldom read."""
    (tmp_path / "annals.yaml").write_text(TWO)
    for source in ("a", "b", "c"):
        offer(tmp_path, source, f"{source}-x", f"{source}-y")
    return tmp_path


def offer(directory: Path, source: str, *names: str) -> None:
    """Let a source offer servers of these names."""
    servers = [
        {"name": f"io.example/{name}", "version": "1.0.0", "description": "Does things."}
        for name in names
    ]
    (directory / f"{source}.json").write_text(json.dumps(servers))


def get(server: ServerProcess, path: str) -> Any:
    """An answer that must be a success."""
    return httpx.get(f"{server.url}{path}").raise_for_status().json()


def names_at(server: ServerProcess, registry_path: str = "") -> str:
    """The names that a registry lists, without their namespace, with blanks between."""
    servers = get(server, f"{registry_path}/v0.1/servers")["servers"]
    return " ".join(each["server"]["name"].removeprefix("io.example/") for each in servers)


def reconfigure(directory: Path, written: str) -> None:
    """Replace the configuration file as careful people do it."""
    (directory / "new.yaml").write_text(written)
    (directory / "new.yaml").replace(directory / "annals.yaml")


@contextmanager
def hammered(server: ServerProcess) -> Iterator[list[int]]:
    """The statuses of the answers to somebody who asks for a list again and again."""
    statuses: list[int] = []
    stop = threading.Event()

    def hammer() -> None:
        with httpx.Client(base_url=server.url) as client:
            while not stop.is_set():
                statuses.extend(client.get(path).status_code for path in HAMMERED)

    thread = threading.Thread(target=hammer)
    thread.start()
    try:
        yield statuses
        asked = len(statuses)
        until(lambda: len(statuses) > asked + 4)
    finally:
        stop.set()
        thread.join()


@either_way
def test_a_changed_file_is_served_without_a_restart(
    directory: Path, command: Callable[[int], Sequence[str]]
) -> None:
    """A filter, then sources and registries: no request fails meanwhile."""
    with started(directory, command) as server:
        server.until_ready()
        assert names_at(server) == "a-x a-y b-x b-y"
        with hammered(server) as statuses:
            reconfigure(directory, WITHOUT_X)
            until(lambda: names_at(server) == "a-y b-x b-y")
            reconfigure(directory, NEW)
            until(lambda: names_at(server) == "a-x a-y")
            team = "/registry/team"
            until(lambda: httpx.get(f"{server.url}{team}/v0.1/servers").status_code == 200)
            until(lambda: names_at(server, team) == "a-x a-y c-x c-y")
        assert set(statuses) == {200}
        assert {source["name"] for source in get(server, "/v1/sources")["sources"]} == {"a", "c"}
        server.signal(signal.SIGTERM)
        assert server.ended(30) == 0, server.wrote()
    verified = registry("verify", cwd=directory, REGISTRY_CONFIG="annals.yaml")
    assert verified.code == 0, verified.text


@either_way
def test_a_signal_makes_a_server_read_its_configuration(
    directory: Path, command: Callable[[int], Sequence[str]]
) -> None:
    """SIGHUP does not end it, in either way to run it."""
    with started(directory, command) as server:
        server.until_ready()
        reconfigure(directory, ONLY_A)
        server.signal(signal.SIGHUP)
        until(lambda: names_at(server) == "a-x a-y")
        server.signal(signal.SIGTERM)
        assert server.ended(30) == 0, server.wrote()


def test_a_worker_of_hypercorn_takes_the_signal_too(directory: Path) -> None:
    """It is the process that has the log open, and goes on having it."""
    with started(directory, by_hypercorn) as server:
        server.until_ready()
        reconfigure(directory, ONLY_A)
        workers = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        for worker in workers.read_text().split():
            if b"spawn_main" in Path(f"/proc/{worker}/cmdline").read_bytes():
                os.kill(int(worker), signal.SIGHUP)
        until(lambda: names_at(server) == "a-x a-y")
        assert server.process.poll() is None


def test_a_broken_file_keeps_the_configuration(directory: Path) -> None:
    """Every problem is in the log, in the list of sources, and in the metrics, until the file
    is mended."""
    with started(directory) as server:
        server.until_ready()
        reconfigure(directory, TWO.replace("file: {path: b.json}", "flie: {path: b.json}"))
        server.signal(signal.SIGHUP)
        problem = until(lambda: get(server, "/v1/sources")["configuration"].get("problem"))
        assert problem.startswith("annals.yaml:4:")
        assert "flie" in problem
        assert problem in server.wrote()
        assert names_at(server) == "a-x a-y b-x b-y"
        assert "annals_configuration_ok 0" in httpx.get(f"{server.url}/metrics").text
        reconfigure(directory, TWO)
        until(lambda: "problem" not in get(server, "/v1/sources")["configuration"])
        assert "annals_configuration_ok 1" in httpx.get(f"{server.url}/metrics").text


def test_the_past_knows_a_source_that_is_gone(directory: Path) -> None:
    """The log says when it was retired and what went with it; a replay before has it."""
    with started(directory) as server:
        server.until_ready()
        before = get(server, "/v1/registries/default")["position"]
        reconfigure(directory, ONLY_A)
        server.signal(signal.SIGHUP)
        until(lambda: names_at(server) == "a-x a-y")
        logged = registry("log", "--json", cwd=directory, REGISTRY_CONFIG="annals.yaml")
        events = [json.loads(line) for line in logged.text.splitlines()]
        assert [e["data"]["name"] for e in events if e["type"] == "source.retired"] == ["b"]
        delisted = [e["data"] for e in events if e["type"] == "entry.delisted"]
        assert [event["reason"] for event in delisted] == ["source_retired"] * 2
        past = registry(
            *("replay", "--at", f"@{before}", "--format", "api"),
            cwd=directory,
            REGISTRY_CONFIG="annals.yaml",
        )
        names = [each["server"]["name"] for each in past.json["servers"]]
        assert names == [f"io.example/{name}" for name in ("a-x", "a-y", "b-x", "b-y")]


def test_what_needs_a_restart_is_named(directory: Path) -> None:
    """--address wins over the file at the start, and is no change of it later."""
    with started(directory) as server:
        server.until_ready()
        reconfigure(directory, ONLY_A.replace("drain: 0s", "drain: 3s"))
        server.signal(signal.SIGHUP)
        until(lambda: names_at(server) == "a-x a-y")
        assert "server.drain keep their values until a restart" in server.wrote()
        assert "server.address" not in server.wrote()


def test_a_server_without_a_configuration_survives_the_signal(tmp_path: Path) -> None:
    """There is nothing to read, and it says so."""

    def command(port: int) -> Sequence[str]:
        return ["env", "--unset", "REGISTRY_CONFIG", *by_registry(port)]

    with started(tmp_path, command) as server:
        server.until_ready()
        server.signal(signal.SIGHUP)
        until(lambda: "no configuration file was named" in server.wrote())
        assert get(server, "/v1/sources")["configuration"].keys() == {"loadedAt"}


@either_way
def test_a_sync_on_demand(directory: Path, command: Callable[[int], Sequence[str]]) -> None:
    """From this machine: answered when it is done, and as `registry sync --json` tells it."""
    with started(directory, command) as server:
        server.until_ready()
        offer(directory, "a", "a-x", "a-new")
        answer = httpx.post(f"{server.url}/v1/sources/a/sync")
        assert (answer.status_code, answer.json()["counts"]["listed"]) == (200, 1)
        assert names_at(server) == "a-new a-x b-x b-y"
        told = registry("sync", "a", "--json", cwd=directory, REGISTRY_CONFIG="annals.yaml")
        assert told.json[0].keys() == answer.json().keys()
        found = get(server, "/v1/sources/a")
        assert found["syncStatus"]["phase"] == "Complete"
        assert found["nextRun"] > found["syncStatus"]["lastSyncTime"]


def test_a_sync_on_demand_that_does_not_come_about(directory: Path) -> None:
    """Refused, unknown, failed: each with its own status."""
    with started(directory) as server:
        server.until_ready()
        sync = f"{server.url}/v1/sources/a/sync"
        proxied = httpx.post(sync, headers={"X-Forwarded-For": "127.0.0.1"})
        assert (proxied.status_code, proxied.headers["cache-control"]) == (403, "no-store")
        assert "run `registry sync a` there" in proxied.json()["detail"]
        assert httpx.post(f"{server.url}/v1/sources/nobody/sync").status_code == 404
        offer(directory, "a")
        emptied = httpx.post(sync)
        assert (emptied.status_code, emptied.json()["stage"]) == (409, "guard")
        (directory / "a.json").unlink()
        failed = httpx.post(sync)
        assert (failed.status_code, failed.json()["stage"]) == (502, "fetch")
        assert "a.json does not exist" in failed.json()["detail"]
        assert names_at(server) == "a-x a-y b-x b-y"
