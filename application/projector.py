"""Brings the projections to the end of the log, and keeps them there."""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import anyio.to_thread
import attrs

from application.event_log import CATALOG, CONFIG, EventLog
from application.projections import (
    CATALOGS,
    DEFINITIONS,
    PINS,
    PROJECTIONS,
    REDACTIONS,
    SYNC_RUNS,
)
from application.projections.catalogs import Catalogs
from application.projections.pins import Pins
from application.projections.projection import Projection
from application.projections.redactions import Redactions
from application.projections.sync_runs import RunsBySource
from domain.definitions import Definitions
from domain.errors import CorruptLogError
from domain.identifiers import ORIGIN, Position
from domain.ports.storage import StoragePort, View, ViewChange


@attrs.frozen(kw_only=True)
class Live:
    """What the projections say at a position.

    `changed_position` is where the last commit ends that can be seen in a registry, or later:
    what was answered at the same changed position is still the answer.
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

    @property
    def pins(self) -> Pins:
        pins: Pins = self.states[PINS.view]
        return pins

    @property
    def redactions(self) -> Redactions:
        """Empty until the views were loaded: who reads the log alone loads none."""
        redactions: Redactions = self.states.get(REDACTIONS.view, {})
        return redactions


@attrs.frozen
class _Folded:
    """A projection's state, and the last event in it."""

    state: Any
    position: Position


_SEEN = frozenset({CATALOG, CONFIG})  # the categories that registries are made of
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
        self._moved = anyio.Event()
        self.live = Live()

    async def load(self) -> None:
        """Restore the views as they were left, then catch up.

        Raises:
            CorruptLogError: an event cannot be read.
        """
        async with self._catching_up:
            await self._load()

    async def catch_up(self) -> Live:
        """Fold what the log has got since.

        Raises:
            CorruptLogError: an event cannot be read; the live state stays as it was.
        """
        async with self._catching_up:
            head = await self._storage.head()
            if head.position > self.live.position:
                await self._fold_all(head.position)
            return self.live

    async def beyond(self, position: Position) -> None:
        """Wait until the live state is of a later position."""
        while self.live.position <= position:
            await self._moved.wait()

    async def rebuild(self) -> None:
        """Drop every view and fold the log from its start. Until then the old state is live.

        Raises:
            CorruptLogError: an event cannot be read.
        """
        async with self._catching_up:
            for projection in self._projections:
                await self._storage.drop(projection.view)
            await self._load()

    async def _load(self) -> None:
        for projection in self._projections:
            self._folded[projection.view] = await self._restored(projection)
        await self._fold_all((await self._storage.head()).position)

    async def _restored(self, projection: Projection[Any]) -> _Folded:
        """Rows and the checkpoint they belong to: read again where another process moved both."""
        while True:
            position = await self._storage.checkpoint(projection.view)
            rows = [row async for batch in self._storage.rows(projection.view) for row in batch]
            if position == await self._storage.checkpoint(projection.view):
                state = await anyio.to_thread.run_sync(projection.restore, rows)
                return _Folded(state, position)

    async def _fold_all(self, upto: Position) -> None:
        for projection in self._projections:
            await self._fold(projection, upto)
        changed = max(
            self._folded[projection.view].position
            for projection in self._projections
            if _SEEN.issuperset(projection.categories)
        )
        self.live = Live(
            position=upto,
            changed_position=await self._end_of_commit(changed) if changed else ORIGIN,
            states={view: folded.state for view, folded in self._folded.items()},
        )
        self._moved.set()
        self._moved = anyio.Event()

    async def _end_of_commit(self, position: Position) -> Position:
        commit = await self._storage.commit_of(position)
        return commit.last_position if commit else position

    async def _fold(self, projection: Projection[Any], upto: Position) -> None:
        """Another process may bring the view a part of the way and end: then go on from there."""
        view = projection.view
        while not await self._fold_on(projection, upto):
            kept = await self._restored(projection)
            if kept.position < self._folded[view].position:
                self._folded[view] = kept

    async def _fold_on(self, projection: Projection[Any], upto: Position) -> bool:
        """Returns whether the view has come as far as the state, by whomever."""
        is_kept = True
        events = self._log.read(
            after=self._folded[projection.view].position,
            upto=upto,
            categories=projection.categories,
        )
        async for batch in events:
            before = self._folded[projection.view]
            try:
                step = await anyio.to_thread.run_sync(projection.step, before.state, batch)
            except Exception as error:
                raise CorruptLogError(
                    f"positions {batch[0].position} to {batch[-1].position} do not go on from what "
                    f"was before them: {error!r}: run registry verify"
                ) from error
            reached = _Folded(step.state, batch[-1].position)
            is_kept = await self._keep(projection, reached, step.changes)
        folded = self._folded[projection.view]
        if upto - folded.position > _MOST_BEHIND:
            folded = _Folded(folded.state, upto)
            is_kept = await self._keep(projection, folded, [])
        return is_kept or await self._storage.checkpoint(projection.view) >= folded.position

    async def _keep(
        self, projection: Projection[Any], folded: _Folded, changes: Sequence[ViewChange]
    ) -> bool:
        view, before = projection.view, self._folded[projection.view].position
        kept = await self._storage.advance(view, changes, after=before, upto=folded.position)
        self._folded[view] = folded
        return kept
