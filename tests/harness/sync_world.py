"""Sources that a test holds in its hand, and all that syncs them, for real, into a log."""

import hashlib
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import attrs

from adapters.scratch.memory import MemoryScratch
from adapters.sources.parsing import Parser
from adapters.status.memory import MemoryStatus
from adapters.storage.memory import MemoryStorage
from application.configuration import apply_configuration
from application.documents import Documents
from application.event_log import EventLog, LoggedEvent
from application.moments import resolve_from_log
from application.projector import Projector
from application.registries import Registries
from application.replay import render_answer, replay
from application.status_report import StatusReport
from application.sync import SyncedSource, Syncer
from domain.asof import Asked, AsOf
from domain.definitions import Desired
from domain.entry import OFFICIAL_META
from domain.events import ConfigEvent, RegistryDefined, SourceDefined
from domain.filters import Filter
from domain.guards import Guards
from domain.identifiers import RegistryName, SourceName
from domain.ports.source import Fetched, FetchResult, Unchanged
from domain.ports.storage import StoragePort
from tests.harness.clock import SteppingClock
from tests.harness.live_view import live_version, stored_catalogs
from tests.harness.new_commits import collect

MAIN = SourceName("main")


class HeldSource:
    """SourcePort over whatever the test says it offers. The revision is the hash of that.

    `failure` is raised by the fetch, `late_failure` after all payloads were read. `asked` are
    the revisions that were known to the one who fetched.
    """

    def __init__(self, *items: Any) -> None:
        self.payloads: list[bytes] = []
        self.failure: BaseException | None = None
        self.late_failure: BaseException | None = None
        self.details: dict[str, Any] = {}
        self.asked: list[str | None] = []
        self.offer(*items)

    def offer(self, *items: Any) -> None:
        """Offer these from now on, in one payload."""
        self.payloads = [json.dumps(items).encode()]

    @property
    def revision(self) -> str:
        return hashlib.sha256(b"\0".join(self.payloads)).hexdigest()

    async def fetch(self, known_revision: str | None) -> FetchResult:
        self.asked.append(known_revision)
        if self.failure:
            raise self.failure
        revision = self.revision
        if known_revision == revision:
            return Unchanged()
        return Fetched(revision=lambda: revision, payloads=self._read(), **self.details)

    async def _read(self) -> AsyncGenerator[bytes, None]:
        for payload in self.payloads:
            yield payload
        if self.late_failure:
            raise self.late_failure


def server(name: str, version: str = "1.0.0", **members: Any) -> dict[str, Any]:
    """A valid server.json of `io.example/<name>`."""
    return {
        "name": f"io.example/{name}",
        "version": version,
        "description": "Does things.",
        **members,
    }


def enveloped(document: Mapping[str, Any], **official: Any) -> dict[str, Any]:
    """A server.json with what an official registry says about it."""
    return {"server": document, "_meta": {OFFICIAL_META: official}}


def synced_source(port: HeldSource, name: SourceName = MAIN, **changes: Any) -> SyncedSource:
    """A source as a sync wants it: by default everything is kept and the guards are on."""
    source = SyncedSource(
        name=name,
        location="a test",
        port=port,
        parser=Parser(),
        filter=Filter(),
        guards=Guards(),
        interval_seconds=60.0,
        settings_hash="",
    )
    return attrs.evolve(source, **changes)


def desired(registries: Mapping[str, Sequence[str]], **settings: str) -> Desired:
    """A configuration: registries with their sources, and settings hashes of some sources."""
    sources = dict.fromkeys(name for names in registries.values() for name in names)
    return Desired(
        sources=tuple(
            SourceDefined(
                name=SourceName(name),
                type="held",
                format="",
                location="a test",
                settings_hash=settings.get(name, ""),
            )
            for name in sources
        ),
        registries=tuple(
            RegistryDefined(
                name=RegistryName(name), sources=tuple(map(SourceName, names)), rank=rank
            )
            for rank, (name, names) in enumerate(registries.items())
        ),
    )


class SyncWorld:
    """One process over a storage: everything real but the places where sources live."""

    def __init__(self, storage: StoragePort | None = None) -> None:
        self.clock = SteppingClock()
        self.storage: StoragePort = storage or MemoryStorage(self.clock)
        self.log = EventLog(self.storage)
        self.projector = Projector(self.storage, self.log)
        self.documents = Documents(self.storage, lambda: self.projector.live.redactions)
        self.registries = Registries(
            self.projector, self.storage, self.documents, self.clock, MemoryScratch()
        )
        self.status = MemoryStatus()
        report = StatusReport(self.status, self.clock)
        self.syncer = Syncer(self.storage, self.log, self.projector, report)

    async def configure(
        self, registries: Mapping[str, Sequence[str]], **settings: str
    ) -> Sequence[ConfigEvent]:
        """Let there be these registries, and their sources."""
        wanted = desired(registries, **settings)
        return await apply_configuration(wanted, self.storage, self.log, self.projector)

    async def events(self, after: int = 0) -> list[LoggedEvent]:
        """Everything in the log beyond a position."""
        return await collect(self.log.read(after=after))

    async def offered(self, source: SourceName = MAIN) -> set[str]:
        """What a source offers by now, each as `name@version` without the namespace."""
        await self.projector.catch_up()
        catalogs = await stored_catalogs(self.storage)
        keys = [entry.key for entry in catalogs[source].entries()]
        return {str(key).removeprefix("io.example/") for key in keys}

    async def answer(self, registry: str | None = None) -> bytes:
        """A registry as it is served now."""
        version = await live_version(self.projector, self.storage, registry)
        return b"".join(await render_answer(version, self.documents))

    async def answer_at(self, as_of: AsOf, registry: str | None = None) -> bytes:
        """A registry as of a moment, from the log alone."""
        moment = await resolve_from_log(Asked(at=as_of), self.log, self.clock)
        past = await replay(self.log, moment)
        return b"".join(await render_answer(past.registry(registry), Documents(self.storage)))


async def loaded_world(storage: StoragePort | None = None) -> SyncWorld:
    """A world as a new process finds it."""
    world = SyncWorld(storage)
    await world.projector.load()
    return world
