"""What is dear to make, or asked for often, kept for as long as it is asked for."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

import anyio
import attrs

Value = TypeVar("Value")

_REMEMBERED = 10_000  # keys that were asked for, at least


@attrs.define
class _Turn:
    """Entered by one at a time for a key."""

    key: Hashable
    making: dict[Hashable, anyio.Event | None]

    async def __aenter__(self) -> None:
        while self.key in self.making:
            over = self.making[self.key] = self.making[self.key] or anyio.Event()
            await over.wait()
        self.making[self.key] = None

    async def __aexit__(self, *_: object) -> None:
        if waited_for := self.making.pop(self.key):
            waited_for.set()


class Kept(Generic[Value]):
    """Keeps at most *most_bytes*; the longest unused go first, and large ones come not at all."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._making: dict[Hashable, anyio.Event | None] = {}
        self._asked: set[int] = set()
        self._asked_earlier: set[int] = set()

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

    def is_wanted(self, key: Hashable) -> bool:
        """Whether this was asked about *key* lately, or somebody waits for their turn.

        Who walks through everything once drives nothing out that others ask for again and again.
        """
        known = hash(key)
        is_known = known in self._asked or known in self._asked_earlier
        self._asked.add(known)
        if len(self._asked) > _REMEMBERED:
            self._asked, self._asked_earlier = set(), self._asked
        return is_known or self._making.get(key) is not None

    def alone(self, key: Hashable) -> _Turn:
        """Only one at a time makes what is kept under *key*: who comes later looks again."""
        return _Turn(key, self._making)
