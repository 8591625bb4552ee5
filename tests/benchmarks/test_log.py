"""The log: appended, replayed, verified, started from."""

import itertools

from adapters.clock import SystemClock
from adapters.scratch.memory import MemoryScratch
from adapters.storage.sqlite import SqliteStorage
from application.documents import Documents
from application.event_log import EventLog
from application.moments import resolve_from_log
from application.projector import Projector
from application.registries import Registries
from application.replay import replay
from application.verify import verify
from domain.asof import NOW
from tests.benchmarks.conftest import VERSIONS, append

_BATCH = 1_000


def test_append(benchmark, bench, listed, tmp_path):
    """Events appended per second, with their documents, 1,000 to a commit."""
    storage = bench.run(SqliteStorage.open, tmp_path / "annals.db", SystemClock())
    log, commits = EventLog(storage), itertools.count()

    def commit():
        number = next(commits)
        start = number * _BATCH % VERSIONS
        bench.run(append, storage, log, listed[start : start + _BATCH], f"append-{number}")

    benchmark.pedantic(commit, rounds=30, warmup_rounds=1)
    benchmark.extra_info["events_per_second"] = round(_BATCH / benchmark.stats["mean"])
    bench.run(storage.close)


def test_replay(benchmark, bench, data_dir):
    """100,000 events replayed from the log alone."""

    async def run():
        storage = await SqliteStorage.open(data_dir / "annals.db", SystemClock())
        try:
            log = EventLog(storage)
            moment = await resolve_from_log(NOW, log, SystemClock())
            return (await replay(log, moment)).registry()
        finally:
            await storage.close()

    registry = benchmark.pedantic(bench.run, (run,), rounds=3)
    benchmark.extra_info["events_per_second"] = round(VERSIONS / benchmark.stats["mean"])
    assert len(registry.servers) == VERSIONS


def test_verify(benchmark, bench, data_dir):
    """100,000 events and documents verified."""

    async def run():
        storage = await SqliteStorage.open(data_dir / "annals.db", SystemClock())
        try:
            return await verify(storage)
        finally:
            await storage.close()

    result = benchmark.pedantic(bench.run, (run,), rounds=3)
    benchmark.extra_info["events_per_second"] = round(result.events / benchmark.stats["mean"])
    assert result.damages == ()


def test_start(benchmark, bench, data_dir):
    """A start with 100,000 live entries, from the views."""

    async def run():
        storage = await SqliteStorage.open(data_dir / "annals.db", SystemClock())
        try:
            projector = Projector(storage, EventLog(storage))
            await projector.load()
            documents = Documents(storage)
            return await Registries(
                projector, storage, documents, SystemClock(), MemoryScratch()
            ).asked()
        finally:
            await storage.close()

    bench.run(run)  # builds the views
    registry = benchmark.pedantic(bench.run, (run,), rounds=3)
    assert registry.index.server_versions == VERSIONS
