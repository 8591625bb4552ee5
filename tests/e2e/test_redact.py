"""`registry redact` takes a document out of a log that a server serves."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.command_line import COMMAND, Done, environment, registry
from tests.harness.server_process import started, until
from tests.harness.sqlite_files import run_script

CONFIGURATION = """
sources:
  - {name: ours, file: {path: ours.json}, syncPolicy: {interval: 1h}}
"""
SECRET = "sk-5f70bf18a0860070-and-some-more-of-it"
LEAKY = {
    "name": "io.example/leaky",
    "version": "1.0.0",
    "description": "Does things.",
    "packages": [
        {
            "registryType": "oci",
            "identifier": "ghcr.io/example/leaky:1",
            "transport": {"type": "stdio"},
            "environmentVariables": [{"name": "KEY", "default": SECRET}],
        }
    ],
}
SOUND = {"name": "io.example/sound", "version": "1.0.0", "description": "Does things."}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A log in which one of two documents says too much."""
    (tmp_path / "annals.yaml").write_text(CONFIGURATION)
    (tmp_path / "ours.json").write_text(json.dumps([LEAKY, SOUND]))
    assert annals(tmp_path, "sync").code == 0
    return tmp_path


def annals(directory: Path, *arguments: object) -> Done:
    """Run a command with the configuration of *directory* and the data in it."""
    return registry(*arguments, cwd=directory, REGISTRY_CONFIG="annals.yaml")


def leaked(directory: Path) -> str:
    """The hash of what says too much, as the log tells it."""
    events = [json.loads(line) for line in annals(directory, "log", "--json").text.splitlines()]
    return next(
        str(event["data"]["document_hash"])
        for event in events
        if event["type"] == "entry.listed" and event["data"]["key"]["name"] == LEAKY["name"]
    )


def redact(directory: Path, *arguments: object, reason: str = "a key leaked") -> Done:
    known = leaked(directory)
    return annals(directory, "redact", "--document", known, "--reason", reason, *arguments)


def frame_of(directory: Path) -> bytes:
    """The body as it lies in the file."""
    with closing(sqlite3.connect(directory / "data" / "annals.db")) as connection:
        sql = "SELECT body FROM documents WHERE hash = ?"
        ((frame,),) = connection.execute(sql, (leaked(directory),)).fetchall()
    return bytes(frame)


def files(directory: Path) -> bytes:
    """Everything below the data directory."""
    found = (file for file in (directory / "data").rglob("*") if file.is_file())
    return b"".join(file.read_bytes() for file in found)


def test_a_document_goes_for_good(directory: Path) -> None:
    """No byte of it is left, the log verifies, and tells who took it away and why."""
    frame = frame_of(directory)
    assert frame in files(directory)
    done = redact(directory, "--by", "ann", "--yes")
    assert (done.code, done.errors) == (0, "")
    assert "by ann, a key leaked" in done.text
    left = files(directory)
    assert frame not in left
    assert frame[16:48] not in left
    assert SECRET.encode() not in left
    verified = annals(directory, "verify")
    assert verified.code == 0
    assert "2 documents, 1 of them redacted" in verified.text
    assert annals(directory, "verify", "--json").json["redacted"] == 1
    assert (
        f"document {leaked(directory)} redacted by ann: a key leaked"
        in annals(directory, "log").text
    )


def test_a_source_that_still_offers_it_changes_nothing(directory: Path) -> None:
    """Not even where all is read anew."""
    frame = frame_of(directory)
    redact(directory, "--yes")
    (directory / "ours.json").write_text(json.dumps([SOUND, LEAKY, {**SOUND, "version": "2.0.0"}]))
    assert annals(directory, "sync").code == 0
    assert frame not in files(directory)
    assert annals(directory, "verify").code == 0


