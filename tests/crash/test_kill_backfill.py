"""A history that is cut off by kills ends as one that was recorded undisturbed."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from application.event_log import CATALOG, HISTORY
from application.verify import verify
from domain.events import HistoryCompleted, RevisionRecorded, SyncCompleted
from entrypoints.container import opened
from tests.crash.backfilling import settings_in
from tests.crash.syncing import offered
from tests.harness.git_repository import ISOLATED, GitRepository
from tests.harness.new_commits import collect

ROOT = Path(__file__).resolve().parents[2]
REVISIONS = 200
BEGAN = 1_600_000_000
LONGEST_SECONDS = 0.05  # from an acknowledgement to the kill: some revisions
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose registry file has changed many times, and was sometimes none."""
    repository = GitRepository(tmp_path_factory.mktemp("repository") / "catalog").path
    chance = Random(4)
    contents = [b"<html>" if number % 10 == 5 else offered(chance) for number in range(REVISIONS)]
    stream = b"".join(_commit(number, content) for number, content in enumerate(contents))
    command = ["git", "fast-import", "--quiet"]
    subprocess.run(command, cwd=repository, input=stream, check=True, env=ISOLATED)
    return repository


def _commit(number: int, content: bytes) -> bytes:
    """A commit for `git fast-import`, an hour behind the one before."""
    head = f"commit refs/heads/main\ncommitter A <a@b> {BEGAN + number * 3600} +0000\ndata 0\n"
    return f"{head}M 644 inline registry.json\ndata {len(content)}\n".encode() + content + b"\n"


def start(directory: Path, repository: Path) -> subprocess.Popen[str]:
    """A process that records what is missing."""
    command = [sys.executable, "-m", "tests.crash.backfilling", str(directory), str(repository)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill_amid(directory: Path, repository: Path, chance: Random) -> list[int]:
    """Let a process record some revisions, and kill it: the numbers that it told."""
    process = start(directory, repository)
    assert process.stdout
    told = [process.stdout.readline() for _ in range(chance.randint(1, 4))]
    time.sleep(chance.uniform(0, LONGEST_SECONDS))
    process.kill()
    rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    told += rest.splitlines(keepends=True)
    assert process.returncode == -signal.SIGKILL, "it ended by itself"
    return [int(line) for line in told if line.endswith("\n")]


def finish(directory: Path, repository: Path) -> list[int]:
    """Let a process record all the rest: the numbers that it told."""
    process = start(directory, repository)
    told, _ = process.communicate(timeout=PATIENCE_SECONDS)
    *numbers, done = told.split()
    assert (process.returncode, done) == (0, "done")
    return [int(number) for number in numbers]


async def recorded(directory: Path, repository: Path) -> list[tuple[Any, ...]]:
    """What a log has of the history, with its effective times; the log verifies and is done."""
    settings = settings_in(directory, repository)
    async with opened(settings.config, directory, must_exist=True) as container:
        assert (await verify(container.storage())).damages == ()
        logged = await collect(container.log().read())
    assert isinstance(logged[-1].event, SyncCompleted)
    assert [each.event for each in logged].count(HistoryCompleted(problem=None)) == 1
    return [
        (each.stream, each.effective_at, each.event)
        for each in logged
        if each.stream.startswith((CATALOG, HISTORY))
        and not isinstance(each.event, HistoryCompleted)
    ]


def revisions_of(recorded: Sequence[tuple[Any, ...]]) -> list[int]:
    return [event.number for *_, event in recorded if isinstance(event, RevisionRecorded)]


@pytest.mark.parametrize(
    "kills", [pytest.param(3, id="three"), pytest.param(15, id="fifteen", marks=pytest.mark.slow)]
)
async def test_kills_amid_a_history_do_no_harm(
    repository: Path, tmp_path: Path, kills: int
) -> None:
    """After any number of kills the log has every revision once, as of its time, and its changes;
    none that was acknowledged is recorded again."""
    finish(tmp_path / "undisturbed", repository)
    chance, directory = Random(kills), tmp_path / "killed"
    told: list[int] = []
    for _ in range(kills):
        told += kill_amid(directory, repository, chance)
    told += finish(directory, repository)
    assert told == sorted(set(told))
    history = await recorded(directory, repository)
    assert revisions_of(history) == list(range(1, REVISIONS + 1))
    assert history == await recorded(tmp_path / "undisturbed", repository)
