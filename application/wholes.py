"""Whole registries of the past, as long as they are asked for."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping

import anyio

from application.registry_index import RegistryIndex


class Wholes:
    """Keeps the last ones that were asked for, with at most *most_entries* in all but the last."""

    def __init__(self, most_entries: int = 100_000) -> None:
        self._most_entries = most_entries
        self._kept: OrderedDict[Hashable, RegistryIndex] = OrderedDict()
        self._making = anyio.Lock()

    def known(self, key: Hashable) -> RegistryIndex | None:
        """The one of that key, if it is kept."""
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
        return kept

    async def get(
        self, key: Hashable, make: Callable[[], Awaitable[RegistryIndex]]
    ) -> RegistryIndex:
        """The one of that key, made where it is not kept: one at a time, for it takes memory."""
        async with self._making:
            if known := self.known(key):
                return known
            kept = self._kept
            made = kept[key] = await make()
            while len(kept) > 1 and _entries(kept) > self._most_entries:
                kept.popitem(last=False)
            return made

    def clear(self) -> None:
        """Let go of all, also of one that is being made."""
        self._kept = OrderedDict()


def _entries(kept: Mapping[Hashable, RegistryIndex]) -> int:
    return sum(index.server_versions for index in kept.values())
