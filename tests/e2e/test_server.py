"""A real server process: started, asked, followed, stopped, started again."""

import json
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.command_line import registry
from tests.harness.server_process import (
    ServerProcess,
    by_hypercorn,
    by_registry,
    started,
    until,
)

STOPS = [signal.SIGTERM, signal.SIGINT]
PROMISED_SECONDS = 30
DRAIN = "200ms"
CONFIGURATION = f"""
source: {{type: file, file: {{path: offered.json}}}}
server: {{drain: {DRAIN}}}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A configuration with one source that offers one server and is seldom read."""
    (tmp_path / "annals.yaml").write_text(CONFIGURATION)
    offer(tmp_path, "a")
    return tmp_path


def offer(directory: Path, *names: str) -> None:
    """Let the source offer servers of these names."""
    servers = [
        {"name": f"io.example/{name}", "version": "1.0.0", "description": "Does things."}
        for name in names
    ]
    (directory / "offered.json").write_text(json.dumps(servers))


def names_at(server: ServerProcess) -> list[str]:
    """The names that the server lists."""
    answer = httpx.get(f"{server.url}/v0.1/servers").raise_for_status().json()
    return [str(each["server"]["name"]) for each in answer["servers"]]


def assert_sound(directory: Path) -> None:
    """What a server has left verifies."""
    verified = registry("verify", "--json", cwd=directory)
    assert verified.code == 0, verified.text


either_way = pytest.mark.parametrize("command", [by_registry, by_hypercorn])


@either_way
@pytest.mark.parametrize("stop", STOPS)
def test_a_server_starts_answers_and_stops(
    directory: Path, command: Callable[[int], Sequence[str]], stop: signal.Signals
) -> None:
    """Ready after its first sync, and away with exit code 0 soon after the signal, in either
    way to run it; the log it leaves is sound."""
    with started(directory, command) as server:
        server.until_ready()
        assert names_at(server) == ["io.example/a"]
        assert httpx.get(f"{server.url}/health").json() == {"status": "healthy"}
        server.signal(stop)
        assert server.ended(PROMISED_SECONDS) == 0, server.wrote()
    assert "Traceback" not in server.wrote()
    assert_sound(directory)


@either_way
def test_what_is_synced_beside_a_server_is_served(
    directory: Path, command: Callable[[int], Sequence[str]]
) -> None:
    """A server that reads its source twice an hour follows what `registry sync` appends."""
    with started(directory, command) as server:
        server.until_ready()
        offer(directory, "a", "b")
        assert registry("sync", "--config", "annals.yaml", cwd=directory).code == 0
        until(lambda: names_at(server) == ["io.example/a", "io.example/b"], within_seconds=10)


@pytest.mark.parametrize("stop", STOPS)
def test_a_server_says_that_it_stops_while_it_still_answers(
    directory: Path, stop: signal.Signals
) -> None:
    """While it drains, /readiness is 503 and everything else is answered. Whoever signals twice
    does not wait for the load balancer; then open connections end."""
    (directory / "annals.yaml").write_text(CONFIGURATION.replace(DRAIN, "10m"))
    with started(directory) as server, httpx.Client(base_url=server.url) as client:
        server.until_ready()
        server.signal(stop)
        assert until(lambda: unready(client)).json()["detail"] == "stopping"
        assert client.get("/v0.1/servers").status_code == 200
        server.signal(stop)
        assert server.ended(PROMISED_SECONDS) == 0, server.wrote()
        with pytest.raises(httpx.TransportError):
            client.get("/health")
    assert_sound(directory)


def unready(client: httpx.Client) -> httpx.Response | None:
    """The answer of /readiness once it is 503."""
    answer = client.get("/readiness")
    return answer if answer.status_code == 503 else None


def test_an_idle_connection_does_not_hold_up_the_end(directory: Path) -> None:
    """Keep-alive connections that nobody uses are closed when a server stops."""
    with started(directory) as server:
        server.until_ready()
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=PROMISED_SECONDS)) as idle:
            idle.request("GET", "/health")
            idle.getresponse().read()
            server.signal(signal.SIGTERM)
            assert idle.sock.recv(1) == b""
            assert server.ended(PROMISED_SECONDS / 3) == 0, server.wrote()


