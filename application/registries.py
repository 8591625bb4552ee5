"""The registries as they are now."""

import anyio
import anyio.to_thread

from application.projector import Live, Projector
from application.registry_version import RegistryVersion, find_registry, registry_version
from domain.composition import RegistryDefinition
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

    async def _compose(self, definition: RegistryDefinition, live: Live) -> RegistryVersion:
        async with self._composing:
            kept = self._kept.get(definition.name)
            if kept and kept.position >= live.changed_position:
                return kept
            composed = await anyio.to_thread.run_sync(
                registry_version, definition, live.catalogs, live.changed_position
            )
            self._kept[definition.name] = composed
            return composed
