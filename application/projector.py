"""Brings the projections to the end of the log, and keeps them there."""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import anyio.to_thread
import attrs

from application.event_log import SYNC, EventLog
from application.projections import CATALOGS, DEFINITIONS, PROJECTIONS, SYNC_RUNS
from application.projections.catalogs import Catalogs
from application.projections.projection import Projection
from application.projections.sync_runs import RunsBySource
from domain.definitions import Definitions
from domain.identifiers import ORIGIN, Position
from domain.ports.storage import StoragePort, View, ViewChange


@attrs.frozen(kw_only=True)
class Live:
    """What the projections say at a position.

    `changed_position` is that of the last event that can be seen in a registry: what was
    answered at the same changed position is still the answer.
    """

    position: Position = ORIGIN
    changed_position: Position = ORIGIN
    states: Mapping[View, Any] = attrs.field(factory=dict)

    @property
    def catalogs(self) -> Catalogs:
        catalogs: Catalogs = self.states[CATALOGS.view]
        return catalogs

    @property
    def definitions(self) -> Definitions:
        definitions: Definitions = self.states[DEFINITIONS.view]
        return definitions

    @property
    def sync_runs(self) -> RunsBySource:
        runs: RunsBySource = self.states[SYNC_RUNS.view]
        return runs


@attrs.frozen
class _Folded:
    """A projection's state, and the last event in it."""

    state: Any
    position: Position


_MOST_BEHIND = 1000  # positions that a checkpoint may lag where none was of its categories


class Projector:
    """Owns the live state. A bad event halts it at the last good one.

    States are folded in memory and their views written beside them, so a start reads the
    views and only the events after their checkpoints. Several processes may do so at once:
    each folds for itself, and the first to come writes.
    """

    def __init__(
        self,
        storage: StoragePort,
        log: EventLog,
        projections: Sequence[Projection[Any]] = PROJECTIONS,
    ) -> None:
        self._storage = storage
        self._log = log
        self._projections = projections
        self._catching_up = anyio.Lock()
        self._folded: dict[View, _Folded] = {}
        self.live = Live()

    async def load(self) -> None:
        """Restore the views as they were left, then catch up."""
        for projection in self._projections:
            position = await self._storage.checkpoint(projection.view)
            rows = [row async for batch in self._storage.rows(projection.view) for row in batch]
            state = await anyio.to_thread.run_sync(projection.restore, rows)
            self._folded[projection.view] = _Folded(state, position)
        self.live = self._live(ORIGIN)
        await self.catch_up()

    async def catch_up(self) -> Live:
        """Fold what the log has got since.

        Raises:
            CorruptLogError: an event cannot be read; the live state stays as it was.
        """
        async with self._catching_up:
            head = await self._storage.head()
            if head.position > self.live.position:
                for projection in self._projections:
                    await self._fold(projection, head.position)
                self.live = self._live(head.position)
            return self.live

    async def rebuild(self) -> None:
        """Drop every view and fold the log from its start."""
        for projection in self._projections:
            await self._storage.drop(projection.view)
        await self.load()

    def _live(self, position: Position) -> Live:
        return Live(
            position=position,
            changed_position=max(
                self._folded[projection.view].position
                for projection in self._projections
                if SYNC not in projection.categories
            ),
            states={view: folded.state for view, folded in self._folded.items()},
        )

    async def _fold(self, projection: Projection[Any], upto: Position) -> None:
        events = self._log.read(
            after=self._folded[projection.view].position,
            upto=upto,
            categories=projection.categories,
        )
        async for batch in events:
            before = self._folded[projection.view]
            step = await anyio.to_thread.run_sync(projection.step, before.state, batch)
            await self._keep(projection, _Folded(step.state, batch[-1].position), step.change)
        folded = self._folded[projection.view]
        if upto - folded.position > _MOST_BEHIND:
            await self._keep(projection, _Folded(folded.state, upto), ViewChange())

    async def _keep(self, projection: Projection[Any], folded: _Folded, change: ViewChange) -> None:
        before = self._folded[projection.view].position
        await self._storage.advance(projection.view, change, after=before, upto=folded.position)
        self._folded[projection.view] = folded
