"""What one of several processes over a log does for all: sync, deliver, ask witnesses."""

import logging
from collections.abc import Awaitable, Callable
from typing import Self

import anyio

from domain.errors import AnnalsError
from domain.ports.lease import LeasePort

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0


class Duty:
    """Begins when this process gets the lease, and ends with the process.

    All that only one process may do waits until it has `begun`.
    """

    def __init__(self) -> None:
        self._begun = anyio.Event()

    @classmethod
    def alone(cls) -> Self:
        """The duty of a process that shares its log with nobody: it has begun."""
        duty = cls()
        duty._begun.set()
        return duty

    @property
    def is_ours(self) -> bool:
        """Whether it has begun here."""
        return self._begun.is_set()

    async def begun(self) -> None:
        """Wait until it begins here."""
        await self._begun.wait()

    async def run(self, lease: LeasePort, prepare: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, *prepare*, begin, and hold the lease until cancelled.

        Whoever cannot prepare leaves the lease to others for a while.
        """
        while True:
            try:
                async with lease.held():
                    await prepare()
                    self._begun.set()
                    _log.info("this process holds the lease: it syncs and delivers from now on")
                    await anyio.sleep_forever()
            except AnnalsError as error:
                _log.error("nothing is synced by this process: %s", error)
            await anyio.sleep(_RETRY_SECONDS)
