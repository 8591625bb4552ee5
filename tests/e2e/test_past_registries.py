"""Past registries as people get at them: pins, path forms, and a server of one moment."""

import json
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.command_line import COMMAND, Done, registry
from tests.harness.server_process import ServerProcess, started, until

CONFIGURATION = """
sources: [{name: main, file: {path: offered.json}}]
server: {drain: 0s}
"""
FOLLOWED_SECONDS = 1.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of three syncs, each of other servers."""
    directory = tmp_path_factory.mktemp("made")
    (directory / "annals.yaml").write_text(CONFIGURATION)
    for names in ("a", "ab", "bc"):
        offer(directory, names)
        assert annals(directory, "sync").code == 0
    return directory


@pytest.fixture
def directory(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "log"))


def offer(directory: Path, names: str) -> None:
    servers = [
        {"name": f"io.example/{name}", "version": "1.0.0", "description": "Does things."}
        for name in names
    ]
    (directory / "offered.json").write_text(json.dumps(servers))


def annals(directory: Path, *arguments: object) -> Done:
    return registry(*arguments, cwd=directory, REGISTRY_CONFIG="annals.yaml")


def syncs(directory: Path) -> list[dict[str, Any]]:
    """Where each sync ended, as the log tells it."""
    lines = annals(directory, "log", "--json", "--after", 0).text.splitlines()
    events = [json.loads(line) for line in lines]
    return [event for event in events if event["type"] == "sync.completed"]


def names_at(server: ServerProcess, path: str = "") -> str:
    """The names that a registry lists, without their namespace."""
    answer = httpx.get(f"{server.url}{path}/v0.1/servers").raise_for_status().json()
    return "".join(each["server"]["name"].rpartition("/")[2] for each in answer["servers"])


def test_a_pin_stands_for_its_moment_until_it_is_moved(directory: Path) -> None:
    """Set twice it is set once; another moment needs --move; what is removed is unknown."""
    first, second, _ = (f"@{sync['position']}" for sync in syncs(directory))
    for _ in range(2):
        done = annals(directory, "pin", "prod", "--at", second, "--json")
        assert done.code == 0, done.errors
    (pinned,) = done.json
    assert pinned == {
        "name": "prod",
        "position": int(second[1:]),
        "recordedAt": syncs(directory)[1]["recorded_at"],
    }
    refused = annals(directory, "pin", "prod", "--at", first)
    assert (refused.code, refused.output) == (1, b"")
    assert f"stands for {second}" in refused.errors
    assert "--move" in refused.errors
    assert annals(directory, "pin", "prod", "--at", first, "--move").code == 0
    assert annals(directory, "pins", "--json").json[0]["position"] == int(first[1:])
    told = annals(directory, "log", "--json").text
    assert [told.count(f'"type": "{kind}"') for kind in ("pin.set", "pin.removed")] == [2, 0]
    assert annals(directory, "pin", "prod", "--remove").code == 0
    again = annals(directory, "pin", "prod", "--remove")
    assert (again.code, annals(directory, "pins", "--json").json) == (2, [])
    assert "No pin 'prod': the pins are none" in again.errors


def test_a_pin_is_shown_and_used(directory: Path) -> None:
    """As a table with both times, and wherever a moment is asked for."""
    second = syncs(directory)[1]
    pinned = annals(
        directory, "pin", "prod", "--at", second["recorded_at"], "--effective-at", "2021-01-01"
    )
    assert pinned.code == 0
    assert annals(directory, "pin", "plain", "--at", second["recorded_at"]).code == 0
    shown = annals(directory, "pins").text
    for text in ("plain", "2021-01-01T00:00:00Z", str(second["position"]), second["recorded_at"]):
        assert text in shown
    replayed = annals(directory, "replay", "--format", "api", "--at", "plain")
    by_position = annals(directory, "replay", "--format", "api", "--at", f"@{second['position']}")
    assert replayed.code == 0
    assert replayed.output == by_position.output


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["2026-q3"], 2, "expected a letter at its start"),
        (["Prod"], 2, "Prod"),
        (["prod", "--at", "2026-01-01T00:00:00"], 2, "with an offset"),
        (["prod", "--at", "2036-01-01"], 2, "lies in the future"),
        (["prod", "--at", "2020-01-01"], 1, "the first commit was recorded at"),
        (["prod", "--at", "unknown"], 2, "No pin 'unknown'"),
        (["prod", "--remove", "--at", "@1"], 2, "--remove"),
    ],
)
def test_what_is_no_pin_is_refused(
    directory: Path, arguments: Sequence[str], code: int, told: str
) -> None:
    """With a message that says what would be one; the log stays as it was."""
    before = annals(directory, "log", "--json").output
    done = annals(directory, "pin", *arguments)
    assert done.code == code
    assert told in done.errors
    assert annals(directory, "log", "--json").output == before


def test_a_running_server_follows_pins(directory: Path) -> None:
    """One that is set, moved or removed by the command is so for clients a second later."""
    first, second, _ = (f"@{sync['position']}" for sync in syncs(directory))
    with started(directory) as server:
        server.until_ready()
        pin = f"{server.url}/registry/default@prod/v0.1/servers"
        assert httpx.get(pin).status_code == 404
        for arguments, names in ((["--at", second], "ab"), (["--at", first, "--move"], "a")):
            assert annals(directory, "pin", "prod", *arguments).code == 0
            until(lambda: count_at(pin) == len(names), FOLLOWED_SECONDS)  # noqa: B023
            assert names_at(server, "/registry/default@prod") == names
        assert httpx.get(f"{server.url}/v1/pins").json()["pins"][0]["name"] == "prod"
        assert annals(directory, "pin", "prod", "--remove").code == 0
        until(lambda: httpx.get(pin).status_code == 404, FOLLOWED_SECONDS)
        assert names_at(server) == "bc"


def count_at(url: str) -> int:
    answer = httpx.get(url)
    return len(answer.json()["servers"]) if answer.status_code == 200 else 0


def serving(*options: str) -> Callable[[int], Sequence[str]]:
    """A server of one moment."""
    return lambda port: [
        *(str(COMMAND), "replay", "--serve", "--address", f"127.0.0.1:{port}"),
        *options,
    ]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_moment_is_served_until_it_is_stopped(directory: Path, stop: signal.Signals) -> None:
    """Read-only and ready: the registry of then at the paths of now, whatever comes into the
    log meanwhile."""
    first, second, _ = (f"@{sync['position']}" for sync in syncs(directory))
    replayed = annals(directory, "replay", "--format", "api", "--at", second)
    with started(directory, serving("--at", second)) as server:
        server.until_ready()
        answer = httpx.get(f"{server.url}/v0.1/servers")
        assert answer.content + b"\n" == replayed.output
        assert answer.headers["registry-position"] == second[1:]
        offer(directory, "bcd")
        assert annals(directory, "sync").code == 0
        assert names_at(server) == names_at(server, "/registry/default") == "ab"
        assert names_at(server, f"/registry/default{first}") == "a"
        refused = httpx.post(f"{server.url}/v1/sources/main/sync")
        assert refused.status_code == 501
        (listed,) = httpx.get(f"{server.url}/v1/registries").json()["registries"]
        assert (listed["serverCount"], listed["default"]) == (2, True)
        server.signal(stop)
        assert server.ended() == 0, server.wrote()
    assert "Traceback" not in server.wrote()
    assert annals(directory, "verify").code == 0


def test_a_moment_that_is_none_is_not_served(directory: Path) -> None:
    """The message is the one of the command that gives back a file."""
    done = annals(directory, "replay", "--serve", "--at", "2020-01-01", "--address", ":0")
    assert done.code == 1
    assert "the first commit was recorded at" in done.errors
