"""Annals at work behind a server: started, kept in sync, drained, stopped."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import attrs
from anyio.abc import TaskGroup

from application.projector import Projector
from application.scheduler import Scheduler
from application.source_overview import SourceOverview, overviews
from entrypoints.container import Container, configured_webhooks, opened, synced_sources
from entrypoints.http.measures import Measures
from entrypoints.interpreter import settle
from entrypoints.reload import LiveConfiguration, record_configuration
from entrypoints.settings import Settings, refuse_forgotten_config

_log = logging.getLogger(__name__)


class Readiness:
    """Whether requests should come here, for load balancers and Kubernetes.

    `stopping` is set from when they should not, because the process is about to end.
    """

    def __init__(self, projector: Projector, scheduler: Scheduler) -> None:
        self._projector = projector
        self._scheduler = scheduler
        self._was_ready = False
        self.stopping = anyio.Event()

    def stop(self) -> None:
        """From now on: not ready."""
        self.stopping.set()

    def reason(self) -> str | None:
        """Why this process is not ready, None when it is.

        A source counts as soon as it has been tried: one that fails must not keep the others
        from being served. For the same reason a source that a reload adds is not waited for.
        """
        if self.stopping.is_set():
            return "stopping"
        runs = self._projector.live.sync_runs
        unattempted = self._scheduler.unattempted()
        waiting = ", ".join(name for name in unattempted if name not in runs)
        self._was_ready = self._was_ready or not waiting
        return None if self._was_ready else f"waiting for the first sync of {waiting}"


@attrs.frozen
class Running:
    """What a server needs to answer."""

    container: Container
    readiness: Readiness
    configuration: LiveConfiguration
    measures: Measures = attrs.field(factory=Measures)

    @property
    def holds_lease(self) -> bool:
        """Whether this process, of all over the log, is the one that syncs."""
        return self.container.duty().is_ours

    async def overviews(self) -> Sequence[SourceOverview]:
        """Everything there is to say about each source.

        Raises:
            StorageUnavailableError: their status cannot be read.
        """
        live = self.container.projector().live
        statuses = await self.container.status().load()
        return overviews(live, statuses, self.container.scheduler())


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Open the log, take over the configuration, and sync in the background until the end.

    Of several processes over a log one syncs, the others follow what it appends.

    Raises:
        ConfigError, StorageError, CorruptLogError
    """
    async with opened(settings.config, settings.data_dir) as container:
        await prepare(container, settings)
        readiness = Readiness(container.projector(), container.scheduler())
        configuration, measures = LiveConfiguration(container, settings), Measures()
        sources = synced_sources(settings.config, settings.data_dir)
        webhooks = configured_webhooks(settings.config, container.clock())
        async with _own_tasks() as lasting, _own_tasks() as tasks:
            await tasks.start(container.webhooks().run, webhooks)
            await tasks.start(container.scheduler().run, sources)
            await tasks.start(configuration.follow)
            tasks.start_soon(_compute_tiles, container)
            tasks.start_soon(measures.watch_loop)
            tasks.start_soon(container.registries().keep_up, settle)
            tasks.start_soon(container.witnessing().run)
            # The lease is given back when all that it is for has ended.
            lasting.start_soon(container.duty().run, container.lease(), configuration.begin)
            try:
                yield Running(container, readiness, configuration, measures)
            finally:
                readiness.stop()
    _log.info("the log is closed")


@asynccontextmanager
async def _own_tasks() -> AsyncIterator[TaskGroup]:
    """A task group whose tasks end with the block."""
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        finally:
            tasks.cancel_scope.cancel()


async def _compute_tiles(container: Container) -> None:
    await container.duty().begun()
    await container.transparency().follow(anyio.sleep)


async def prepare(container: Container, settings: Settings) -> None:
    """Restore the views and bring the log to what the configuration says."""
    projector = container.projector()
    await projector.load()
    refuse_forgotten_config(settings, projector.live.definitions)
    await record_configuration(container, settings.config)
