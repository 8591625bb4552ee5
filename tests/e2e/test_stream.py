"""A real server whose changes are followed, by readers that die, and that dies itself."""

import json
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from tests.harness.event_stream import EventStreamParser
from tests.harness.server_process import (
    ServerProcess,
    by_hypercorn,
    by_registry,
    free_port,
    started,
    until,
)

STREAM = "/v0.1/x/dev.annals/changes/stream"
CONFIGURATION = """
sources:
  - {name: main, file: {path: offered.json}, syncPolicy: {interval: 1s}, maxRemoval: 1.0}
server: {drain: 0s}
"""
PROMISED_SECONDS = 10


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A configuration with one source that is read all the time."""
    (tmp_path / "annals.yaml").write_text(CONFIGURATION)
    offer(tmp_path, {"a": "1"})
    return tmp_path


def offer(directory: Path, titles: dict[str, str]) -> None:
    """Let the source offer two versions of each of these, with such a title."""
    servers = [
        {"name": f"io.example/{name}", "version": v, "description": "Does it.", "title": title}
        for name, title in titles.items()
        for v in ("1.0.0", f"2.{title}.0")
    ]
    (directory / "new.json").write_text(json.dumps(servers))
    (directory / "new.json").replace(directory / "offered.json")


@attrs.define
class Reader:
    """Somebody who follows the stream and has nothing else. What it has survives its death.

    `last_event_id` and `entries` are kept together, as a careful reader keeps them; `ids` has
    all that ever came.
    """

    port: int
    last_event_id: str = "0"
    entries: dict[tuple[str, str], Any] = attrs.field(factory=dict)
    ids: list[str] = attrs.field(factory=list)

    def read(self, connection: HTTPConnection) -> None:
        """Follow until the connection is gone."""
        parser = EventStreamParser(last_event_id=self.last_event_id)
        with suppress(OSError, HTTPException):
            connection.request("GET", STREAM, headers={"Last-Event-ID": self.last_event_id})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            while chunk := answer.read1(4096):
                for event in parser.feed(chunk):
                    self._take(event.id, json.loads(event.data))
                self.last_event_id = parser.last_event_id

    def _take(self, id_: str, change: Any) -> None:
        for version in change["versions"]:
            key = (change["name"], version["version"])
            assert (version["before"] is None) == (key not in self.entries), (id_, key)
            self.entries.pop(key, None)
            if version["entry"]:
                self.entries[key] = version["entry"]
        self.last_event_id = id_
        self.ids.append(id_)


@contextmanager
def reading(reader: Reader) -> Iterator[None]:
    """The reader at work. At the end it is cut off wherever it is, and nobody says goodbye."""
    with closing(HTTPConnection("127.0.0.1", reader.port, timeout=60)) as connection:
        until(lambda: connects(connection))
        thread = threading.Thread(target=reader.read, args=(connection,))
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
            thread.join()


def connects(connection: HTTPConnection) -> bool:
    """Whether somebody listens."""
    try:
        connection.connect()
    except ConnectionRefusedError:
        return False
    return True


def listed(server: ServerProcess) -> dict[tuple[str, str], Any]:
    """The registry as it is served."""
    entries, cursor = {}, ""
    while True:
        page = httpx.get(
            f"{server.url}/v0.1/servers?limit=100&include_deleted=true&cursor={cursor}"
        ).json()
        for entry in page["servers"]:
            entries[entry["server"]["name"], entry["server"]["version"]] = entry
        cursor = page["metadata"].get("nextCursor", "")
        if not cursor:
            return entries


def test_a_reader_that_is_killed_and_resumed_has_the_registry(directory: Path) -> None:
    """So is the server: kill -9 of either at any moment, and no change is lost or comes twice."""
    chance = random.Random(4)
    reader = Reader(free_port())
    titles = {"a": "1"}
    for _ in range(3):
        with started(directory, port=reader.port) as server:
            server.until_ready()
            for _ in range(3):
                titles[chance.choice("abcdefgh")] = str(chance.randrange(1000))
                titles.pop(chance.choice("abcdefgh"), None)
                offer(directory, titles)
                with reading(reader):
                    if chance.random() < 0.7:
                        httpx.post(f"{server.url}/v1/sources/main/sync").raise_for_status()
    with started(directory, port=reader.port) as server, reading(reader):
        offer(directory, {**titles, "z": "26"})
        until(lambda: ("io.example/z", "1.0.0") in reader.entries)
        until(lambda: reader.entries == listed(server), within_seconds=PROMISED_SECONDS)
    assert len(set(reader.ids)) == len(reader.ids) > 5


@pytest.mark.parametrize(
    "command", [by_registry, pytest.param(by_hypercorn, marks=pytest.mark.slow)]
)
def test_open_streams_do_not_hold_up_the_end(
    directory: Path, command: Callable[[int], Sequence[str]]
) -> None:
    """They end properly, so that readers come back at once: to the next process."""
    with started(directory, command) as server, ExitStack() as open_streams:
        server.until_ready()
        answers = []
        for _ in range(5):
            connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
            open_streams.enter_context(closing(connection))
            connection.request("GET", STREAM)
            answers.append(connection.getresponse())
        for answer in answers:
            assert answer.readline().startswith(b"retry: ")
        server.signal(signal.SIGTERM)
        assert server.ended(PROMISED_SECONDS) == 0, server.wrote()
        if command is by_registry:  # Hypercorn alone cuts them off
            for answer in answers:
                answer.read()
            assert "Traceback" not in server.wrote()


def is_stuck(port: int) -> bool:
    """Whether a server has sent what is not taken, and no longer sends more."""
    before = unsent(port)
    time.sleep(0.5)
    return unsent(port) == before > 0


def unsent(port: int) -> int:
    """How many bytes wait in the kernel to be sent from a port."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[4].split(":")[0], 16) for row in rows if row[1].endswith(f":{port:04X}"))


@pytest.mark.slow
def test_a_client_that_takes_nothing_holds_up_the_end_for_the_grace_alone(directory: Path) -> None:
    """What it was sent lies between the two, and is not waited for."""
    (directory / "annals.yaml").write_text(CONFIGURATION.replace("0s}", "0s, grace: 200ms}"))
    offer(directory, {f"s{number}": "x" * 90 + str(number) for number in range(4000)})
    with started(directory) as server:
        server.until_ready()
        with socket.socket() as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.connect(("127.0.0.1", server.port))
            stuck.sendall(f"GET {STREAM}?after=0 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            until(lambda: is_stuck(server.port))
            server.signal(signal.SIGTERM)
            assert server.ended(PROMISED_SECONDS) == 0, server.wrote()
