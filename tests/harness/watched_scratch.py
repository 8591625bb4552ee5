"""Services that lay their responses where somebody watches each read."""

from collections.abc import Callable, Sequence

import attrs

from adapters.scratch.memory import MemoryScratch
from application.registries import Registries
from domain.ports.scratch import ScratchFile, Span
from entrypoints.http.services import Services
from tests.harness.registry_world import RegistryWorld

OnRead = Callable[[], object]


@attrs.frozen
class _Watched:
    file: ScratchFile
    on_read: OnRead
    is_at_hand: bool

    @property
    def size(self) -> int:
        return self.file.size

    def append(self, content: bytes) -> int:
        return self.file.append(content)

    def at_hand(self, opening: bytes, spans: Sequence[Span], closing: bytes) -> bytes | None:
        if not self.is_at_hand:
            return None
        self.on_read()
        return self.file.at_hand(opening, spans, closing)

    def read(self, spans: Sequence[Span]) -> Sequence[bytes]:
        self.on_read()
        return self.file.read(spans)


@attrs.frozen
class WatchedScratch:
    """ScratchPort that tells of every read, and fails as who is told does.

    Where nothing `is_at_hand`, all is read beside the event loop.
    """

    on_read: OnRead
    is_at_hand: bool = True

    def open(self) -> ScratchFile:
        return _Watched(MemoryScratch().open(), self.on_read, self.is_at_hand)


async def watched(world: RegistryWorld, on_read: OnRead, *, is_at_hand: bool = True) -> Services:
    """The services of a world, over registries of their own, which are whole."""
    scratch = WatchedScratch(on_read, is_at_hand)
    registries = Registries(world.projector, world.storage, world.documents, world.clock, scratch)
    for registry in await registries.every():
        await registry.whole()
    return attrs.evolve(world.services, registries=registries)
