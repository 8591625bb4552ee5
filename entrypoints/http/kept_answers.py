"""Bodies that are dear to make, kept for as long as they are asked for."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

import anyio


class KeptAnswers:
    """Keeps at most *most_bytes*; the longest unused go first, and large ones come not at all."""

    def __init__(self, most_bytes: int = 32 * 1024 * 1024) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._making: dict[Hashable, anyio.Lock] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """The body of *key*, made if it is not kept: once, however many ask for it at a time.

        A key has to say everything that its body depends on.
        """
        if (kept := self._take(key)) is not None:
            return kept
        async with self._making.setdefault(key, anyio.Lock()):
            try:
                return self._take(key) or self._keep(key, await make())
            finally:
                self._making.pop(key, None)

    def _take(self, key: Hashable) -> bytes | None:
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def _keep(self, key: Hashable, body: bytes) -> bytes:
        if len(body) <= self._most_bytes // 4:
            self._kept[key] = body
            self._bytes += len(body)
        while self._bytes > self._most_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)
        return body
