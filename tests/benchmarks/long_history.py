"""A log of a million events in a file of its own, made once and kept between runs."""

import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from adapters.storage.sqlite import SqliteStorage
from adapters.storage.sqlite_database import SCHEMA
from application.event_log import CONFIG_STREAM, EventLog, Write, catalog_stream, sync_stream
from domain.entry import Entry
from domain.events import CatalogEvent, RegistryDefined, SourceDefined, SyncCompleted, SyncCounts
from domain.identifiers import CommitId, DocumentHash, RegistryName, SourceName
from domain.log import AnyVersion
from entrypoints.interpreter import collect_seldom
from tests.benchmarks import catalogue, history_events
from tests.benchmarks.data_sets import configured, registry_file
from tests.benchmarks.history_events import Version, commits
from tests.harness.clock import SteppingClock

EVENTS = 1_000_000
VERSIONS = 100_000
SOURCE = SourceName("bench")
_EVENTS_OF_A_COMMIT = 250
_COMMITS = EVENTS // _EVENTS_OF_A_COMMIT
BEGUN = datetime(2025, 10, 1, tzinfo=UTC)


def bench_dir() -> Path:
    """Where data sets are kept between runs: ANNALS_BENCH_DIR, else below the temporary files."""
    default = Path(tempfile.gettempdir(), "annals-bench")
    return Path(os.environ.get("ANNALS_BENCH_DIR") or default)


def long_history(parent: Path) -> Path:
    """A data set that can be served, made in minutes where *parent* has none yet.

    Its source is a file that offers what is listed at the end.
    """
    directory = parent / f"history-{_fingerprint()}"
    if not directory.exists():
        making = parent / f"making-{os.getpid()}"
        shutil.rmtree(making, ignore_errors=True)
        (making / "data").mkdir(parents=True)
        asyncio.run(_write(making / "data" / "annals.db"))
        registry_file(configured(making) / "registry.json", VERSIONS)
        making.rename(directory)
    return directory


def _fingerprint() -> str:
    """Another one whenever what is generated, or the tables it is written to, are others."""
    sources = (catalogue.__file__, history_events.__file__, __file__, SCHEMA)
    contents = (Path(source).read_bytes() for source in sources)
    return hashlib.sha256(b"".join(contents)).hexdigest()[:12]


async def _write(path: Path) -> None:
    collect_seldom()
    clock = SteppingClock(at=BEGUN, step=timedelta(days=365) / _COMMITS)
    storage = await SqliteStorage.open(path, clock)
    try:
        log, begun = EventLog(storage), time.monotonic()
        await _define(log)
        fresh: list[Entry] = []
        versions = [Version(number, fresh.append) for number in range(VERSIONS)]
        catalog_events = EVENTS - _COMMITS
        for number, events in enumerate(commits(versions, catalog_events, _EVENTS_OF_A_COMMIT)):
            commit_id = CommitId(f"sync-{number}")
            await storage.stage(commit_id, _bodies(fresh))
            await log.append(commit_id, _writes(number, events))
            if number % 500 == 0:
                end = await log.end()
                click.echo(f"{end:,} events after {time.monotonic() - begun:.0f} s", err=True)
    finally:
        await storage.close()


async def _define(log: EventLog) -> None:
    events = [
        SourceDefined(name=SOURCE, type="file", format="upstream", location="", settings_hash=""),
        RegistryDefined(name=RegistryName("default"), sources=(SOURCE,), rank=0),
    ]
    await log.append(CommitId("config"), [Write(CONFIG_STREAM, AnyVersion(), events)])


def _bodies(fresh: list[Entry]) -> dict[DocumentHash, bytes]:
    """The documents that no commit had before; they are let go of."""
    bodies = {entry.document_hash: entry.document for entry in fresh}
    fresh.clear()
    return bodies


def _writes(number: int, events: Sequence[CatalogEvent]) -> Sequence[Write]:
    completed = SyncCompleted(
        revision=f"revision-{number}",
        unread=False,
        filter_hash="",
        settings_hash="",
        counts=SyncCounts(unchanged=VERSIONS - len(events)),
        rejected=(),
        notes=(),
    )
    return (
        Write(catalog_stream(SOURCE), AnyVersion(), events),
        Write(sync_stream(SOURCE), AnyVersion(), [completed]),
    )


if __name__ == "__main__":
    click.echo(long_history(Path(sys.argv[1]) if sys.argv[1:] else bench_dir()))
