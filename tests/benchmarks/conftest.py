"""A log to measure on, made once."""

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import anyio
import attrs
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.types import ASGIApp

from adapters.clock import SystemClock
from adapters.kubernetes.deployed import NoCluster
from adapters.scratch.memory import MemoryScratch
from adapters.sources.formats.toolhive_conversion import from_server_json
from adapters.storage.sqlite import SqliteStorage
from application.documents import Documents
from application.event_log import CONFIG_STREAM, EventLog, Write, catalog_stream
from application.projector import Projector
from application.registries import Registries
from domain.entry import Entry
from domain.events import EntryListed, RegistryDefined, SourceDefined
from domain.identifiers import CommitId, RegistryName, SourceName
from domain.log import AnyVersion
from entrypoints.http.app import create_app
from entrypoints.http.services import Services
from entrypoints.interpreter import collect_seldom
from entrypoints.release import current_release
from tests.harness.generator import entries

VERSIONS = 100_000
_COMMIT = 10_000
SOURCE = SourceName("bench")

T = TypeVar("T")


@attrs.frozen
class Bench:
    """Runs coroutines on one event loop, so that starting one is not measured."""

    portal: BlockingPortal

    def run(self, work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        return self.portal.call(work, *arguments)


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """As the commands do, see entrypoints.interpreter."""
    collect_seldom()
    with start_blocking_portal() as portal:
        yield Bench(portal)


@pytest.fixture(scope="session")
def listed() -> list[Entry]:
    """100,000 versions of 25,000 servers."""
    return list(entries(VERSIONS))


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory, listed: list[Entry]) -> Path:
    """A data directory whose log lists them all."""
    directory = tmp_path_factory.mktemp("data")
    anyio.run(_fill, directory, listed)
    return directory


async def _fill(directory: Path, listed: list[Entry]) -> None:
    storage = await SqliteStorage.open(directory / "annals.db", SystemClock())
    try:
        log = EventLog(storage)
        await define(log)
        for start in range(0, len(listed), _COMMIT):
            await append(storage, log, listed[start : start + _COMMIT], f"fill-{start}")
    finally:
        await storage.close()


async def define(log: EventLog) -> None:
    """Let there be a registry with one source."""
    events = [
        SourceDefined(name=SOURCE, type="file", format="upstream", location="", settings_hash=""),
        RegistryDefined(name=RegistryName("default"), sources=(SOURCE,), rank=0),
    ]
    await log.append(CommitId("config"), [Write(CONFIG_STREAM, AnyVersion(), events)])


def served(storage: SqliteStorage, projector: Projector) -> ASGIApp:
    """The application over a log, as far as pages are concerned."""

    def nothing(*_: Any) -> Any:
        """What no page asks for."""

    unasked: Any = nothing
    documents = Documents(storage)
    return create_app(
        Services(
            registries=Registries(projector, storage, documents, SystemClock(), MemoryScratch()),
            documents=documents,
            transparency=unasked,
            to_toolhive=from_server_json,
            deployed=NoCluster(),
            readiness=lambda: None,
            overviews=unasked,
            configuration=unasked,
            sync_now=unasked,
            feed=unasked,
            diff=unasked,
            webhooks=unasked,
            release=current_release(),
        )
    )


async def append(storage: SqliteStorage, log: EventLog, batch: list[Entry], commit_id: str) -> None:
    """List a batch of entries as one commit."""
    events = [
        EntryListed(
            key=entry.key,
            document_hash=entry.document_hash,
            title=entry.title,
            tags=entry.tags,
            lifecycle=entry.lifecycle,
        )
        for entry in batch
    ]
    bodies = {entry.document_hash: entry.document for entry in batch}
    await storage.stage(CommitId(commit_id), bodies)
    await log.append(CommitId(commit_id), [Write(catalog_stream(SOURCE), AnyVersion(), events)])
