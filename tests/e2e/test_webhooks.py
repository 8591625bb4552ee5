"""A real server with a webhook, whose receiver misbehaves, and that is killed meanwhile."""

import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.command_line import PATIENCE_SECONDS
from tests.harness.receiver_server import Receiver, receiving
from tests.harness.server_process import ServerProcess, started, until
from tests.harness.webhook_receiver import SECRET, changes_in

FEED = "/v0.1/x/dev.annals/changes"
PROMISED_SECONDS = 10


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A configuration with one source, without webhooks, and the secret of one."""
    offer(tmp_path, "a")
    (tmp_path / "secret").write_text(SECRET)
    return tmp_path


def configure(directory: Path, webhooks: str) -> None:
    """Have these webhooks."""
    source = "source: {type: file, file: {path: offered.json}}\n"
    (directory / "new.yaml").write_text(f"{source}server: {{drain: 0s}}\n{webhooks}")
    (directory / "new.yaml").replace(directory / "annals.yaml")


def hook(receiver: Receiver) -> str:
    """The configuration of a webhook to that receiver."""
    return f"webhooks: [{{name: hook, url: '{receiver.url}', secretFile: secret}}]\n"


def offer(directory: Path, *names: str) -> None:
    """Let the source offer servers of these names."""
    servers = [
        {"name": f"io.example/{name}", "version": "1.0.0", "description": "Does things."}
        for name in names
    ]
    (directory / "offered.json").write_text(json.dumps(servers))


def sync(server: ServerProcess) -> None:
    """Have the source read."""
    httpx.post(f"{server.url}/v1/sources/default/sync").raise_for_status()


def webhook(server: ServerProcess) -> Any:
    """What the server says of its only webhook."""
    (found,) = httpx.get(f"{server.url}/v1/webhooks").raise_for_status().json()["webhooks"]
    return found


def told(server: ServerProcess) -> Any:
    """How far the webhook was told."""
    return webhook(server)["registries"][0]["deliveredUpTo"]


def feed(server: ServerProcess) -> Any:
    """All that has changed."""
    return httpx.get(f"{server.url}{FEED}").raise_for_status().json()


def test_no_change_is_lost(directory: Path) -> None:
    """Whatever the receiver answers, and though the server is killed before it can try again."""
    names = ["a"]
    with receiving() as receiver:
        configure(directory, hook(receiver))
        for receiver.status in (500, 0):
            before = len(receiver.told)
            with started(directory) as server:
                server.until_ready()
                names.append(f"s{len(names)}")
                offer(directory, *names)
                sync(server)
                until(lambda: len(receiver.told) > before)  # noqa: B023
                until(lambda: webhook(server)["attemptCount"])
                found = webhook(server)
                assert (found["phase"], found["receiver"]) == ("Failing", receiver.url[:-5])
        receiver.status = None
        with started(directory) as server:
            server.until_ready()
            until(lambda: told(server) == feed(server)["metadata"]["next"])
            changes = feed(server)["changes"]
            assert webhook(server)["phase"] == "Active"
            server.signal(signal.SIGTERM)
            assert server.ended(PROMISED_SECONDS) == 0, server.wrote()
    taken = list(dict.fromkeys(changes_in(receiver.behind.messages)))
    assert taken == [change["id"] for change in changes]
    assert len(taken) == len(names)


def test_a_delivery_under_way_does_not_hold_up_the_end(directory: Path) -> None:
    """It is cut off, and comes again when the server does."""
    with receiving() as receiver:
        receiver.goes_on.clear()
        configure(directory, hook(receiver))
        with started(directory) as server:
            assert receiver.asked.wait(PATIENCE_SECONDS)
            server.signal(signal.SIGTERM)
            assert server.ended(PROMISED_SECONDS) == 0, server.wrote()
        receiver.behind.messages.clear()
        receiver.goes_on.set()
        with started(directory):
            until(lambda: changes_in(receiver.behind.messages))
