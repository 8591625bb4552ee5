"""The registries as they are now."""

from collections.abc import Sequence
from contextlib import suppress

import anyio
import anyio.to_thread

from application.projector import Live, Projector
from application.registry_version import RegistryVersion, find_registry, registry_version
from domain.composition import RegistryDefinition
from domain.errors import RegistryNotFoundError
from domain.identifiers import RegistryName


class Registries:
    """Composes a registry when it is first asked for after a change, and keeps it till the next."""

    def __init__(self, projector: Projector) -> None:
        self._projector = projector
        self._composing = anyio.Lock()
        self._kept: dict[RegistryName, RegistryVersion] = {}

    @property
    def live(self) -> Live:
        """What the projections say."""
        return self._projector.live

    async def current(self, name: str | None = None) -> RegistryVersion:
        """The registry of that name, or the default one, as it is now.

        Raises:
            RegistryNotFoundError
        """
        live = self._projector.live
        definition = find_registry(live.definitions, name)
        kept = self._kept.get(definition.name)
        if kept and kept.position == live.changed_position:
            return kept
        return await self._compose(definition, live)

    async def every(self) -> Sequence[RegistryVersion]:
        """All registries as they are now, in the order of the configuration."""
        found = []
        definitions = self._projector.live.definitions.registries.values()
        for definition in sorted(definitions, key=lambda definition: definition.rank):
            with suppress(RegistryNotFoundError):  # configured away since
                found.append(await self.current(definition.name))
        return found

    async def _compose(self, definition: RegistryDefinition, live: Live) -> RegistryVersion:
        async with self._composing:
            kept = self._kept.get(definition.name)
            if kept and kept.position >= live.changed_position:
                return kept
            composed = await anyio.to_thread.run_sync(
                registry_version, definition, live.catalogs, live.changed_position
            )
            configured = live.definitions.registries
            others = {name: old for name, old in self._kept.items() if name in configured}
            self._kept = {**others, definition.name: composed}
            return composed
