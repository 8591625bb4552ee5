"""Syncs all sources on their intervals."""

import logging
import random
from collections.abc import Awaitable, Callable, Iterable

import anyio

from application.projector import Projector
from application.sync import SyncedSource, SyncOutcome
from domain.errors import AnnalsError
from domain.identifiers import SourceName

_log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 5.0
_JITTER = 0.1
_FOLLOW_SECONDS = 1.0

Sleep = Callable[[float], Awaitable[None]]
Sync = Callable[[SyncedSource], Awaitable[SyncOutcome]]


def delay_seconds(interval_seconds: float, failures: int, chance: float) -> float:
    """How long to wait before the next sync.

    After a success the interval; after failures 5, 10, 20 ... seconds, at most the interval.
    *chance*, from 0 to 1, spreads the result by a tenth, so that many do not come at once.
    """
    wait = interval_seconds
    if failures:
        wait = min(wait, _FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 30))
    return wait * (1 + _JITTER * (2 * chance - 1))


class Scheduler:
    """Each source has a task of its own, so none waits for another."""

    def __init__(
        self,
        sync: Sync,
        projector: Projector,
        *,
        sleep: Sleep = anyio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._sync = sync
        self._projector = projector
        self._sleep = sleep
        self._chance = chance
        self._attempted: set[SourceName] = set()

    def has_attempted(self, sources: Iterable[SyncedSource]) -> bool:
        """Whether each of *sources* has been tried at least once, successfully or not."""
        return all(source.name in self._attempted for source in sources)

    async def run(self, sources: Iterable[SyncedSource]) -> None:
        """Sync until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow)
            for source in sources:
                tasks.start_soon(self._keep_syncing, source)

    async def _keep_syncing(self, source: SyncedSource) -> None:
        failures = 0
        while True:
            failures = 0 if await self._succeeds(source) else failures + 1
            self._attempted.add(source.name)
            await self._sleep(delay_seconds(source.interval_seconds, failures, self._chance()))

    async def _succeeds(self, source: SyncedSource) -> bool:
        try:
            outcome = await self._sync(source)
        except AnnalsError as error:
            _log.error("source %s: nothing could be recorded: %s", source.name, error)
            return False
        except Exception:  # noqa: BLE001  # a defect met by one source must not stop the others
            _log.exception("source %s: the sync broke: please report this", source.name)
            return False
        if outcome.failed:
            _log.warning("source %s: %s", source.name, outcome.failed.reason)
        return outcome.failed is None

    async def _follow(self) -> None:
        """Take over what other processes append, such as `registry sync` beside the server."""
        told = ""
        while True:
            await self._sleep(_FOLLOW_SECONDS)
            try:
                await self._projector.catch_up()
                told = ""
            except AnnalsError as error:
                if str(error) != told:
                    _log.error("serving what was known before, the log has an end: %s", error)
                told = str(error)
