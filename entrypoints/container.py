"""The composition root: which adapter stands behind which port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from dependency_injector import containers, providers

from adapters.clock import SystemClock
from adapters.kubernetes.connection import ClusterAccess
from adapters.kubernetes.deployed import deployed_servers
from adapters.lease.file import FileLease
from adapters.lease.memory import OwnLease
from adapters.remote import open_remote as open_remote
from adapters.scratch.file import FileScratch
from adapters.scratch.memory import MemoryScratch
from adapters.signing.ed25519 import Ed25519Signer, open_key, read_key, verify
from adapters.sources import SOURCES
from adapters.sources.formats import FORMATS
from adapters.sources.formats.toolhive_conversion import from_server_json
from adapters.sources.parsing import Parser
from adapters.status.json_file import JsonFileStatus
from adapters.status.memory import MemoryStatus
from adapters.status.mirrored import MirroredStatus
from adapters.status.sqlite import SqliteStatus
from adapters.storage.memory import MemoryStorage
from adapters.storage.sqlite import SqliteStorage
from adapters.webhooks import HttpReceiver
from adapters.witnesses import HttpWitness
from application.change_feed import ChangeFeed
from application.cosignatures import Cosignatures
from application.delivery_marks import DeliveryMarks
from application.documents import Documents
from application.duty import Duty
from application.event_log import EventLog
from application.pins import PinBook
from application.projector import Projector
from application.redactions import RedactionBook
from application.registries import Registries
from application.registry_diff import RegistryDiff
from application.scheduler import Scheduler
from application.source_task import Pace
from application.status_report import StatusReport
from application.sync import SyncedSource, Syncer
from application.sync_counts import CountedSyncs
from application.transparency import Transparency
from application.verify import Apart
from application.verify_apart import checked_apart
from application.webhook_task import Webhook
from application.webhooks import Webhooks
from application.witnessing import AskedWitness, Witnessing
from domain.definitions import Desired
from domain.errors import StorageUnavailableError
from domain.events import RegistryDefined, SourceDefined
from domain.guards import Guards
from domain.notes import VerifierKey, verifier_key
from domain.ports.clock import ClockPort
from domain.ports.format import FormatPort
from domain.ports.lease import LeasePort
from domain.ports.scratch import ScratchPort
from domain.ports.status import StatusPort
from domain.ports.storage import StoragePort
from entrypoints.config import Config, SourceConfig, location, settings_hash

_DETECTED = "detected"  # the name under which a source without a format is recorded


def _open_signer(config: Config, data_dir: Path) -> Ed25519Signer:
    """The key of the log. A log in memory begins anew each time, so its key does too."""
    if config.storage.type == "memory":
        return Ed25519Signer.made(config.log.origin)
    return open_key(key_file(config, data_dir), config.log.origin)


def _witness_keys(config: Config) -> tuple[VerifierKey, ...]:
    return tuple(witness.key for witness in config.log.witnesses)


def _asked_witnesses(config: Config) -> tuple[AskedWitness, ...]:
    return tuple(
        AskedWitness(witness.key, HttpWitness(witness.url))
        for witness in config.log.witnesses
        if witness.url
    )


def _open_lease(config: Config, data_dir: Path, clock: ClockPort) -> LeasePort:
    if config.storage.type == "memory":
        return OwnLease()
    path = _log_file(config, data_dir)
    return FileLease(path.with_name(f"{path.name}-lease"), clock)


def _open_scratch(config: Config, data_dir: Path) -> ScratchPort:
    if config.storage.type == "memory":
        return MemoryScratch()
    return FileScratch(_log_file(config, data_dir).parent)


def check_apart(config: Config, data_dir: Path) -> Apart | None:
    """How `verify` has half of a log checked in a process of its own, if that is in a file."""
    if config.storage.type == "memory":
        return None
    return checked_apart(
        partial(SqliteStorage.open_whole, _log_file(config, data_dir), SystemClock())
    )


def _log_file(config: Config, data_dir: Path) -> Path:
    return Path(config.storage.path) if config.storage.path else data_dir / "annals.db"


def _open_documents(storage: StoragePort, projector: Projector) -> Documents:
    return Documents(storage, lambda: projector.live.redactions)


class Container(containers.DeclarativeContainer):
    """What is made once, of what."""

    config = providers.Dependency(instance_of=Config)
    data_dir = providers.Dependency(instance_of=Path)
    storage: providers.Dependency[StoragePort] = providers.Dependency()
    status: providers.Dependency[StatusPort] = providers.Dependency()

    clock = providers.Singleton(SystemClock)
    log = providers.Singleton(EventLog, storage)
    projector = providers.Singleton(Projector, storage, log)
    pins = providers.Singleton(PinBook, storage, log, clock)
    redactions = providers.Singleton(RedactionBook, storage, log)
    documents = providers.Singleton(_open_documents, storage, projector)
    scratch = providers.Singleton(_open_scratch, config, data_dir)
    registries = providers.Singleton(Registries, projector, storage, documents, clock, scratch)
    feed = providers.Singleton(ChangeFeed, storage, registries, documents)
    diff = providers.Singleton(RegistryDiff, storage, documents)
    cluster = providers.Factory(
        ClusterAccess,
        kubeconfig=config.provided.kubernetes.kubeconfig,
        context=config.provided.kubernetes.context,
    )
    deployed = providers.Singleton(deployed_servers, cluster)
    signer = providers.Singleton(_open_signer, config, data_dir)
    cosignatures = providers.Singleton(
        Cosignatures,
        storage,
        providers.Callable(_witness_keys, config),
        providers.Object(verify),
    )
    transparency = providers.Singleton(Transparency, storage, signer, cosignatures)
    report = providers.Singleton(StatusReport, status, clock)
    syncer = providers.Singleton(Syncer, storage, log, projector, report)
    lease = providers.Singleton(_open_lease, config, data_dir, clock)
    duty = providers.Singleton(Duty)
    pace = providers.Singleton(Pace, clock=clock, duty=duty)
    witnessing = providers.Singleton(
        Witnessing,
        transparency,
        cosignatures,
        providers.Callable(_asked_witnesses, config),
        pace,
    )
    syncs = providers.Singleton(CountedSyncs, syncer.provided.sync)
    scheduler = providers.Singleton(Scheduler, syncs.provided.sync, projector, storage, pace)
    marks = providers.Singleton(DeliveryMarks, storage)
    webhooks = providers.Singleton(Webhooks, feed, registries, marks, pace)


@asynccontextmanager
async def opened(
    config: Config, data_dir: Path, *, must_exist: bool = False
) -> AsyncIterator[Container]:
    """Everything put together over an open log, closed again at the end.

    With *must_exist* a missing log is an error instead of an empty one.

    Raises:
        StorageUnavailableError
    """
    clock = SystemClock()
    storage = await _open_storage(config, data_dir, clock, must_exist=must_exist)
    try:
        status = await _open_status(config, data_dir)
        try:
            yield Container(
                config=config, data_dir=data_dir, clock=clock, storage=storage, status=status
            )
        finally:
            await status.close()
    finally:
        await storage.close()


def synced_sources(config: Config, data_dir: Path) -> tuple[SyncedSource, ...]:
    """The configured sources, ready to be synced."""
    return tuple(synced_source(source, data_dir) for source in config.sources)


def synced_source(source: SourceConfig, data_dir: Path) -> SyncedSource:
    """A configured source, ready to be synced."""
    kind = next(kind for kind in SOURCES if kind.name == source.type)
    return SyncedSource(
        name=source.name,
        location=location(source),
        port=kind.open(source.settings, data_dir / "cache" / source.type),
        parser=Parser(
            format=source.format,
            memory_dir=data_dir / "cache" / "slices" / source.name,
            rules=settings_hash(source),
        ),
        filter=source.filter,
        guards=Guards(allow_empty=source.allow_empty, max_removal=source.max_removal),
        interval_seconds=source.sync_policy.interval_seconds,
        settings_hash=settings_hash(source),
    )


def configured_webhooks(config: Config, clock: ClockPort) -> tuple[Webhook, ...]:
    """The configured webhooks, ready to be delivered to."""
    every = tuple(registry.name for registry in config.registries)
    return tuple(
        Webhook(
            name=webhook.name,
            receiver=HttpReceiver(url=webhook.url, secret_file=webhook.secret_file, clock=clock),
            registries=webhook.registries or every,
            classes=frozenset(webhook.classes),
            with_entries=webhook.entries,
        )
        for webhook in config.webhooks
    )


def desired(config: Config) -> Desired:
    """The sources and registries that the log should say are configured."""
    return Desired(
        sources=tuple(
            SourceDefined(
                name=source.name,
                type=source.type,
                format=source.format or _DETECTED,
                location=location(source),
                settings_hash=settings_hash(source),
            )
            for source in config.sources
        ),
        registries=tuple(
            RegistryDefined(name=registry.name, sources=registry.sources, rank=rank)
            for rank, registry in enumerate(config.registries)
        ),
    )


def key_file(config: Config, data_dir: Path) -> Path:
    """Where the key of the log is."""
    return Path(config.log.key_file) if config.log.key_file else data_dir / "log.key"


def read_log_key(config: Config, data_dir: Path) -> VerifierKey:
    """What the signatures of the log are checked with.

    Raises:
        StorageUnavailableError: the log has no key yet, or has a new one each time.
    """
    if config.storage.type == "memory":
        raise StorageUnavailableError(
            "a log in memory has a new key at each start: the server tells it at /log/key"
        )
    return verifier_key(read_key(key_file(config, data_dir), config.log.origin))


def formats() -> dict[str, FormatPort]:
    """The formats that a registry can be written in."""
    return dict(FORMATS)


verify_signature = verify
"""Whether a signature is that of a message."""

to_toolhive = from_server_json
"""A server.json as an entry of ToolHive's format: its section, its key and itself."""


async def _open_storage(
    config: Config, data_dir: Path, clock: ClockPort, *, must_exist: bool
) -> StoragePort:
    if config.storage.type == "memory":
        return MemoryStorage(clock)
    path = _log_file(config, data_dir)
    if must_exist and not path.exists():
        raise StorageUnavailableError(
            f"there is no log at {path}: run `registry sync` or `registry serve` first, or name "
            "the right --data-dir"
        )
    return await SqliteStorage.open(path, clock)


async def _open_status(config: Config, data_dir: Path) -> StatusPort:
    main: StatusPort = (
        MemoryStatus()
        if config.storage.type == "memory"
        else await SqliteStatus.open(data_dir / "status.db")
    )
    if config.status.file is None:
        return main
    return MirroredStatus(main, JsonFileStatus(Path(config.status.file)))
