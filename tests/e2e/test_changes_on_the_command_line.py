"""Histories, diffs and the log as it grows, on the command line."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from entrypoints.cli import main
from tests.harness.command_line import COMMAND, PATIENCE_SECONDS, Done, environment

CONFIGURATION = "sources:\n  - {name: ours, file: {path: ours.json}}\n"
ONE = "io.example/one"


def image(tag: str, stars: int, version: str = "1.0.0") -> dict[str, Any]:
    package = {
        "registryType": "oci",
        "identifier": f"ghcr.io/example/one:{tag}",
        "transport": {"type": "stdio"},
    }
    return {
        "name": ONE,
        "version": version,
        "description": "Does things.",
        "packages": [package],
        "_meta": {"io.modelcontextprotocol.registry/publisher-provided": {"stars": stars}},
    }


def annals(directory: Path, *arguments: object) -> Done:
    """Run a command in this process: to start one takes longer than most of what they do."""
    with chdir(directory):
        done = CliRunner().invoke(
            main, [str(each) for each in arguments], env={"REGISTRY_CONFIG": "annals.yaml"}
        )
    return Done(code=done.exit_code, output=done.stdout_bytes, errors=done.stderr)


def offer(directory: Path, *servers: dict[str, Any]) -> int:
    """Sync these, and tell where the log ends then."""
    (directory / "ours.json").write_text(json.dumps(servers))
    done = annals(directory, "sync", "--json")
    assert done.code == 0, done.errors
    return int(done.json[0]["position"])


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of a server that came, got stars, and runs something else; `approved` is the first."""
    directory = tmp_path_factory.mktemp("changed")
    (directory / "annals.yaml").write_text(CONFIGURATION)
    offer(directory, image("v1", 1))
    assert annals(directory, "pin", "approved").code == 0
    offer(directory, image("v1", 2))
    assert annals(directory, "pin", "starred").code == 0
    offer(directory, image("v2", 2))
    return directory


def test_the_history_of_a_server_is_shown(changed: Path):
    """First change first, each with its position, what it means and what differs."""
    done = annals(changed, "history", ONE)
    assert done.code == 0
    came, listed, turned, reused, difference = done.text.splitlines()
    assert came.startswith("@4  20")
    assert came.endswith("Z  added")
    assert listed == "  + 1.0.0  [documentation] [execution] [identity] [lifecycle]  from ours"
    assert turned.endswith("Z  changed")
    assert reused == "  ~ 1.0.0  [execution]  version reused!  from ours"
    assert '"ghcr.io/example/one:v1" -> "ghcr.io/example/one:v2"' in difference
    assert "--class all shows them" in done.errors


def test_popularity_is_shown_where_it_is_asked_for(changed: Path):
    """Then nothing is said of it."""
    done = annals(changed, "history", ONE, "--class", "all")
    assert "/stars  1 -> 2  [popularity]" in done.text
    assert done.errors == ""


def test_a_history_as_json_is_that_of_http(changed: Path):
    """With where to go on."""
    page = annals(changed, "history", ONE, "--json", "--class", "all", "--limit", 1).json
    assert [change["change"] for change in page["changes"]] == ["added"]
    assert page["metadata"]["isLast"] is False
    after = page["metadata"]["next"]
    rest = annals(changed, "history", ONE, "--json", "--class", "all", "--after", after).json
    assert [change["classes"] for change in rest["changes"]] == [["popularity"], ["execution"]]
    told = annals(changed, "history", ONE, "--limit", 1)
    assert f"--after {after} goes on" in told.errors


def test_a_diff_is_shown_with_its_sum(changed: Path):
    """Both sides first, then every server, then how many of what."""
    done = annals(changed, "diff", "--from", "approved", "--class", "all")
    assert done.code == 0
    first, name, version, *differences, last = done.text.splitlines()
    assert first.startswith("default@4 (20")
    assert name == f"{ONE}  changed"
    assert version == "  ~ 1.0.0  [execution] [popularity]  version reused!  from ours"
    assert len(differences) == 2
    assert last == "1 changed: 1 execution, 1 popularity"
    nothing = annals(changed, "diff", "--from", "starred", "--to", "starred")
    assert nothing.text.splitlines()[-1] == "No differences."


