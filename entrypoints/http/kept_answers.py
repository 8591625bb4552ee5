"""What is dear to make, kept for as long as it is asked for."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import anyio

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Keeps at most *most_bytes*; the longest unused go first, and large ones come not at all."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._making: dict[Hashable, anyio.Event | None] = {}

    def find(self, key: Hashable) -> Value | None:
        """What is kept under *key*: whether it is still right is for the caller to know."""
        if (found := self._kept.get(key)) is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: Hashable, value: Value, size: int) -> None:
        """Keep *value* of so many bytes in the place of what was kept under *key*."""
        if key in self._kept:
            self._bytes -= self._kept.pop(key)[1]
        if size <= self._most_bytes // 2:
            self._kept[key] = value, size
            self._bytes += size
        while self._bytes > self._most_bytes:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._bytes -= dropped

    @asynccontextmanager
    async def alone(self, key: Hashable) -> AsyncGenerator[None, None]:
        """Only one at a time makes what is kept under *key*: who comes later looks again."""
        while key in self._making:
            over = self._making[key] = self._making[key] or anyio.Event()
            await over.wait()
        self._making[key] = None
        try:
            yield
        finally:
            if waited_for := self._making.pop(key):
                waited_for.set()
