"""One source at work: synced on its interval, when it changes, and whenever somebody asks."""

import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio
import attrs

from application.duty import Duty
from application.sync import SyncedSource, SyncOutcome
from domain.errors import AnnalsError
from domain.ports.clock import ClockPort
from domain.ports.source import WatchPort

_log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
_JITTER = 0.1
_FAR_SECONDS = 100 * 365 * 86400.0  # a time beyond it might be none that a datetime can hold

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


@attrs.frozen(kw_only=True)
class Pace:
    """What a task waits by: the clock, a sleep in seconds, chance, from 0 to 1, and the duty
    that it belongs to.
    """

    clock: ClockPort
    sleep: Sleep = anyio.sleep
    chance: Callable[[], float] = random.random
    duty: Duty = attrs.field(factory=Duty.alone)


@attrs.define
class _Run:
    """A sync to come, shared by all who asked before it began. Cut off, it has no end.

    `changed` tells that there is something to sync, `asked` that it shall begin.
    """

    changed: anyio.Event = attrs.field(factory=anyio.Event)
    asked: anyio.Event = attrs.field(factory=anyio.Event)
    over: anyio.Event = attrs.field(factory=anyio.Event)
    end: SyncOutcome | Exception | None = None

    @property
    def succeeded(self) -> bool:
        return isinstance(self.end, SyncOutcome) and self.end.failed is None


class SourceTask:
    """Syncs one source until it is stopped, never twice at a time.

    By itself it does so while that is the duty of this process, and before only when asked.
    `attempted` tells whether a first sync has ended, well or badly; `next_run` when the next
    one is due, None while one runs.
    """

    def __init__(self, source: SyncedSource, sync: Sync, pace: Pace) -> None:
        self.source = source
        self.attempted = False
        self.next_run: datetime | None = None
        self._sync = sync
        self._pace = pace
        self._next = _Run()
        self._scope = anyio.CancelScope()
        self._stopped = anyio.Event()

    async def run(self) -> None:
        """Sync until stopped or cancelled."""
        try:
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    if isinstance(self.source.port, WatchPort):
                        tasks.start_soon(self._watch, self.source.port)
                    await self._keep_syncing()
        finally:
            self._next.over.set()
            self._stopped.set()

    async def stop(self) -> None:
        """End what is under way. Afterwards nothing of it writes to the log any more."""
        self._scope.cancel()
        await self._stopped.wait()

    def request(self) -> None:
        """Let a sync begin as soon as none is under way. Many requests make one."""
        self._next.asked.set()

    async def sync_now(self) -> SyncOutcome | None:
        """The outcome of a sync that begins from now on, None where the task was stopped.

        Raises:
            StorageError: nothing could be recorded.
        """
        run = self._next
        run.asked.set()
        await run.over.wait()
        if isinstance(run.end, Exception):
            raise run.end
        return run.end

    async def _keep_syncing(self) -> None:
        failures = 0
        await self._until_asked(self._request_on_duty)
        while True:
            run, self._next = self._next, _Run()
            try:
                run.end = await self._end_of_sync()
            finally:
                run.over.set()
            self.attempted = True
            failures = 0 if run.succeeded else failures + 1
            due = partial(self._request_when_due, self._delay_seconds(failures))
            await self._until_asked(due, self._request_at_change)
            self.next_run = None

    async def _end_of_sync(self) -> SyncOutcome | Exception:
        name = self.source.name
        try:
            outcome = await self._sync(self.source)
        except AnnalsError as error:
            _log.error("source %s: nothing could be recorded: %s", name, error)
            return error
        except Exception as error:  # noqa: BLE001  # a defect met by one must not stop the others
            _log.exception("source %s: the sync broke: please report this", name)
            return error
        if outcome.failed:
            _log.warning("source %s: %s", name, outcome.failed.reason)
        return outcome

    async def _until_asked(self, *askers: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """By one of *askers*, or by anybody else."""
        async with anyio.create_task_group() as tasks:
            for ask in askers:
                tasks.start_soon(ask)
            await self._next.asked.wait()
            tasks.cancel_scope.cancel()

    async def _request_on_duty(self) -> None:
        await self._pace.duty.begun()
        self.request()

    async def _request_when_due(self, seconds: float) -> None:
        """Once the interval is over; where others have synced until now, as soon as they stop."""
        if self._pace.duty.is_ours:
            due_in = timedelta(seconds=min(seconds, _FAR_SECONDS))
            self.next_run = self._pace.clock.now() + due_in
            await self._pace.sleep(seconds)
        await self._request_on_duty()

    async def _request_at_change(self) -> None:
        """Not right behind the last sync: a watch that tells of changes all the time would let
        one follow upon the other, past the back-off, each with its events in the log.
        """
        await self._pace.sleep(_PAUSE_SECONDS)
        await self._next.changed.wait()
        self.request()

    async def _watch(self, port: WatchPort) -> None:
        """Have each change synced. A watch that breaks begins anew, ever later."""
        await self._pace.duty.begun()
        failures = 0
        while True:
            try:
                async with aclosing(port.changes()) as changes:
                    async for _ in changes:
                        failures = 0
                        self._next.changed.set()
            except Exception:  # noqa: BLE001  # the interval goes on without it
                _log.exception("source %s: its watch broke: please report this", self.source.name)
            failures += 1
            await self._pace.sleep(self._delay_seconds(failures))

    def _delay_seconds(self, failures: int) -> float:
        return delay_seconds(self.source.interval_seconds, failures, self._pace.chance())
