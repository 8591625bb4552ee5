"""The registries, as they are now and as they were."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import anyio
import anyio.to_thread
import attrs

from application.event_log import EventLog, catalog_stream
from application.moments import Moment, resolve
from application.past_walk import PastSources, recorded_sources
from application.pins import named_moments
from application.projections import DEFINITIONS
from application.projector import Live, Projector
from application.registry_version import (
    ALWAYS,
    RegistryVersion,
    find_registry,
    registry_version,
)
from application.served import LiveRegistry, PastRegistry, ServedRegistry
from application.view_rows import LAST_KEY
from application.wholes import Wholes
from domain.asof import NOW, Asked
from domain.composition import RegistryDefinition
from domain.definitions import Definitions
from domain.errors import NothingInEffectError, RegistryNotFoundError
from domain.identifiers import PinName, Position, RegistryName
from domain.ports.clock import ClockPort
from domain.ports.storage import StoragePort

_MOST_FIXED = 256


class Registries:
    """Composes a registry when it is first asked for after a change, and keeps it till the next.

    With *frozen* every registry is the one of that moment, where no other is asked for.
    """

    def __init__(
        self, projector: Projector, storage: StoragePort, clock: ClockPort, frozen: Asked = NOW
    ) -> None:
        self._projector = projector
        self._storage = storage
        self._log = EventLog(storage)
        self._clock = clock
        self._frozen = frozen
        self._wholes = Wholes()
        self._composing = anyio.Lock()
        self._kept: dict[RegistryName, RegistryVersion] = {}
        self._fixed: dict[tuple[str | None, Asked], PastRegistry] = {}

    @property
    def live(self) -> Live:
        """What the projections say."""
        return self._projector.live

    async def asked(self, name: str | None = None, asked: Asked = NOW) -> ServedRegistry:
        """The registry of that name, or the default one, as of a moment.

        Raises:
            RegistryNotFoundError: there was none of that name.
            InvalidAsOfError, PinNotFoundError, NothingRecordedError, NothingInEffectError
        """
        wanted = self._frozen if asked.is_live else asked
        if wanted.is_live:
            return LiveRegistry(await self.current(name))
        return await self.past(name, wanted)

    async def past(self, name: str | None, asked: Asked) -> PastRegistry:
        """The same, also of this very moment, as something that stays as it is.

        Raises:
            RegistryNotFoundError: there was none of that name.
            InvalidAsOfError, PinNotFoundError, NothingRecordedError, NothingInEffectError
        """
        wanted = self._frozen if asked.is_live else asked
        if known := self._fixed.get((name, wanted)):
            return known
        moment = await self.resolve(wanted)
        definition = find_registry(await self._definitions(moment.position), name)
        found = PastRegistry(await self._sources(definition, moment), moment, self._wholes)
        if moment.is_fixed:
            self._fixed[name, wanted] = found
            if len(self._fixed) > _MOST_FIXED:
                del self._fixed[next(iter(self._fixed))]
        return found

    async def horizon(self) -> Position:
        """The last position there is to know of."""
        if self._frozen.is_live:
            return self._projector.live.position
        return (await self.resolve(self._frozen)).position

    async def beyond(self, position: Position) -> None:
        """Wait until there is more to know of; of a moment that is fixed there never will be."""
        if self._frozen.is_live:
            await self._projector.beyond(position)
        elif await self.horizon() <= position:
            await anyio.sleep_forever()

    async def resolve(self, asked: Asked) -> Moment:
        """What a moment stands for, with the views at least as far.

        Raises:
            InvalidAsOfError, PinNotFoundError, NothingRecordedError
        """
        moment = await resolve(asked, self._log, self._projector.live.pins, self._clock)
        if moment.position > self._projector.live.position:
            await self._projector.catch_up()
        return moment

    async def pins(self) -> Sequence[tuple[PinName, Moment]]:
        """What each pin stands for, in the order of names."""
        return await named_moments(self._projector.live.pins, self._log, self._clock)

    async def definitions(self) -> Definitions:
        """The configured sources and registries, as they are now."""
        if self._frozen.is_live:
            return self._projector.live.definitions
        return await self._definitions((await self.resolve(self._frozen)).position)

    async def _definitions(self, position: Position) -> Definitions:
        rows = await self._storage.rows_at(
            DEFINITIONS.view, position, start="", stop=LAST_KEY, limit=1
        )
        return DEFINITIONS.restore(rows)

    async def _sources(self, definition: RegistryDefinition, moment: Moment) -> PastSources:
        if (effective_at := moment.effective_at) is None:
            return recorded_sources(self._storage, definition, moment.position)
        positions = {
            source: await self._storage.in_effect(
                catalog_stream(source), effective_at, upto=moment.position
            )
            for source in definition.sources
        }
        if not any(positions.values()):
            began = await self._began(definition, moment.position)
            raise NothingInEffectError(effective_at, min(began, default=None))
        return PastSources(
            storage=self._storage,
            definition=attrs.evolve(definition, defined_at=ALWAYS),
            positions=positions,
            effective=True,
        )

    async def _began(
        self, definition: RegistryDefinition, position: Position
    ) -> Sequence[datetime]:
        """When what each source had first took effect, as far as it was known at a position."""
        firsts = [
            await self._storage.first_of(catalog_stream(source)) for source in definition.sources
        ]
        return [first.effective_at for first in firsts if first and first.position <= position]

    async def current(self, name: str | None = None) -> RegistryVersion:
        """The registry of that name, or the default one, as it is now.

        Raises:
            RegistryNotFoundError
        """
        if not self._frozen.is_live:
            return await (await self.asked(name)).whole()
        live = self._projector.live
        definition = find_registry(live.definitions, name)
        kept = self._kept.get(definition.name)
        if kept and kept.position == live.changed_position:
            return kept
        return await self._compose(definition, live)

    async def every(self) -> Sequence[RegistryVersion]:
        """All registries as they are now, in the order of the configuration."""
        found = []
        definitions = await self.definitions()
        for definition in sorted(
            definitions.registries.values(), key=lambda definition: definition.rank
        ):
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
