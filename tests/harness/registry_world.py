"""A small world of sources and registries, with everything real but the places sources live in."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import attrs
import httpx

from adapters.kubernetes.deployed import NoCluster
from adapters.scratch.memory import MemoryScratch
from adapters.signing.ed25519 import Ed25519Signer, verify
from adapters.sources.formats.toolhive_conversion import from_server_json
from adapters.sources.parsing import Parser
from adapters.status.memory import MemoryStatus
from adapters.storage.memory import MemoryStorage
from application.change_feed import ChangeFeed
from application.configuration import ConfigurationReport, apply_configuration
from application.cosignatures import Cosignatures
from application.documents import Documents
from application.event_log import EventLog
from application.projector import Projector
from application.registries import Registries
from application.registry_diff import RegistryDiff
from application.registry_version import RegistryVersion
from application.source_catalog import sizes
from application.source_overview import SourceOverview, overviews
from application.status_report import StatusReport
from application.sync import SyncedSource, Syncer, SyncOutcome
from application.transparency import Transparency
from application.webhooks import WebhookOverview
from domain.checkpoints import witness_key
from domain.composition import RegistryEntry
from domain.definitions import Desired
from domain.entry import OFFICIAL_META
from domain.errors import SourceNotFoundError
from domain.events import RegistryDefined, SourceDefined, SyncCompleted
from domain.filters import Filter
from domain.guards import Guards
from domain.identifiers import RegistryName, SourceName
from domain.ports.source import Fetched, SourcePort
from domain.ports.storage import StoragePort
from entrypoints.http.app import create_app
from entrypoints.http.services import Services
from tests.harness.clock import SteppingClock
from tests.harness.live_view import live_version

RELEASE = {
    "version": "1.2.3",
    "commit": "0123abc",
    "build_date": "2026-01-01T00:00:00Z",
    "python_version": "3.11.0",
    "platform": "linux/x86_64",
}
DEFAULT = {"default": ("main",)}


@attrs.frozen
class Payload:
    """A source that offers one payload."""

    body: bytes

    async def fetch(self, _known_revision: str | None) -> Fetched:
        async def payloads() -> AsyncGenerator[bytes, None]:
            yield self.body

        return Fetched(revision=lambda: "1", payloads=payloads())


class RegistryWorld:
    """Storage, syncs and HTTP over them. `readiness` is what the app says about itself.

    The log is signed by `signer`, and `witness` may cosign it.
    """

    def __init__(
        self, storage: StoragePort | None = None, clock: SteppingClock | None = None
    ) -> None:
        self.clock = clock = clock or SteppingClock(step=timedelta(minutes=1))
        self.readiness: str | None = None
        self.guards = Guards(allow_empty=True, max_removal=1.0)
        self.storage: StoragePort = storage or MemoryStorage(clock)
        self.log = EventLog(self.storage)
        self.projector = Projector(self.storage, self.log)
        self.documents = Documents(self.storage, lambda: self.projector.live.redactions)
        self.registries = Registries(
            self.projector, self.storage, self.documents, clock, MemoryScratch()
        )
        self.signer = Ed25519Signer.made("example.com/log")
        self.witness = Ed25519Signer.made("witness.example.com/w1")
        self.cosignatures = Cosignatures(self.storage, [witness_key(self.witness)], verify)
        self.transparency = Transparency(self.storage, self.signer, self.cosignatures)
        self.configuration = ConfigurationReport(file=None, loaded_at=clock.now())
        self._status = MemoryStatus()
        self._offered: dict[str, bytes] = {}
        report = StatusReport(self._status, clock)
        self._syncer = Syncer(self.storage, self.log, self.projector, report)
        self.services = Services(
            registries=self.registries,
            feed=ChangeFeed(self.storage, self.registries, self.documents),
            diff=RegistryDiff(self.storage, self.documents),
            documents=self.documents,
            transparency=self.transparency,
            to_toolhive=from_server_json,
            deployed=NoCluster(),
            readiness=lambda: self.readiness,
            overviews=self.overviews,
            configuration=lambda: self.configuration,
            sync_now=self.sync_now,
            webhooks=self.webhook_overviews,
            release=RELEASE,
            sizes=lambda: sizes(self.storage, self.projector.live.definitions.sources),
        )
        self.client = client_of(self.services)

    async def configure(self, registries: Mapping[str, Sequence[str]]) -> None:
        """Let there be these registries, each with its sources in their order."""
        sources = dict.fromkeys(name for names in registries.values() for name in names)
        desired = Desired(
            sources=tuple(_source_defined(name) for name in sources),
            registries=tuple(
                RegistryDefined(
                    name=RegistryName(name), sources=tuple(map(SourceName, names)), rank=rank
                )
                for rank, (name, names) in enumerate(registries.items())
            ),
        )
        await apply_configuration(desired, self.storage, self.log, self.projector)

    async def sync(self, source: str, offered: Any) -> None:
        """Let *source* offer this from now on: server.json, envelopes, or a ToolHive file."""
        self.offer(source, offered)
        outcome = await self.sync_now(source)
        assert outcome.completed, outcome.failed
        assert not outcome.completed.rejected, outcome.completed.rejected
        for registry in await self.registries.every():
            await registry.whole()  # as a server sees to beside its requests

    async def fail(self, source: str) -> None:
        """A sync of *source* that gets something else than a registry."""
        self.offer_bytes(source, b"<html>")
        outcome = await self.sync_now(source)
        assert outcome.failed

    def offer(self, source: str, offered: Any) -> None:
        """Let *source* offer this, without a sync."""
        self.offer_bytes(source, json.dumps(offered).encode())

    def offer_bytes(self, source: str, offered: bytes) -> None:
        """Let *source* send this, without a sync."""
        self._offered[source] = offered

    async def sync_now(self, source: str) -> SyncOutcome:
        """A sync of *source*, which offers what it offered last."""
        if source not in self._offered:
            raise SourceNotFoundError(f"no source {source!r} is synced here")
        synced = _synced_source(source, self._offered[source])
        return await self._syncer.sync(attrs.evolve(synced, guards=self.guards))

    async def sync_from(self, port: SourcePort, source: str = "main") -> SyncCompleted:
        """A sync of *source* with what *port* has."""
        synced = attrs.evolve(_synced_source(source, b""), port=port, guards=self.guards)
        outcome = await self._syncer.sync(synced)
        assert outcome.completed, outcome.failed
        return outcome.completed

    async def overviews(self) -> Sequence[SourceOverview]:
        """Everything there is to say about each source."""
        return overviews(self.projector.live, await self._status.load())

    async def webhook_overviews(self) -> Sequence[WebhookOverview]:
        """Everything there is to say about each webhook: nothing, as there are none."""
        return ()

    async def registry(self, name: str | None = None) -> RegistryVersion:
        """A registry as it is now."""
        return await live_version(self.projector, self.storage, name)

    async def document(self, served: RegistryEntry) -> bytes:
        """The document of an entry, byte for byte."""
        (body,) = await self.documents.bodies([served])
        return body


def client_of(services: Services) -> httpx.AsyncClient:
    """A client of an application over *services*."""
    transport = httpx.ASGITransport(create_app(services))
    return httpx.AsyncClient(transport=transport, base_url="http://registry.test")


@asynccontextmanager
async def registry_world(
    registries: Mapping[str, Sequence[str]] = DEFAULT,
    storage: StoragePort | None = None,
    clock: SteppingClock | None = None,
) -> AsyncIterator[RegistryWorld]:
    """A world with these registries and nothing in them, over an empty storage."""
    world = RegistryWorld(storage, clock)
    await world.projector.load()
    await world.configure(registries)
    async with world.client:
        yield world


def server(name: str, version: str = "1.0.0", **members: Any) -> dict[str, Any]:
    """A valid server.json."""
    return {"name": name, "version": version, "description": "Does things.", **members}


def enveloped(document: Mapping[str, Any], **official: Any) -> dict[str, Any]:
    """A server.json with what an official registry says about it."""
    return {"server": document, "_meta": {OFFICIAL_META: official}}


def _source_defined(name: str) -> SourceDefined:
    return SourceDefined(
        name=SourceName(name), type="test", format="", location="here", settings_hash=""
    )


def _synced_source(name: str, body: bytes) -> SyncedSource:
    return SyncedSource(
        name=SourceName(name),
        location="here",
        port=Payload(body),
        parser=Parser(),
        filter=Filter(),
        guards=Guards(),
        interval_seconds=60.0,
        settings_hash="",
    )
