"""`registry key` and `registry verify --remote`, against real servers."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
import httpx
import pytest

from adapters.signing.ed25519 import open_key
from domain.notes import verifier_key
from tests.harness.command_line import Done, registry
from tests.harness.hostile_server import hostile_server
from tests.harness.server_process import ServerProcess, started, until
from tests.harness.witness_server import WitnessOfOneLog

CONFIGURATION = "source: {type: file, file: {path: offered.json}}\nserver: {drain: 0s}\n"


def offer(directory: Path, *names: str) -> None:
    """Let the source of a directory offer servers."""
    servers = [
        {"name": f"io.example/{name}", "version": "1.0.0", "description": "Does."} for name in names
    ]
    (directory / "offered.json").write_text(json.dumps(servers))


def fill(directory: Path) -> Path:
    """A configuration of one source."""
    (directory / "annals.yaml").write_text(CONFIGURATION)
    offer(directory, "a", "b")
    return directory


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server that most tests ask has its data."""
    return fill(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[ServerProcess]:
    """A server to be verified, not to be changed."""
    with started(directory) as server:
        server.until_ready()
        yield server


def annals(directory: Path, *arguments: object) -> Done:
    """Run a command where the server's data is."""
    return registry(*arguments, cwd=directory, REGISTRY_CONFIG="annals.yaml")


def verify(server: ServerProcess, elsewhere: Path, *arguments: object) -> Done:
    """Verify a server from where neither its configuration nor its data is."""
    return registry("verify", "--remote", server.url, *arguments, cwd=elsewhere)


def test_a_registry_is_verified_with_the_key_of_its_operator(
    server: ServerProcess, directory: Path, tmp_path: Path
) -> None:
    """What `registry key` prints is what `--key` takes."""
    key = annals(directory, "key").text.strip()
    assert annals(directory, "key", "--json").json["key"] == key
    done = verify(server, tmp_path, "--key", key, "--json")
    assert (done.code, done.errors) == (0, "")
    assert (done.json["key"], done.json["keyOnFirstUse"], done.json["versions"]) == (key, False, 2)
    assert done.json["entries"] == done.json["size"] > 2
    told = verify(server, tmp_path, "--key", key, "--registry", "default")
    assert "Everything fits." in told.text
    assert "first" not in told.text


def test_the_first_key_is_remembered(
    server: ServerProcess, directory: Path, tmp_path: Path
) -> None:
    """It is said that it was trusted because it came first; from then on it is the only one."""
    first = verify(server, tmp_path, "--since", "seen.json")
    assert first.code == 0
    assert "trusted because it is the first one seen" in first.text
    again = verify(server, tmp_path, "--since", "seen.json")
    assert "first" not in again.text
    assert "only grown" in again.text
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["key"] == annals(directory, "key").text.strip()


def test_a_note_of_another_tool_is_a_checkpoint_too(server: ServerProcess, tmp_path: Path) -> None:
    """`curl` will do to remember a checkpoint."""
    verify(server, tmp_path, "--since", "seen.json")
    note = json.loads((tmp_path / "seen.json").read_text())["checkpoint"]
    (tmp_path / "note").write_text(note)
    done = verify(server, tmp_path, "--since", "note", "--json")
    assert done.json["since"] == done.json["size"]


def test_a_server_that_lost_its_log_is_refused(tmp_path: Path) -> None:
    """With the key of before and another history: the two notes are shown, and what was seen
    before stays remembered.
    """
    directory = fill(tmp_path)
    with started(directory) as server:
        server.until_ready()
        assert verify(server, tmp_path, "--since", "seen.json").code == 0
        server.signal(signal.SIGTERM)
        server.ended()
    seen = (tmp_path / "seen.json").read_bytes()
    for file in (directory / "data").iterdir():
        if file.name != "log.key":
            file.unlink() if file.is_file() else shutil.rmtree(file)
    offer(directory, "a", "c", "d")
    with started(directory) as server:
        server.until_ready()
        done = verify(server, tmp_path, "--since", "seen.json")
    assert (done.code, done.output) == (1, b"")
    assert "Traceback" not in done.errors
    origin = annals(directory, "key").text.partition("+")[0]
    assert done.errors.count(f"\n{origin}\n") == 2
    assert json.loads(seen)["checkpoint"].strip() in done.errors
    assert (tmp_path / "seen.json").read_bytes() == seen


def test_another_key_is_refused(server: ServerProcess, directory: Path, tmp_path: Path) -> None:
    """Whether it is given beside another one that is remembered, or is not that of the log."""
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    done = verify(server, tmp_path, "--key", other)
    assert done.code == 1
    assert "no valid signature" in done.errors
    verify(server, tmp_path, "--since", "seen.json")
    done = verify(server, tmp_path, "--since", "seen.json", "--key", other)
    assert done.code == 2
    assert "was written for the key" in done.errors


def test_what_was_remembered_has_to_be_readable(server: ServerProcess, tmp_path: Path) -> None:
    """The message says what is expected there."""
    for content, message in (("{}", "expected what"), ("hello", "not a signed note")):
        (tmp_path / "seen").write_text(content)
        done = verify(server, tmp_path, "--since", "seen")
        assert message in done.errors
        assert "Traceback" not in done.errors
        assert (tmp_path / "seen").read_text() == content


def test_a_log_without_a_key_is_told_of(tmp_path: Path) -> None:
    """No key is made by who only asks for it."""
    done = annals(fill(tmp_path), "key")
    assert done.code == 1
    assert "`registry serve` makes one" in done.errors
    assert not (tmp_path / "data").exists()


def test_a_key_that_was_given_is_the_one(tmp_path: Path) -> None:
    """It may lie anywhere, and its name must be the one that is configured."""
    given = verifier_key(open_key(tmp_path / "given.key", "example.com/log"))
    settings = "{keyFile: given.key, origin: example.com/log}"
    (fill(tmp_path) / "annals.yaml").write_text(f"{CONFIGURATION}log: {settings}\n")
    assert annals(tmp_path, "key").text == f"{given}\n"
    (tmp_path / "annals.yaml").write_text(
        f"{CONFIGURATION}log: {settings.replace('com/log', 'com/other')}\n"
    )
    done = annals(tmp_path, "key")
    assert done.code == 1
    assert "a log keeps its name" in done.errors


def test_a_log_in_memory_has_no_key_to_keep(tmp_path: Path) -> None:
    """It begins anew each time, so its key does too."""
    (fill(tmp_path) / "annals.yaml").write_text(f"{CONFIGURATION}storage: {{type: memory}}\n")
    done = annals(tmp_path, "key")
    assert done.code == 1
    assert "/log/key" in done.errors


async def test_a_witness_cosigns_what_is_verified(tmp_path: Path) -> None:
    """It is asked by the server; who verifies the log can demand that it has cosigned."""
    key = str(verifier_key(open_key(tmp_path / "data" / "log.key", "example.com/log")))
    witness = WitnessOfOneLog(key)
    async with hostile_server() as listening:
        listening.answer = witness.answer
        asked = f"{{key: '{witness.verifier_key}', url: '{listening.url()}'}}"
        (fill(tmp_path) / "annals.yaml").write_text(
            f"{CONFIGURATION}log: {{witnesses: [{asked}]}}\n"
        )
        await anyio.to_thread.run_sync(verify_with_witness, tmp_path, key, witness.verifier_key)


def verify_with_witness(directory: Path, key: str, witness: str) -> None:
    with started(directory) as server:
        server.until_ready()
        until(lambda: httpx.get(f"{server.url}/log/checkpoint/witnessed").is_success)
        done = verify(server, directory, "--key", key, "--witness", witness)
        assert "Witnessed    by witness.example.com/w1 at " in done.text
        done = verify(server, directory, "--key", key, "--witness", witness, "--json")
        assert done.json["witnessed"][0]["at"] == "2023-11-14T22:13:20+00:00"


def test_options_of_another_registry_need_its_url(directory: Path) -> None:
    """They mean nothing for the log that is here."""
    done = annals(directory, "verify", "--since", "seen.json")
    assert done.code == 2
    assert "go with --remote URL" in done.errors


def test_a_url_that_nobody_answers_at_is_told_of(directory: Path) -> None:
    """So is one that is none."""
    for url in ("http://127.0.0.1:1", "hello"):
        done = annals(directory, "verify", "--remote", url)
        assert done.code == 1, url
        assert "cannot be read" in done.errors
        assert "Traceback" not in done.errors
