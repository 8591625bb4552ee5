"""The configuration while Annals runs: read again on SIGHUP, and when its file has changed."""

import hashlib
import logging
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import attrs
from anyio.abc import TaskStatus

from application.configuration import ConfigurationReport, apply_configuration
from application.source_task import Sleep
from application.sync import SyncedSource
from domain.errors import AnnalsError, ConfigError
from domain.events import SourceRetired
from entrypoints.config import Config, load
from entrypoints.config_structure import keys_of
from entrypoints.container import Container, configured_webhooks, desired, synced_source
from entrypoints.settings import Settings

_log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How often a configuration file is looked at."""

_RETRY_SECONDS = 30.0  # after a configuration that could not be recorded
_TAKEN_OVER = ("sources", "registries", "webhooks")


class LiveConfiguration:
    """The configuration in force, and how another one takes its place.

    A file that cannot be taken over changes nothing: the report has its problem. Of several
    processes over a log all read the file, and the one that syncs brings the log to what it says.
    """

    def __init__(
        self, container: Container, settings: Settings, *, sleep: Sleep = anyio.sleep
    ) -> None:
        self._container = container
        self._file = settings.config_file
        self._data_dir = settings.data_dir
        self._config = settings.config
        self._sleep = sleep
        self._reading = anyio.Lock()
        self._digest: str | None = None
        self.report = self._as_of_now()

    async def follow(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Reload until cancelled. It has started when signals are taken."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._follow_signals)
            if self._file is not None:
                tasks.start_soon(self._follow_file, self._file)
            task_status.started()

    async def begin(self) -> None:
        """Bring the log to what is in force here, before this process begins to sync.

        Raises:
            StorageError
        """
        async with self._reading:
            await record_configuration(self._container, self._config)

    async def reload(self) -> bool:
        """Read the file again. Whether that is settled: False is worth another try."""
        if self._file is None:
            _log.info("there is nothing to read again: no configuration file was named")
            return True
        async with self._reading:
            digest = await anyio.to_thread.run_sync(_digest, self._file)
            try:
                config = await anyio.to_thread.run_sync(load, self._file)
                await self._take_over(config)
            except ConfigError as error:
                self._refuse(str(error))
            except AnnalsError as error:
                self._refuse(f"it could not be recorded: {error}")
                return False
            except Exception as error:  # noqa: BLE001  # what is served must go on
                _log.exception("taking over %s broke: please report this", self._file)
                self._refuse(f"internal error, please report it: {error!r}")
            self._digest = digest
            return True

    async def _follow_signals(self, *, task_status: TaskStatus[None]) -> None:
        if threading.current_thread() is not threading.main_thread():
            task_status.started()  # signals come to the main thread only
            return
        with anyio.open_signal_receiver(signal.SIGHUP) as signals:
            task_status.started()
            async for _ in signals:
                _log.info("SIGHUP: reading the configuration again")
                await self.reload()

    async def _follow_file(self, file: Path) -> None:
        """Reload what has stayed the same for two looks: a file may be looked at half written.

        The first look always reloads, for the file may have changed since it was read first.
        """
        before: str | None = None
        while True:
            await self._sleep(LOOK_SECONDS)
            digest = await anyio.to_thread.run_sync(_digest, file)
            if digest == before and digest != self._digest and not await self.reload():
                await self._sleep(_RETRY_SECONDS)
            before = digest

    async def _take_over(self, config: Config) -> None:
        if kept := restart_keys(self._config, config):
            _log.warning("%s keep their values until a restart", ", ".join(kept))
        taken = {name: getattr(config, name) for name in _TAKEN_OVER}
        wanted = attrs.evolve(self._config, **taken)
        record = partial(self._record, wanted)
        await self._container.scheduler().replace(self._synced(wanted), record)
        webhooks = configured_webhooks(wanted, self._container.clock())
        await self._container.webhooks().replace(webhooks)
        if wanted != self._config or self.report.problem:
            _log.info("the configuration of %s is in force", self._file)
        self._config = wanted
        self.report = self._as_of_now()

    async def _record(self, wanted: Config) -> None:
        """Nobody else may: the one that syncs ends what it does for a source that is retired."""
        if self._container.duty().is_ours:
            await record_configuration(self._container, wanted)

    def _synced(self, wanted: Config) -> Sequence[SyncedSource]:
        """With those that are synced already where nothing about them has changed."""
        running = self._container.scheduler().sources
        unchanged = [source for source in self._config.sources if source in wanted.sources]
        kept = {source.name: running[source.name] for source in unchanged}
        return [
            kept.get(source.name) or synced_source(source, self._data_dir)
            for source in wanted.sources
        ]

    def _as_of_now(self) -> ConfigurationReport:
        file = None if self._file is None else str(self._file)
        return ConfigurationReport(file=file, loaded_at=self._container.clock().now())

    def _refuse(self, problem: str) -> None:
        _log.error("the configuration stays what it was, for the file is wrong:\n%s", problem)
        self.report = attrs.evolve(self.report, problem=problem)


async def record_configuration(container: Container, config: Config) -> None:
    """Bring the log, and the status of the sources, to what a configuration says.

    Raises:
        StorageError
    """
    events = await apply_configuration(
        desired(config), container.storage(), container.log(), container.projector()
    )
    for event in events:
        if isinstance(event, SourceRetired):
            await container.report().retired(event.name)


def restart_keys(before: Config, after: Config) -> Sequence[str]:
    """The keys that differ and are only read at the start, as in `server.address`."""
    return [
        key
        for name, block in _fields(Config)
        if name not in _TAKEN_OVER
        for key in _differing(block, getattr(before, name), getattr(after, name))
    ]


def _differing(block: str, before: Any, after: Any) -> Iterator[str]:
    for name, key in _fields(type(after)):
        if getattr(before, name) != getattr(after, name):
            yield f"{block}.{key}"


def _fields(cls: Any) -> Iterable[tuple[str, str]]:
    """The fields of a part of the configuration, each with its key."""
    return zip([field.name for field in attrs.fields(cls)], keys_of(cls), strict=True)


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
