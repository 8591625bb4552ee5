"""The log satisfies the implementation of the standard that the Go project publishes."""

import json
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import anyio.to_thread
import httpx
import pytest

from adapters.signing.ed25519 import open_key
from domain.notes import verifier_key
from tests.harness.hostile_server import hostile_server
from tests.harness.server_process import ServerProcess, started, until
from tests.harness.witness_server import WitnessOfOneLog

PROGRAM = Path(__file__).parents[1] / "harness" / "go_tlog"
ORIGIN = "registry.example.com/log"


@pytest.fixture(scope="module")
def go_tlog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verifier, compiled: half a minute where Go's own cache is empty."""
    if shutil.which("go") is None:
        pytest.skip("needs Go, whose verifier of transparency logs is compiled")
    go = partial(
        subprocess.run,
        cwd=PROGRAM,
        env={**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    fetched = go(["go", "mod", "download"])
    if fetched.returncode:
        pytest.skip("needs the Go module golang.org/x/mod, which cannot be fetched here")
    program = tmp_path_factory.mktemp("go") / "go_tlog"
    built = go(["go", "build", "-o", str(program), "."])
    assert built.returncode == 0, built.stderr
    return program


def offer(directory: Path, count: int, title: str) -> None:
    """Let the source of a directory offer so many servers."""
    servers = [
        {
            "name": f"io.example/{number}",
            "version": "1.0.0",
            "description": "Does.",
            "title": title,
        }
        for number in range(count)
    ]
    (directory / "offered.json").write_text(json.dumps(servers))


def verified(go_tlog: Path, server: ServerProcess, **flags: object) -> dict[str, object]:
    """What the verifier found."""
    arguments = [f"-{name}={value}" for name, value in flags.items()]
    done = subprocess.run(
        [go_tlog, f"-url={server.url}/log", *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def cosigned_checkpoint(server: ServerProcess, witness: WitnessOfOneLog) -> str:
    """The checkpoint, once the witness has cosigned it."""

    def look() -> str:
        note = httpx.get(f"{server.url}/log/checkpoint").text
        return note if witness.name in note else ""

    return until(look)


async def test_the_verifier_of_go_accepts_the_log(go_tlog: Path, tmp_path: Path) -> None:
    """Signatures of log and witness, the inclusion of every entry by tiles, the growth from one
    checkpoint to the next, and the proof of a version.
    """
    key = str(verifier_key(open_key(tmp_path / "data" / "log.key", ORIGIN)))
    witness = WitnessOfOneLog(key)
    offer(tmp_path, 300, "One")
    async with hostile_server() as listening:
        listening.answer = witness.answer
        (tmp_path / "annals.yaml").write_text(
            "source: {type: file, file: {path: offered.json}}\n"
            f"log: {{witnesses: [{{key: '{witness.verifier_key}', url: '{listening.url()}'}}]}}\n"
        )
        await anyio.to_thread.run_sync(check_with_go, go_tlog, tmp_path, key, witness)


def check_with_go(go_tlog: Path, directory: Path, key: str, witness: WitnessOfOneLog) -> None:
    """The server and the verifier side by side, while the log grows over several tiles."""
    older, proof = directory / "older", directory / "proof.json"
    with started(directory) as server:
        server.until_ready()
        older.write_text(cosigned_checkpoint(server, witness))
        first = verified(go_tlog, server, key=key, witness=witness.verifier_key)
        assert first["origin"] == ORIGIN
        assert first["included"] == first["size"]
        offer(directory, 310, "Another")
        local = {"Host": "localhost"}
        httpx.post(f"{server.url}/v1/sources/default/sync", headers=local).raise_for_status()
        query = "server=io.example/7&version=1.0.0"
        answer = httpx.get(f"{server.url}/v0.1/x/dev.annals/proof?{query}")
        proof.write_bytes(answer.content)
        cosigned_checkpoint(server, witness)
        flags = {"key": key, "witness": witness.verifier_key, "since": older, "proof": proof}
        second = verified(go_tlog, server, **flags)
    assert second["since"] == first["size"]
    assert second["included"] == second["size"] > 600
    assert second["proven"] == answer.json()["position"]
