"""A process that is killed while it redacts has taken a document away wholly or not at all."""

import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from application.redactions import redactions_in_log
from application.verify import verify
from entrypoints.container import opened
from entrypoints.running import prepare
from tests.crash.redacting import redact
from tests.crash.syncing import settings_in, sync_file

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = 300
LONGEST_SECONDS = 0.1  # from the first acknowledgement to the kill
PATIENCE_SECONDS = 60


async def fill(directory: Path) -> Mapping[str, bytes]:
    """A log of many documents. Returns their bodies as they lie in the file."""
    servers = [
        {
            "name": f"io.example/s{number}",
            "version": "1.0.0",
            "description": hashlib.sha256(str(number).encode()).hexdigest(),
        }
        for number in range(DOCUMENTS)
    ]
    settings = settings_in(directory)
    async with opened(settings.config, settings.data_dir) as container:
        await prepare(container, settings)
        outcome = await sync_file(container, settings, json.dumps(servers).encode())
        assert outcome.completed
    with closing(sqlite3.connect(directory / "annals.db")) as connection:
        return dict(connection.execute("SELECT hash, body FROM documents").fetchall())


def left_in(directory: Path, bodies: Mapping[str, bytes]) -> set[str]:
    """The documents whose bodies the files hold."""
    files = b"".join(file.read_bytes() for file in directory.glob("annals.db*"))
    return {known for known, body in bodies.items() if body in files}


def kill_while_redacting(directory: Path, delay_seconds: float) -> set[str]:
    """Let a process redact, and kill it some time after its first acknowledgement: all it told."""
    command = [sys.executable, "-m", "tests.crash.redacting", str(directory)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    first = process.stdout.readline()
    time.sleep(delay_seconds)
    process.kill()
    rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode in (-signal.SIGKILL, 0)
    return {line[:-1] for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")}


async def check(directory: Path, acknowledged: set[str]) -> set[str]:
    """Log and storage agree on what was redacted. Returns what was not, with the files clean."""
    settings = settings_in(directory)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        storage = container.storage()
        found = await verify(storage)
        assert found.damages == ()
        redacted = await redactions_in_log(container.log())
        assert redacted.keys() == (await storage.erasures()).keys()
        assert acknowledged <= redacted.keys()
        kept = [known async for batch in storage.all_documents() for known in batch]
        assert len(kept) + len(redacted) == DOCUMENTS
        assert (await storage.documents(kept)).keys() == set(kept)
        for known in redacted:
            await redact(container.redactions(), known)
    return set(kept)


@pytest.mark.parametrize(
    "kills", [pytest.param(4, id="four"), pytest.param(40, id="forty", marks=pytest.mark.slow)]
)
async def test_kills_tear_no_redaction(tmp_path: Path, kills: int) -> None:
    """After each kill all that was acknowledged is gone, and nothing is gone unsaid."""
    chance = Random(kills)
    bodies = await fill(tmp_path)
    assert left_in(tmp_path, bodies) == bodies.keys()
    acknowledged: set[str] = set()
    for _ in range(kills):
        acknowledged |= kill_while_redacting(tmp_path, chance.uniform(0, LONGEST_SECONDS))
        kept = await check(tmp_path, acknowledged)
        assert left_in(tmp_path, bodies) == kept
    assert acknowledged
