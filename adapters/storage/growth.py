"""Who waits for a storage to grow is told of it."""

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

from domain.errors import AnnalsError

_LOOK_SECONDS = 0.025


class Growth:
    """Counts the changes that were told or seen, and how many of them each task knows of.

    *version* is looked at while somebody waits: another number means that there was a change.
    However many wait, there is one look at a time.
    """

    def __init__(self, version: Callable[[], int]) -> None:
        self._version = version
        self._seen = version()
        self._count = 0
        self._counted = asyncio.Event()
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._known: WeakKeyDictionary[object, int] = WeakKeyDictionary()

    def tell(self) -> None:
        """There was a change."""
        self._count += 1
        self._counted.set()
        self._counted = asyncio.Event()

    async def wait(self) -> None:
        """Until there was a change that this task does not know of; at its first call at once."""
        task = asyncio.current_task()
        self._look()
        self._waiting += 1
        try:
            while self._known.get(task) == self._count:
                self._timer = self._timer or self._later()
                await self._counted.wait()
        finally:
            self._waiting -= 1
        self._known[task] = self._count

    def _later(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._in_time)

    def _in_time(self) -> None:
        self._timer = None
        if self._waiting:
            self._look()
            self._timer = self._later()

    def _look(self) -> None:
        try:
            seen = self._version()
        except AnnalsError:
            self.tell()  # whoever reads next meets the error
            return
        if seen != self._seen:
            self._seen = seen
            self.tell()
