"""Brings the projections to the end of the log, and keeps them there."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.to_thread
import attrs

from application.event_log import EventLog, LoggedEvent
from application.projections import (
    CATALOGS,
    DEFINITIONS,
    PINS,
    PROJECTIONS,
    REDACTIONS,
    SYNC_RUNS,
)
from application.projections.pins import Pins
from application.projections.projection import Projection, RowsProjection
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
    what was answered at the same changed position is still the answer. The rows of CATALOGS are
    those of `catalogs_position`.
    """

    position: Position = ORIGIN
    changed_position: Position = ORIGIN
    catalogs_position: Position = ORIGIN
    states: Mapping[View, Any] = attrs.field(factory=dict)

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


_MUCH = 2000  # events that take longer to fold than to read what somebody else made of them
_MOST_BEHIND = 1000  # positions that a checkpoint may lag where none was of its categories


class Projector:
    """Owns the live state. A bad event halts it at the last good one.

    Small states are folded in memory and their views written beside them, so a start reads the
    views and only the events after their checkpoints. Several processes may do so at once:
    each folds for itself, and the first to come writes. The rows of *rows* are in storage alone.
    """

    def __init__(
        self,
        storage: StoragePort,
        log: EventLog,
        projections: Sequence[Projection[Any]] = PROJECTIONS,
        rows: RowsProjection = CATALOGS,
    ) -> None:
        self._storage = storage
        self._log = log
        self._projections = projections
        self._rows = rows
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

    async def catch_up(self, patience_seconds: float = 0.0) -> Live:
        """Fold what the log has got since.

        Where that is much, and another process is about to do the same, it is given so long.

        Raises:
            CorruptLogError: an event cannot be read; the live state stays as it was.
        """
        async with self._catching_up:
            head = await self._storage.head()
            if head.position > self.live.position:
                if head.position - self.live.position > _MUCH:
                    await self._await_others(head.position, patience_seconds)
                await self._fold_all(head.position)
            return self.live

    async def _await_others(self, upto: Position, patience_seconds: float) -> None:
        with anyio.move_on_after(patience_seconds):
            while await self._storage.checkpoint(self._rows.view) + _MUCH < upto:
                await self._storage.grown()

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
            views = [projection.view for projection in self._projections]
            for view in (*views, self._rows.view):
                await self._storage.drop(view)
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
        """Another process may have brought the rows further: then this one follows."""
        catalogs = await self._fold_rows(upto)
        while catalogs > upto:
            upto = (await self._storage.head()).position
            catalogs = await self._fold_rows(upto)
        for projection in self._projections:
            await self._fold(projection, upto)
        changed = max(catalogs, self._folded[DEFINITIONS.view].position)
        self.live = Live(
            position=upto,
            changed_position=await self._end_of_commit(changed) if changed else ORIGIN,
            catalogs_position=catalogs,
            states={view: folded.state for view, folded in self._folded.items()},
        )
        self._moved.set()
        self._moved = anyio.Event()

    async def _fold_rows(self, upto: Position) -> Position:
        """Bring the view of rows at least to a position. Returns how far it has come."""
        view = self._rows.view
        while (position := await self._storage.checkpoint(view)) < upto:
            async for batch in self._log.read(
                after=position, upto=upto, categories=self._rows.categories
            ):
                if not await self._advance(batch, position):
                    break
                position = batch[-1].position
            else:
                return await self._skipped(position, upto)
        return position

    async def _advance(self, batch: Sequence[LoggedEvent], position: Position) -> bool:
        """Returns whether nobody else was faster."""
        view, ranges = self._rows.view, self._rows.ranges
        wanted = await anyio.to_thread.run_sync(ranges, batch) if position else ()
        rows = await self._storage.rows_within(view, wanted) if wanted else ()
        if await self._storage.checkpoint(view) != position:
            return False  # the rows may be of a later position than the events go on from
        with _told(batch):
            changes = await anyio.to_thread.run_sync(self._rows.changes, rows, batch)
        return await self._storage.advance(view, changes, after=position, upto=batch[-1].position)

    async def _skipped(self, position: Position, upto: Position) -> Position:
        """Where the checkpoint stands when there was nothing of its categories up to *upto*."""
        if upto - position <= _MOST_BEHIND:
            return position
        moved = await self._storage.advance(self._rows.view, [], after=position, upto=upto)
        return upto if moved else await self._storage.checkpoint(self._rows.view)

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
            with _told(batch):
                step = await anyio.to_thread.run_sync(projection.step, before.state, batch)
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


@contextmanager
def _told(batch: Sequence[LoggedEvent]) -> Iterator[None]:
    """Say where the log is damaged."""
    try:
        yield
    except Exception as error:
        raise CorruptLogError(
            f"positions {batch[0].position} to {batch[-1].position} do not go on from what "
            f"was before them: {error!r}: run registry verify"
        ) from error
