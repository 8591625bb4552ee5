"""Syncs all sources: each on its interval, on demand, and through changes of the configuration."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime

import anyio
from anyio.abc import TaskGroup, TaskStatus

from application.projector import Projector
from application.source_task import Pace, SourceTask, Sync
from application.sync import SyncedSource, SyncOutcome
from domain.errors import AnnalsError, SourceNotFoundError, SyncedElsewhereError
from domain.identifiers import SourceName
from domain.ports.storage import EventStorePort

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0  # with the process that syncs, which has views to write first


class Scheduler:
    """Each source has a task of its own, so none waits for another.

    Of several processes over a log one does all this by itself; the others follow the log.
    """

    def __init__(self, sync: Sync, projector: Projector, store: EventStorePort, pace: Pace) -> None:
        self._sync = sync
        self._projector = projector
        self._store = store
        self._pace = pace
        self._tasks: dict[SourceName, SourceTask] = {}
        self._replacing = anyio.Lock()
        self._group: TaskGroup | None = None

    @property
    def sources(self) -> Mapping[SourceName, SyncedSource]:
        """The sources that are synced now."""
        return {name: task.source for name, task in self._tasks.items()}

    def next_run(self, name: SourceName) -> datetime | None:
        """When the next sync of a source is due, None while one runs or where others sync it."""
        task = self._tasks.get(name)
        return task.next_run if task else None

    def unattempted(self) -> tuple[SourceName, ...]:
        """The sources whose first sync here has not ended yet, successfully or not."""
        return tuple(name for name, task in self._tasks.items() if not task.attempted)

    async def run(
        self,
        sources: Iterable[SyncedSource],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Sync until cancelled. It has started when every source has its task."""
        try:
            async with anyio.create_task_group() as self._group:
                self._group.start_soon(self._follow)
                self._start(self._group, sources)
                task_status.started()
        finally:
            self._tasks.clear()

    async def replace(
        self, sources: Iterable[SyncedSource], meanwhile: Callable[[], Awaitable[None]]
    ) -> None:
        """Sync *sources* from now on; those that are equal to what they were go on undisturbed.

        *meanwhile* is awaited when the tasks of all others have ended and before new ones start.
        What it raises is raised, and the sources stay those they were.
        """
        if (group := self._group) is None:
            raise RuntimeError("the scheduler does not run: start it first")
        async with self._replacing:
            before, wanted = self.sources, {source.name: source for source in sources}
            await self._stop([name for name in before if before[name] != wanted.get(name)])
            try:
                await meanwhile()
            except Exception:
                self._start(group, before.values())
                raise
            self._start(group, wanted.values())

    def request(self, name: SourceName) -> None:
        """Let a source be synced soon, without waiting for it.

        Raises:
            SourceNotFoundError
        """
        self._task(name).request()

    async def sync_now(self, name: str) -> SyncOutcome:
        """Sync a source, and wait for the outcome. The sync begins after the call.

        Raises:
            SourceNotFoundError
            SyncedElsewhereError: another process syncs it for the first time.
            StorageError: nothing could be recorded.
        """
        while True:
            async with self._replacing:
                task = self._task(SourceName(name))
                self._refuse_first(task.source.name)
            if outcome := await task.sync_now():
                return outcome

    def _refuse_first(self, name: SourceName) -> None:
        """A first sync may take over a long history: two would only be in each other's way."""
        if not self._pace.duty.is_ours and name not in self._projector.live.sync_runs:
            raise SyncedElsewhereError(
                f"source {name!r} is about to be synced for the first time, by another process "
                "over this log: ask again when it has been"
            )

    def _task(self, name: SourceName) -> SourceTask:
        if (task := self._tasks.get(name)) is None:
            known = ", ".join(self._tasks) or "none"
            raise SourceNotFoundError(f"no source {name!r} is synced here: there is {known}")
        return task

    def _start(self, group: TaskGroup, sources: Iterable[SyncedSource]) -> None:
        for source in sources:
            if source.name not in self._tasks:
                task = self._tasks[source.name] = SourceTask(source, self._sync, self._pace)
                group.start_soon(task.run)

    async def _stop(self, names: Iterable[SourceName]) -> None:
        async with anyio.create_task_group() as stopping:
            for name in names:
                stopping.start_soon(self._tasks.pop(name).stop)

    async def _follow(self) -> None:
        """Take over what other processes append: the one that syncs, or `registry sync`."""
        told = ""
        while True:
            try:
                await self._store.grown()
                await self._projector.catch_up(
                    0.0 if self._pace.duty.is_ours else _PATIENCE_SECONDS
                )
                told = ""
            except AnnalsError as error:
                if str(error) != told:
                    _log.error("serving what was known before, the log has an end: %s", error)
                told = str(error)
                await self._pace.sleep(_RETRY_SECONDS)
