"""The registries, as they are now and as they were."""

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime

import anyio
import anyio.to_thread
import attrs

from application.documents import Documents
from application.event_log import EventLog, catalog_stream
from application.indexing import index_of, outline_of, with_changes
from application.moments import Moment, resolve
from application.past_walk import PastSources, recorded_sources
from application.pins import named_moments
from application.projections import CATALOGS, DEFINITIONS
from application.projections.catalogs import places_of
from application.projector import Live, Projector
from application.registry_index import RegistryIndex
from application.registry_version import ALWAYS, find_registry
from application.served import LiveRegistry, PastRegistry, ServedRegistry
from application.view_rows import LAST_KEY
from application.wholes import Wholes
from domain.asof import NOW, Asked
from domain.composition import RegistryDefinition
from domain.definitions import Definitions
from domain.errors import AnnalsError, NothingInEffectError, RegistryNotFoundError
from domain.identifiers import EntryName, PinName, Position, RegistryName
from domain.ports.clock import ClockPort
from domain.ports.scratch import ScratchPort
from domain.ports.storage import StoragePort

_log = logging.getLogger(__name__)

_MOST_FIXED = 256
_MOST_CHANGED = 5000  # names: beyond that a registry is indexed anew
_ROWS = 1000


class Registries:
    """Brings a registry up to date when it is first asked for after a change.

    With *frozen* every registry is the one of that moment, where no other is asked for.
    """

    def __init__(
        self,
        projector: Projector,
        storage: StoragePort,
        documents: Documents,
        clock: ClockPort,
        scratch: ScratchPort,
        frozen: Asked = NOW,
    ) -> None:
        self._projector = projector
        self._storage = storage
        self._documents = documents
        self._log = EventLog(storage)
        self._clock = clock
        self._scratch = scratch
        self._frozen = frozen
        self._wholes = Wholes()
        self._renewing, self._completing = anyio.Lock(), anyio.Lock()
        self._kept: dict[RegistryName, LiveRegistry] = {}
        self._known_of: Live | None = None
        self._known: dict[str | None, LiveRegistry] = {}
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
            return await self._current(name)
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
        found = PastRegistry(
            sources=await self._sources(definition, moment),
            moment=moment,
            wholes=self._wholes,
            documents=self._documents,
            scratch=self._scratch,
        )
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
        times = [await self._log.began(source, position) for source in definition.sources]
        return [began for began in times if began]

    async def every(self) -> Sequence[ServedRegistry]:
        """All registries as they are now, in the order of the configuration."""
        found = []
        definitions = await self.definitions()
        for definition in sorted(
            definitions.registries.values(), key=lambda definition: definition.rank
        ):
            with suppress(RegistryNotFoundError):  # configured away since
                found.append(await self.asked(definition.name))
        return found

    async def keep_up(self, settle: Callable[[], None]) -> None:
        """Have every registry whole as soon as it has changed.

        *settle* is called, beside the event loop, when all of one was read.
        """
        while True:
            position = self._projector.live.position
            try:
                if await self._made_whole():
                    await anyio.to_thread.run_sync(settle)
            except AnnalsError as error:
                _log.error("a registry cannot be served as it is by now: %s", error)
            await self._projector.beyond(position)

    async def _made_whole(self) -> bool:
        """Returns whether there was one that was not."""
        registries = [one for one in await self.every() if isinstance(one, LiveRegistry)]
        outlines = [registry for registry in registries if not registry.is_whole]
        for outline in outlines:
            await outline.whole()
        return bool(outlines)

    async def _current(self, name: str | None) -> LiveRegistry:
        live = self._projector.live
        if live is self._known_of and (known := self._known.get(name)):
            return known
        definition = find_registry(live.definitions, name)
        kept = self._kept.get(definition.name)
        if kept and _is_of(kept, live):
            self._remember(name, kept, live)
            return kept
        async with self._renewing:
            return await self._renewed(definition.name)

    def _remember(self, name: str | None, kept: LiveRegistry, live: Live) -> None:
        """For who asks again while nothing has happened."""
        if live is not self._known_of:
            self._known_of, self._known = live, {}
        self._known[name] = kept

    async def _renewed(self, name: RegistryName) -> LiveRegistry:
        """The registry by now. Those that are configured no longer are let go."""
        live = self._projector.live
        definition = find_registry(live.definitions, name)
        kept = self._kept.get(name)
        if kept and _is_of(kept, live):
            return kept
        sources = recorded_sources(self._storage, definition, live.catalogs_position)
        made = await self._made(kept, sources, live)
        if kept and kept.redactions != made.redactions:
            self._wholes.clear()  # their files have what was redacted
        configured = live.definitions.registries
        others = {name: old for name, old in self._kept.items() if name in configured}
        self._kept, self._known = {**others, name: made}, {}
        return made

    async def _made(
        self, kept: LiveRegistry | None, sources: PastSources, live: Live
    ) -> LiveRegistry:
        index = None
        if kept and _goes_on(kept, sources.definition, live):
            names = await self._changed(kept, live)
            if len(names) < _MOST_CHANGED:
                changed = await sources.of(names)
                index = await with_changes(kept.index, changed, self._documents)
        return LiveRegistry(
            index=index or await outline_of(sources, self._scratch.open()),
            is_whole=index is not None,
            make_whole=self._completed,
            sources=sources,
            documents=self._documents,
            position=live.changed_position,
            catalogs_position=live.catalogs_position,
            redactions=len(live.redactions),
        )

    async def _completed(self, outline: LiveRegistry) -> RegistryIndex:
        """What is made for one request serves all others.

        Where the registry has changed meanwhile, the next one goes on from what was made.
        """
        async with self._completing:
            name = outline.definition.name
            kept = self._kept.get(name)
            if kept and kept.is_whole and kept.position == outline.position:
                return kept.index
            index = await index_of(outline.sources, self._documents, self._scratch.open())
            async with self._renewing:
                kept = self._kept.get(name)
                if kept and not kept.is_whole:
                    self._kept[name] = attrs.evolve(outline, index=index, is_whole=True)
                    self._known = {}
            return index

    async def _changed(self, kept: LiveRegistry, live: Live) -> Collection[EntryName]:
        """Names that are not as they were, or _MOST_CHANGED of them."""
        names: set[EntryName] = set()
        place = (kept.catalogs_position, LAST_KEY)
        while len(names) < _MOST_CHANGED and (
            rows := await self._storage.row_changes(
                CATALOGS.view, after=place, upto=live.catalogs_position, limit=_ROWS
            )
        ):
            place = rows[-1]
            sources = kept.definition.sources
            names.update(name for _, source, name in places_of(rows) if source in sources)
        return names


def _goes_on(kept: LiveRegistry, definition: RegistryDefinition, live: Live) -> bool:
    """Whether an index can be made of the one there is.

    What was redacted must be gone from the disk, so its file goes with all that is in it.
    """
    if not kept.is_whole or kept.redactions != len(live.redactions):
        return False
    return kept.definition == definition and not kept.index.is_sparse


def _is_of(kept: LiveRegistry, live: Live) -> bool:
    return (kept.position, kept.redactions) == (live.changed_position, len(live.redactions))