def test_a_diff_as_json_has_both_sides(changed: Path):
    """And all pages in one."""
    diff = annals(changed, "diff", "--from", "approved", "--to", "starred", "--json").json
    assert diff["changes"] == []
    assert diff["metadata"]["count"] == 0
    assert diff["metadata"]["from"]["position"] == 4
    assert diff["metadata"]["to"]["registry"] == "default"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--from", "approved", "--class", "execution"], 1),
        (["--from", "approved", "--class", "inputs"], 0),
        (["--from", "approved", "--to", "starred"], 0),
        (["--from", "approved", "--to", "starred", "--class", "popularity"], 1),
        (["--from", "approved", "--json"], 1),
        (["--from", "nothing"], 2),
        (["--from", "@9999"], 2),
        (["--from", "approved", "--registry", "none"], 2),
        (["--from", "approved", "--class", "stars"], 2),
        (["--from", "approved", "--data-dir", "elsewhere"], 2),
        ([], 2),
    ],
)
def test_the_exit_code_tells_of_differences(changed: Path, options: list[str], code: int):
    """0 where there is none, 1 where there is one, 2 where nobody can tell."""
    assert annals(changed, "diff", "--exit-code", *options).code == code


def test_a_closed_pipe_is_no_difference(changed: Path):
    """Nobody could tell by the code what was not written."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [COMMAND, "diff", "--exit-code", "--from", "approved"],
            cwd=changed,
            env=environment(REGISTRY_CONFIG="annals.yaml"),
            stdout=closed,
            stderr=subprocess.DEVNULL,
        )
    assert done.returncode == 2


def test_a_diff_without_exit_code_is_no_failure(changed: Path):
    """Differences are what it was asked for; errors are errors."""
    assert annals(changed, "diff", "--from", "approved").code == 0
    assert annals(changed, "diff", "--from", "@999999").code == 2
    assert "--from AS-OF" in annals(changed, "diff").errors


def test_colours_are_for_terminals(changed: Path):
    """A reused version stands out there."""
    leader, follower = pty.openpty()
    done = subprocess.Popen(
        [COMMAND, "history", ONE],
        cwd=changed,
        env=environment(REGISTRY_CONFIG="annals.yaml", TERM="xterm", COLUMNS="80"),
        stdout=follower,
        stderr=subprocess.DEVNULL,
    )
    os.close(follower)
    shown = b""
    with os.fdopen(leader, "rb", buffering=0) as terminal:
        try:
            while piece := terminal.read(4096):
                shown += piece
        except OSError:  # EIO: the other end was closed
            pass
    assert done.wait(PATIENCE_SECONDS) == 0
    assert b"\x1b[1;31m  version reused!" in shown


@contextmanager
def following(directory: Path, *options: object) -> Iterator[subprocess.Popen[str]]:
    """`registry log --follow`, which is ended if the test did not."""
    process = subprocess.Popen(
        [COMMAND, "log", "--follow", *map(str, options)],
        cwd=directory,
        env=environment(REGISTRY_CONFIG="annals.yaml"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_log_is_followed(tmp_path: Path):
    """Everything beyond a position, and what another process adds meanwhile; SIGINT ends it."""
    (tmp_path / "annals.yaml").write_text(CONFIGURATION)
    end = offer(tmp_path, image("v1", 1))
    with following(tmp_path, "--json", "--after", 1, "--limit", 1) as process:
        assert process.stdout
        there = [json.loads(process.stdout.readline())["position"] for _ in range(end - 1)]
        assert there == list(range(2, end + 1))
        later = offer(tmp_path, image("v2", 1))
        come = [json.loads(process.stdout.readline()) for _ in range(end, later)]
        assert [event["type"] for event in come] == ["entry.revised", "sync.completed"]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, errors) == (0, "")


def test_following_begins_with_the_last_events(changed: Path):
    """As many as --limit says, of one source if one is named; SIGTERM ends it without a word."""
    with following(changed, "--source", "ours", "--limit", 2) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(2)]
        assert "revised: execution" in lines[0]
        assert "synced: 0 listed, 1 revised" in lines[1]
        process.terminate()
        rest, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert (rest, errors) == ("", "")


def test_following_ends_when_nobody_reads(tmp_path: Path):
    """As soon as there is something to tell, without a traceback."""
    (tmp_path / "annals.yaml").write_text(CONFIGURATION)
    end = offer(tmp_path, image("v1", 1))
    with following(tmp_path, "--after", end - 1) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        offer(tmp_path, image("v2", 1))
        assert process.wait(PATIENCE_SECONDS) == 1
        assert process.stderr.read() == ""