def test_a_request_that_has_begun_is_answered(directory: Path) -> None:
    """Who was about to send a request when a server stops still gets the answer."""
    body = json.dumps({"name": "io.example/a"}).encode()
    head = f"POST /v0.1/validate HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    with started(directory) as server:
        server.until_ready()
        with socket.create_connection(("127.0.0.1", server.port)) as begun:
            begun.sendall(head.encode() + body[:5])
            server.signal(signal.SIGTERM)
            until(lambda: not listens(server.port))
            assert server.process.poll() is None
            begun.sendall(body[5:])
            assert begun.makefile("rb").readline().split()[1] == b"200"
            assert server.ended(PROMISED_SECONDS / 3) == 0, server.wrote()
    assert_sound(directory)


def listens(port: int) -> bool:
    """Whether connections to *port* are taken."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_a_source_that_hangs_does_not_hold_up_the_end(directory: Path) -> None:
    """A server ends in time while it waits for a Git server that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        repository = "http://{}:{}/registry.git".format(*silent.getsockname())
        source = f"source: {{type: git, git: {{repository: '{repository}'}}}}"
        (directory / "annals.yaml").write_text(source)
        with started(directory) as server:
            connection, _ = silent.accept()
            until(lambda: "Annals serves" in server.wrote())
            server.signal(signal.SIGTERM)
            assert server.ended(PROMISED_SECONDS) == 0, server.wrote()
            connection.close()
    assert_sound(directory)


def test_an_address_in_use_is_told(directory: Path) -> None:
    """Two servers cannot listen at one place: the second exits with 1 and says where."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        done = registry("serve", "--config", "annals.yaml", "--address", address, cwd=directory)
    assert done.code == 1
    assert f"registry: cannot listen on {address}: Address already in use" in done.errors
    assert "Traceback" not in done.errors
    assert "choose another --address" in done.errors


def test_a_broken_configuration_starts_nothing(directory: Path) -> None:
    """`registry serve` exits with 2 and tells the problem; behind Hypercorn it ends as well."""
    (directory / "annals.yaml").write_text("source: {type: flie}\n")
    done = registry("serve", "--config", "annals.yaml", cwd=directory)
    assert (done.code, done.output) == (2, b"")
    assert "registry: annals.yaml:1:" in done.errors
    with started(directory, by_hypercorn) as server:
        server.ended()  # with 0, because Hypercorn loses the exit code of its workers
        assert "Annals stopped: annals.yaml:1:" in server.wrote()
    assert not (directory / "data").exists()


def test_a_restarted_server_serves_at_once(directory: Path) -> None:
    """What was known before is served again without the source, to the byte."""
    with started(directory) as first:
        first.until_ready()
        before = httpx.get(f"{first.url}/v0.1/servers")
        first.signal(signal.SIGTERM)
        assert first.ended(PROMISED_SECONDS) == 0
    (directory / "offered.json").unlink()
    with started(directory) as second:
        second.until_ready()
        after = httpx.get(f"{second.url}/v0.1/servers")
    assert (after.content, after.headers["ETag"]) == (before.content, before.headers["ETag"])


def test_a_killed_server_starts_again(directory: Path) -> None:
    """After `kill -9` the next server serves the same, and the log is sound."""
    with started(directory) as first:
        first.until_ready()
        before = names_at(first)
    with started(directory) as second:
        second.until_ready()
        assert names_at(second) == before
    assert_sound(directory)


def test_a_server_logs_in_json(directory: Path) -> None:
    """With --json every line on standard error is JSON, also that of a source that fails."""
    (directory / "offered.json").unlink()

    def command(port: int) -> Sequence[str]:
        return [*by_registry(port), "--json"]

    with started(directory, command) as server:
        server.until_ready()
        server.signal(signal.SIGTERM)
        assert server.ended(PROMISED_SECONDS) == 0
    lines: list[Any] = [json.loads(x) for x in server.wrote().splitlines() if x.startswith("{")]
    warning = next(line for line in lines if line["level"] == "warning")
    assert "offered.json does not exist" in warning["message"]


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("localhost", 2, "'localhost': expected host:port"),
        ("127.0.0.1:80800", 2, "'127.0.0.1:80800': expected host:port"),
        ("nobody.invalid:8080", 1, "cannot listen on nobody.invalid:8080: "),
    ],
)
def test_an_address_that_is_none_is_told(
    directory: Path, address: str, code: int, message: str
) -> None:
    """What cannot be listened on ends the start with a message."""
    done = registry("serve", "--config", "annals.yaml", "--address", address, cwd=directory)
    assert done.code == code
    assert message in done.errors
    assert "Traceback" not in done.errors
