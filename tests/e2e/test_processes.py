"""Several processes over one data directory: one syncs, all serve, and any of them may die."""

import json
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from tests.harness.checkers import check_never_older
from tests.harness.command_line import registry
from tests.harness.process_pair import (
    holder_and_follower,
    holder_of,
    names_at,
    sync_at,
    syncs,
    two_servers,
    until_names,
)
from tests.harness.receiver_server import receiving
from tests.harness.server_process import (
    ServerProcess,
    by_hypercorn_workers,
    started,
    until,
)
from tests.harness.webhook_receiver import SECRET, changes_in

TAKE_OVER_SECONDS = 10
STOP_SECONDS = 10
SELDOM = "1h"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A configuration with one source that is seldom read."""
    configure(tmp_path, SELDOM)
    offer(tmp_path, "a")
    return tmp_path


def configure(directory: Path, interval: str, *more: str) -> None:
    """Let there be one source that is read that often, and more."""
    policy = f"syncPolicy: {{interval: {interval}}}, maxRemoval: 1.0"
    lines = ["sources:", f"  - {{name: main, file: {{path: offered.json}}, {policy}}}", *more]
    (directory / "new.yaml").write_text("\n".join([*lines, "server: {drain: 0s}\n"]))
    (directory / "new.yaml").replace(directory / "annals.yaml")


def offer(directory: Path, *names: str) -> None:
    """Let the source offer servers of these names."""
    servers = [
        {"name": f"io.example/{name}", "version": "1.0.0", "description": "Does it."}
        for name in names
    ]
    (directory / "new.json").write_text(json.dumps(servers))
    (directory / "new.json").replace(directory / "offered.json")


def named(*names: str) -> list[str]:
    return [f"io.example/{name}" for name in names]


def stop(*servers: ServerProcess) -> None:
    """End them, which they do in order."""
    for server in servers:
        server.signal(signal.SIGTERM)
    for server in servers:
        assert_ended(server)


def assert_ended(server: ServerProcess) -> None:
    """It ends in order, and nothing of it is left."""
    assert server.ended(STOP_SECONDS) == 0, server.wrote()
    assert "Traceback" not in server.wrote()
    until(lambda: is_gone(server.process.pid), STOP_SECONDS)


def is_gone(group: int) -> bool:
    """Whether no process of a group is left."""
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        return False
    return True


def events(directory: Path, kind: str = "") -> list[Any]:
    """What is in the log, of a kind."""
    log = registry("log", "--json", "--limit", 1000, "--config", "annals.yaml", cwd=directory)
    found = [json.loads(line) for line in log.text.splitlines()]
    return [event for event in found if event["type"].startswith(kind)]


def assert_sound(directory: Path) -> None:
    """What they have left verifies."""
    assert registry("verify", cwd=directory).code == 0


def test_one_of_two_processes_syncs_and_both_serve(directory: Path) -> None:
    """The other follows what the first appends. Whoever asks for a sync gets one from either;
    and when the first one ends, the other goes on."""
    with two_servers(directory) as servers:
        holder, follower = holder_and_follower(directory, servers)
        assert (syncs(holder), syncs(follower)) == (True, False)
        assert (measured(holder), measured(follower)) == (1.0, 0.0)
        assert names_at(holder) == names_at(follower) == named("a")
        assert len(events(directory, "sync.completed")) == 1
        offer(directory, "a", "b")
        assert sync_at(holder)["counts"]["listed"] == 1
        until_names(follower, named("a", "b"))
        offer(directory, "a", "b", "c")
        assert sync_at(follower)["counts"]["listed"] == 1
        until_names(holder, named("a", "b", "c"))
        stop(holder)
        until(lambda: syncs(follower), TAKE_OVER_SECONDS)
        stop(follower)
    assert len(events(directory, "sync.completed")) == 4
    assert_sound(directory)


def measured(server: ServerProcess) -> float:
    """Whether a server holds the lease, as its metrics tell it."""
    lines = httpx.get(f"{server.url}/metrics").raise_for_status().text.splitlines()
    (line,) = [line for line in lines if line.startswith("annals_lease_held ")]
    return float(line.split()[1])


@attrs.define
class Client:
    """Reads a page of a server again and again through one connection, until it is gone."""

    server: ServerProcess
    positions: list[int] = attrs.field(factory=list)

    def read(self) -> None:
        """Returns when nobody answers any more."""
        with closing(HTTPConnection("127.0.0.1", self.server.port, timeout=60)) as connection:
            try:
                while True:
                    connection.request("GET", "/v0.1/servers")
                    answer = connection.getresponse()
                    answer.read()
                    self.positions.append(int(answer.headers["Registry-Position"]))
            except OSError:
                pass


def test_when_the_one_that_syncs_is_killed_another_takes_over(directory: Path) -> None:
    """Within ten seconds; and no client ever gets an older page than it had before."""
    configure(directory, "1s")
    with two_servers(directory) as servers:
        holder, follower = holder_and_follower(directory, servers)
        clients = [Client(server) for server in servers]
        threads = [threading.Thread(target=client.read) for client in clients]
        for thread in threads:
            thread.start()
        until(lambda: all(client.positions for client in clients))
        offer(directory, "a", "b")
        until(lambda: all(len(set(client.positions)) > 1 for client in clients))
        offer(directory, "a", "c")
        holder.signal(signal.SIGKILL)
        holder.ended()
        until_names(follower, named("a", "c"), TAKE_OVER_SECONDS)
        assert holder_of(directory) == follower.process.pid
        stop(follower)
        for thread in threads:
            thread.join()
    for client in clients:
        check_never_older(client.positions)
    assert_sound(directory)


def test_a_message_is_delivered_once_by_however_many_processes(directory: Path) -> None:
    """The others know that it is not their business; and what the first one did not deliver
    before it was killed, the next one does."""
    with receiving() as receiver:
        (directory / "secret").write_text(SECRET)
        hook = f"{{name: audit, url: '{receiver.url}', secretFile: secret}}"
        configure(directory, SELDOM, f"webhooks: [{hook}]")
        with two_servers(directory) as servers:
            holder, follower = holder_and_follower(directory, servers)
            assert (phase(holder), phase(follower)) == ("Active", "Elsewhere")
            until(lambda: len(changes_in(receiver.behind.messages)) == 1)
            offer(directory, "a", "b")
            sync_at(follower)
            until(lambda: len(changes_in(receiver.behind.messages)) == 2)
            until(lambda: delivered(holder) == delivered(follower) == told(follower))
            holder.signal(signal.SIGKILL)
            holder.ended()
            offer(directory, "a", "b", "c")
            until(lambda: phase(follower) == "Active", TAKE_OVER_SECONDS)
            until(lambda: len(changes_in(receiver.behind.messages)) == 3)
            stop(follower)
        assert len(set(changes_in(receiver.behind.messages))) == 3
        assert receiver.told == [204] * len(receiver.told)


def webhook(server: ServerProcess) -> Any:
    (one,) = httpx.get(f"{server.url}/v1/webhooks").raise_for_status().json()["webhooks"]
    return one


def phase(server: ServerProcess) -> str:
    return str(webhook(server)["phase"])


def delivered(server: ServerProcess) -> str:
    return str(webhook(server)["registries"][0]["deliveredUpTo"])


def told(server: ServerProcess) -> str:
    """The end of the feed of changes."""
    feed = httpx.get(f"{server.url}/v0.1/x/dev.annals/changes?after=0").raise_for_status().json()
    return str(feed["metadata"]["next"])


def test_a_changed_configuration_is_recorded_once(directory: Path) -> None:
    """All processes read the file; one writes what it says, and that one syncs it."""
    with two_servers(directory) as servers:
        holder, follower = holder_and_follower(directory, servers)
        before = len(events(directory, "source."))
        other = "  - {name: other, file: {path: offered.json}, syncPolicy: {interval: 1h}}"
        configure(directory, SELDOM, other)
        for server in servers:
            until(lambda: "other" in sources_at(server))  # noqa: B023
        until(lambda: [e for e in events(directory, "sync.") if "other" in e["stream"]])
        assert len(events(directory, "source.")) == before + 1
        configure(directory, SELDOM)
        for server in servers:
            until(lambda: "other" not in sources_at(server))  # noqa: B023
        assert len(events(directory, "source.")) == before + 2
        stop(follower, holder)
    assert_sound(directory)


def sources_at(server: ServerProcess) -> Sequence[str]:
    """The names of the sources that a server tells of."""
    listed = httpx.get(f"{server.url}/v1/sources").raise_for_status().json()["sources"]
    return [str(each["name"]) for each in listed]


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["to the first", "to all"])
def test_the_workers_of_a_server_share_the_work(
    directory: Path, send: Callable[[int, int], None]
) -> None:
    """Hypercorn's workers are processes too: one syncs, all follow what is synced beside them,
    and they end in order, whichever of them are told to, and whoever still follows a stream."""
    with (
        started(directory, by_hypercorn_workers) as server,
        closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as following,
    ):
        server.until_ready()
        following.request("GET", "/v0.1/x/dev.annals/changes/stream")
        assert following.getresponse().status == 200
        until(lambda: {syncs(server) for _ in range(20)} == {True, False})
        assert len(events(directory, "sync.completed")) == 1
        offer(directory, "a", "b")
        assert registry("sync", "--config", "annals.yaml", cwd=directory).code == 0
        until(lambda: all(names_at(server) == named("a", "b") for _ in range(20)))
        send(server.process.pid, signal.SIGTERM)
        assert_ended(server)
    assert not (directory / "data" / "annals.db-wal").exists()
    assert_sound(directory)


@pytest.mark.slow
def test_a_killed_worker_ends_its_server_and_nothing_is_lost(directory: Path) -> None:
    """Hypercorn ends when a worker is killed: a supervisor has to start it again."""
    with started(directory, by_hypercorn_workers) as server:
        server.until_ready()
        os.kill(holder_of(directory), signal.SIGKILL)
        server.ended(STOP_SECONDS)
        until(lambda: is_gone(server.process.pid), STOP_SECONDS)
    assert_sound(directory)
    with started(directory, by_hypercorn_workers) as server:
        server.until_ready()
        assert names_at(server) == named("a")
        stop(server)
