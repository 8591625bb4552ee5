"""Annals at work behind a server: started, kept in sync, drained, stopped."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import attrs

from application.configuration import apply_configuration
from application.sync import SyncedSource
from domain.events import SourceRetired
from entrypoints.container import Container, desired, opened, synced_sources
from entrypoints.settings import Settings, refuse_forgotten_config

_log = logging.getLogger(__name__)


class Readiness:
    """Whether requests should come here, for load balancers and Kubernetes."""

    def __init__(self, container: Container, sources: tuple[SyncedSource, ...]) -> None:
        self._container = container
        self._sources = sources
        self._stopping = False

    def stop(self) -> None:
        """From now on: not ready."""
        self._stopping = True

    def reason(self) -> str | None:
        """Why this process is not ready, None when it is.

        A source counts as soon as it has been tried: one that fails must not keep the others
        from being served.
        """
        if self._stopping:
            return "stopping"
        runs = self._container.projector().live.sync_runs
        waiting = [
            source
            for source in self._sources
            if source.name not in runs and not self._container.scheduler().has_attempted([source])
        ]
        names = ", ".join(source.name for source in waiting)
        return f"waiting for the first sync of {names}" if waiting else None


@attrs.frozen
class Running:
    """What a server needs to answer."""

    container: Container
    readiness: Readiness


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Open the log, take over the configuration, and sync in the background until the end.

    Raises:
        ConfigError, StorageError, CorruptLogError
    """
    async with opened(settings.config, settings.data_dir) as container:
        await prepare(container, settings)
        sources = synced_sources(settings.config, settings.data_dir)
        readiness = Readiness(container, sources)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(container.scheduler().run, sources)
            try:
                yield Running(container, readiness)
            finally:
                readiness.stop()
                tasks.cancel_scope.cancel()
    _log.info("the log is closed")


async def prepare(container: Container, settings: Settings) -> None:
    """Restore the views and bring the log to what the configuration says."""
    projector = container.projector()
    await projector.load()
    refuse_forgotten_config(settings, projector.live.definitions)
    events = await apply_configuration(
        desired(settings.config), container.storage(), container.log(), projector
    )
    for event in events:
        if isinstance(event, SourceRetired):
            await container.report().retired(event.name)
