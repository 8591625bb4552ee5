"""The application behind every server that it is meant for, in either way to start one."""

import json
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.harness.command_line import registry
from tests.harness.event_stream import EventStreamParser
from tests.harness.server_process import (
    by_granian,
    by_hypercorn,
    by_registry_with,
    by_uvicorn,
    started,
    until,
)

Command = Callable[[int], Sequence[str]]

PROMISED_SECONDS = 10
NAMES = [f"io.example/{name}" for name in "abc"]
STREAM = "/v0.1/x/dev.annals/changes/stream"


def needs(server: str) -> pytest.MarkDecorator:
    """Skips a test where a server is not installed."""
    reason = f"needs {server}: pip install 'annals-registry[fast]'"
    return pytest.mark.skipif(find_spec(server) is None, reason=reason)


OWN = [
    pytest.param(by_registry_with(server), marks=needs(server), id=f"registry-{server}")
    for server in ("hypercorn", "granian", "uvicorn")
]
FOREIGN = [
    pytest.param(by_hypercorn, id="hypercorn"),
    pytest.param(by_granian, marks=needs("granian"), id="granian"),
    pytest.param(by_uvicorn, marks=needs("uvicorn"), id="uvicorn"),
]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A configuration with one source that offers three servers."""
    offered = [{"name": name, "version": "1.0.0", "description": "Does it."} for name in NAMES]
    (tmp_path / "offered.json").write_text(json.dumps(offered))
    (tmp_path / "annals.yaml").write_text(
        "source: {type: file, file: {path: offered.json}}\nserver: {drain: 200ms}\n"
    )
    return tmp_path


def walked(client: httpx.Client) -> list[str]:
    """The names of all servers, page by page."""
    names, cursor = list[str](), ""
    while True:
        page: Any = client.get("/v0.1/servers", params={"limit": 1, "cursor": cursor}).json()
        names += [each["server"]["name"] for each in page["servers"]]
        cursor = page["metadata"].get("nextCursor")
        if not cursor:
            return names


def told(connection: HTTPConnection) -> list[str]:
    """The names that a stream of changes from the first on tells of until it rests."""
    connection.request("GET", STREAM, headers={"Last-Event-ID": "0"})
    answer, parser, names = connection.getresponse(), EventStreamParser(), list[str]()
    while len(names) < len(NAMES):
        names += [json.loads(event.data)["name"] for event in parser.feed(answer.read1(4096))]
    return names


def assert_closed(directory: Path) -> None:
    """The log was closed in order, and verifies."""
    assert not (directory / "data" / "annals.db-wal").exists()
    assert registry("verify", cwd=directory).code == 0


def use(client: httpx.Client, port: int) -> None:
    """What clients do: pages, names with a slash, conditional requests, a request with a body, one
    that only the machine itself may make, a stream."""
    assert walked(client) == NAMES
    one = client.get(f"/v0.1/servers/{quote(NAMES[0], safe='')}/versions/latest").json()
    assert one["server"]["name"] == NAMES[0]
    first = client.get("/v0.1/servers")
    again = client.get("/v0.1/servers", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.head("/v0.1/servers").content == b""
    assert client.post("/v0.1/validate", json={"name": NAMES[0]}).status_code == 200
    assert client.post("/v1/sources/default/sync").status_code == 200
    with closing(HTTPConnection("127.0.0.1", port, timeout=PROMISED_SECONDS)) as following:
        assert told(following) == NAMES


@pytest.mark.parametrize("command", FOREIGN)
def test_the_application_runs_behind_any_server(directory: Path, command: Command) -> None:
    """Unchanged, and to an orderly end."""
    with started(directory, command) as server:
        server.until_ready()
        with httpx.Client(base_url=server.url) as client:
            use(client, server.port)
        server.signal(signal.SIGTERM)
        # Uvicorn ends, when all is done, by the signal that it got.
        assert server.ended(PROMISED_SECONDS) in (0, -signal.SIGTERM), server.wrote()
    assert "Traceback" not in server.wrote()
    assert_closed(directory)


@pytest.mark.parametrize("command", OWN)
def test_a_server_of_its_own_ends_in_the_same_way_whichever_it_is(
    directory: Path, command: Command
) -> None:
    """While it drains it still answers; then whoever follows the changes is told that the stream
    is over, and idle connections are closed."""
    with (
        started(directory, command) as server,
        httpx.Client(base_url=server.url) as client,
        closing(HTTPConnection("127.0.0.1", server.port, timeout=PROMISED_SECONDS)) as following,
    ):
        server.until_ready()
        use(client, server.port)
        assert told(following) == NAMES
        server.signal(signal.SIGTERM)
        assert until(lambda: is_stopping(client))
        assert server.ended(PROMISED_SECONDS) == 0, server.wrote()
    assert "Annals serves default at" in server.wrote()
    assert "the log is closed" in server.wrote()
    assert "Traceback" not in server.wrote()
    assert_closed(directory)


def is_stopping(client: httpx.Client) -> bool:
    return client.get("/readiness").json().get("detail") == "stopping"


@pytest.mark.parametrize("command", OWN)
def test_a_request_that_hangs_does_not_hold_up_the_end(directory: Path, command: Command) -> None:
    """Who never sends what it promised is cut off when the grace is over."""
    configuration = directory / "annals.yaml"
    configuration.write_text(
        configuration.read_text().replace("{drain: 200ms}", "{drain: 0s, grace: 500ms}")
    )
    with started(directory, command) as server:
        server.until_ready()
        with closing(HTTPConnection("127.0.0.1", server.port)) as hanging:
            hanging.putrequest("POST", "/v0.1/validate")
            hanging.putheader("Content-Length", "100")
            hanging.endheaders(b"{")
            server.signal(signal.SIGTERM)
            assert server.ended(PROMISED_SECONDS) == 0, server.wrote()
    assert_closed(directory)


@needs("granian")
def test_an_address_in_use_is_told(directory: Path) -> None:
    """In one line, also where the server itself would tell it in many."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        _, *arguments = by_registry_with("granian")(taken.getsockname()[1])
        done = registry(*arguments, "--config", "annals.yaml", cwd=directory)
    assert done.code == 1
    assert "Address already in use: choose another --address" in done.errors
    assert "Traceback" not in done.errors


@needs("granian")
def test_a_past_moment_is_served_by_any_server_too(directory: Path) -> None:
    """`registry replay --serve` takes the same servers."""

    def command(port: int) -> Sequence[str]:
        program, _, *address = by_registry_with("granian")(port)
        return [program, "replay", "--serve", *address]

    assert registry("sync", "--config", "annals.yaml", cwd=directory).code == 0
    with started(directory, command) as server:
        server.until_ready()
        with httpx.Client(base_url=server.url) as client:
            assert walked(client) == NAMES
        server.signal(signal.SIGTERM)
        assert server.ended(PROMISED_SECONDS) == 0, server.wrote()


def test_a_server_that_is_not_installed_is_told(directory: Path) -> None:
    """With what to install."""
    (directory / "sitecustomize.py").write_text("import sys; sys.modules['granian'] = None")
    done = registry("serve", "--server", "granian", cwd=directory, PYTHONPATH=str(directory))
    assert (done.code, done.output) == (2, b"")
    assert "pip install 'annals-registry[fast]'" in done.errors
