"""A process that is killed while it syncs loses nothing that was acknowledged and tears nothing."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from random import Random

import pytest

from application.event_log import CONFIG_STREAM
from application.moments import Moment
from application.replay import render_answer, replay
from application.verify import verify
from domain.asof import AtPosition
from domain.entry import Lifecycle
from domain.events import (
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
    Event,
    SyncCompleted,
    SyncCounts,
    SyncFailed,
    SyncStage,
)
from domain.identifiers import DocumentHash, EntryKey, EntryKind
from entrypoints.container import Container, opened
from entrypoints.running import prepare
from tests.crash.syncing import offered, settings_in, sync_file
from tests.harness.live_view import live_version
from tests.harness.new_commits import collect

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 0.15  # from the first acknowledgement to the kill: some ten syncs
LONGEST_START_SECONDS = 0.03  # from the first sign of a new log to the kill
PATIENCE_SECONDS = 60
CHANGES = {
    EntryListed: "listed",
    EntryRevised: "revised",
    EntryStatusChanged: "status_changed",
    EntryDelisted: "delisted",
}


def start_syncing(directory: Path, seed: int) -> subprocess.Popen[str]:
    """A process that syncs in a loop."""
    command = [sys.executable, "-m", "tests.crash.syncing", str(directory), str(seed)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str]) -> str:
    """Kill a process, which must be running, and give what it wrote that was not read yet."""
    process.kill()
    rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGKILL, "it ended by itself"
    return rest


def kill_while_syncing(directory: Path, seed: int, delay_seconds: float) -> list[int]:
    """Let a process sync, and kill it some time after its first acknowledgement: all it told."""
    process = start_syncing(directory, seed)
    assert process.stdout
    first = process.stdout.readline()
    time.sleep(delay_seconds)
    told = (first + kill(process)).splitlines(keepends=True)
    return [int(line) for line in told if line.endswith("\n")]


def kill_while_starting(directory: Path, delay_seconds: float) -> None:
    """Let a process start with nothing, and kill it some time after it has made its file."""
    process = start_syncing(directory, seed=0)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (directory / "annals.db").exists():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(delay_seconds)
    kill(process)


def assert_whole(commit: Sequence[Event]) -> None:
    """One sync: what it changed, and at its end one event that counts the same changes."""
    *changes, run = commit
    assert isinstance(run, SyncCompleted | SyncFailed)
    changed = Counter(CHANGES[type(change)] for change in changes)
    counts = run.counts if isinstance(run, SyncCompleted) else SyncCounts()
    assert all(changed[name] == getattr(counts, name) for name in CHANGES.values())


async def check_log(container: Container, acknowledged: Sequence[int]) -> None:
    """The log verifies, all its syncs are whole, and the acknowledged ones are among them."""
    assert (await verify(container.storage())).damages == ()
    logged = await collect(container.log().read())
    commits = [list(commit) for _, commit in groupby(logged, attrgetter("commit_id"))]
    syncs = [commit for commit in commits if commit[0].stream != CONFIG_STREAM]
    for commit in syncs:
        assert_whole([logged.event for logged in commit])
    assert set(acknowledged) <= {commit[-1].position for commit in syncs}


async def check_views(container: Container) -> None:
    """What is served is what the log alone tells."""
    head = await container.storage().head()
    commit = await container.log().resolve(AtPosition(head.position), container.clock())
    past = (await replay(container.log(), Moment(commit=commit))).registry()
    live = await live_version(container.projector(), container.storage())
    documents = container.documents()
    now, then = [b"".join(await render_answer(one, documents)) for one in (live, past)]
    assert now == then


async def check_and_go_on(directory: Path, acknowledged: Sequence[int]) -> int:
    """Check what a killed process left, and sync once more: the position of that sync."""
    settings = settings_in(directory)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        await check_log(container, acknowledged)
        await prepare(container, settings)
        if acknowledged:
            await check_views(container)
        outcome = await sync_file(container, settings, offered(Random(len(acknowledged))))
        assert outcome.completed, outcome.failed
        assert outcome.position
        return outcome.position


@pytest.mark.parametrize(
    "kills", [pytest.param(10, id="ten"), pytest.param(100, id="hundred", marks=pytest.mark.slow)]
)
async def test_kills_lose_and_tear_nothing(tmp_path: Path, kills: int) -> None:
    """After each of many kills the log is whole and has all that was acknowledged, and the next
    sync goes on from there."""
    chance = Random(kills)
    acknowledged: list[int] = []
    for seed in range(kills):
        delay_seconds = chance.uniform(0, LONGEST_SECONDS)
        acknowledged += kill_while_syncing(tmp_path, seed, delay_seconds)
        acknowledged.append(await check_and_go_on(tmp_path, acknowledged))
    assert acknowledged == sorted(acknowledged)


@pytest.mark.parametrize(
    "kills", [pytest.param(3, id="three"), pytest.param(30, id="thirty", marks=pytest.mark.slow)]
)
async def test_kills_while_the_log_is_made_do_no_harm(tmp_path: Path, kills: int) -> None:
    """A file that a killed process had only begun to make is made by the next one."""
    for number in range(kills):
        directory = tmp_path / str(number)
        directory.mkdir()
        kill_while_starting(directory, Random(number).uniform(0, LONGEST_START_SECONDS))
        await check_and_go_on(directory, [])


LISTED = EntryListed(
    key=EntryKey(EntryKind.SERVER, "a", "1"),
    document_hash=DocumentHash("0" * 64),
    title=None,
    tags=(),
    lifecycle=Lifecycle(),
)


@pytest.mark.parametrize(
    "commit",
    [
        [LISTED],
        [LISTED, SyncFailed(stage=SyncStage.FETCH, reason="gone")],
    ],
    ids=["without its end", "failed with changes"],
)
def test_a_torn_sync_would_be_noticed(commit: Sequence[Event]) -> None:
    """The check of these tests complains of a sync that is not whole."""
    with pytest.raises(AssertionError):
        assert_whole(commit)