def test_to_redact_again_appends_nothing(directory: Path) -> None:
    """The first redaction is told again, with exit code 0, and nobody is asked."""
    first = redact(directory, "--yes", "--json").json
    assert (first["repeated"], first["scrubbed"], first["reason"]) == (False, True, "a key leaked")
    assert "@" in first["by"]
    before = annals(directory, "log", "--json").text
    again = redact(directory, "--json", reason="another")
    assert again.code == 0
    assert again.json == {**first, "repeated": True}
    assert "was redacted before" in redact(directory).text
    assert annals(directory, "log", "--json").text == before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--document", "0" * 64, "--reason", "r", "--yes"), 1, "registry log --json"),
        (("--document", "0" * 64, "--reason", " ", "--yes"), 2, "--reason"),
        (("--document", "0" * 64, "--yes"), 2, "--reason"),
    ],
)
def test_what_cannot_be_redacted(
    directory: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """An error that says what to do, and a log as it was."""
    before = annals(directory, "log", "--json").text
    done = annals(directory, "redact", *arguments)
    assert done.code == code
    assert words in done.errors
    assert annals(directory, "log", "--json").text == before


def test_nobody_to_ask_needs_a_yes(directory: Path) -> None:
    """Without a terminal it is used wrongly, and nothing happens."""
    done = redact(directory)
    assert (done.code, "--yes" in done.errors) == (2, True)
    assert frame_of(directory) in files(directory)


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_whoever_sits_at_the_terminal_is_asked(directory: Path, answer: str, code: int) -> None:
    """The question names the server, and only a yes takes it away."""
    known, frame = leaked(directory), frame_of(directory)
    leader, follower = pty.openpty()
    command = [COMMAND, "redact", "--document", known, "--reason", "a key leaked"]
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=environment(REGISTRY_CONFIG="annals.yaml"),
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.write(leader, f"{answer}\n".encode())
    _, errors = process.communicate(timeout=60)
    os.close(leader)
    os.close(follower)
    assert process.returncode == code
    assert b"io.example/leaky@1.0.0" in errors
    assert (frame in files(directory)) is (code == 1)


def test_a_reader_in_the_way_is_told(directory: Path) -> None:
    """Exit code 1 while the document is still in a file; another try finishes it."""
    frame = frame_of(directory)
    run_script(directory / "data" / "annals.db", "PRAGMA wal_checkpoint")
    with closing(sqlite3.connect(directory / "data" / "annals.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchall()
        blocked = redact(directory, "--yes")
        assert (blocked.code, "redact it again" in blocked.errors) == (1, True)
    assert redact(directory).code == 0
    assert frame not in files(directory)


def test_replay_leaves_it_out_and_says_so(directory: Path) -> None:
    """A file has the rest, the answer has a stub; both tell how many are redacted."""
    assert "redacted" not in annals(directory, "replay").errors
    redact(directory, "--yes")
    for format_name in ("upstream", "toolhive"):
        done = annals(directory, "replay", "--format", format_name)
        assert (done.code, "leaky" in done.text, SECRET in done.text) == (0, False, False)
        assert "redacted     1\n" in done.errors
    answer = annals(directory, "replay", "--format", "api", "--json")
    assert json.loads(answer.errors)["redacted"] == 1
    (leaky, _) = answer.json["servers"]
    assert leaky["server"]["description"] == "Redacted: a key leaked"
    assert leaky["_meta"]["dev.annals/redacted"]["documentHash"] == leaked(directory)


def get(url: str) -> Any:
    return httpx.get(url, timeout=20)


def test_a_server_stops_giving_it(directory: Path) -> None:
    """It follows the log: live, past, lists and searches, without a restart."""
    version = "servers/io.example%2Fleaky/versions/1.0.0"
    with started(directory) as server:
        server.until_ready()
        base = f"{server.url}/v0.1"
        past = f"{server.url}/registry/default@@3/v0.1"
        paths = (f"{base}/servers", f"{past}/servers", f"{server.url}/api/v0/servers")
        urls = [*paths, f"{base}/{version}", f"{past}/{version}"]
        position = get(paths[0]).headers["registry-position"]
        urls = [url.replace("@@3", f"@@{position}") for url in urls]
        assert all(get(url).status_code == 200 for url in urls)
        assert redact(directory, "--yes").code == 0
        until(lambda: get(urls[-1]).status_code == 410, within_seconds=10)
        assert [get(url).status_code for url in urls] == [200, 200, 200, 410, 410]
        assert not any(SECRET in get(url).text for url in urls)
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
    assert frame_gone(directory)


def frame_gone(directory: Path) -> bool:
    return SECRET.encode() not in files(directory) and set(frame_of(directory)) == {0}


def test_a_server_of_the_past_stops_giving_it(directory: Path) -> None:
    """Which follows the log for this alone."""

    def serving_past(port: int) -> list[str]:
        return [str(COMMAND), "replay", "--serve", "--address", f"127.0.0.1:{port}"]

    with started(directory, serving_past) as server:
        url = f"{server.url}/v0.1/servers/io.example%2Fleaky/versions/1.0.0"
        server.until_ready()
        assert SECRET in get(url).text
        assert redact(directory, "--yes").code == 0
        until(lambda: get(url).status_code == 410, within_seconds=10)
        server.signal(signal.SIGTERM)
        assert server.ended() == 0


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("DELETE FROM redactions", "was redacted, and is not erased by it"),
        ("UPDATE redactions SET commit_number = 1", "was redacted, and is not erased by it"),
        (
            "INSERT INTO redactions SELECT hash, 1 FROM documents ORDER BY rowid DESC LIMIT 1",
            "was erased, and no event says so",
        ),
        (
            "UPDATE documents SET body = x'010203' WHERE body = zeroblob(length(body))",
            "is marked as erased, and its body is still there",
        ),
        (
            "UPDATE documents SET body = zeroblob(length(body))",
            "its body is not what was stored",
        ),
    ],
)
def test_what_was_done_without_the_log_is_damage(directory: Path, script: str, words: str) -> None:
    """`registry verify` holds the file to what the log says was redacted."""
    redact(directory, "--yes")
    database = directory / "data" / "annals.db"
    for trigger in ("documents_no_update", "redactions_no_update", "redactions_no_delete"):
        run_script(database, f"DROP TRIGGER {trigger}")
    run_script(database, script)
    done = annals(directory, "verify")
    assert (done.code, words in done.text) == (1, True), done.text
