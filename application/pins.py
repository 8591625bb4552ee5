"""Names for moments: given, moved to another moment, taken away."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import attrs

from application.event_log import PINS_STREAM, EventLog, Write
from application.moments import Moment, pins_in_log, resolve
from application.projections.pins import Pins
from domain.asof import Asked, AtPin
from domain.errors import PinExistsError, PinNotFoundError, WrongExpectedVersionError
from domain.events import PinEvent, PinRemoved, PinSet
from domain.identifiers import CommitId, PinName, Position
from domain.log import Exactly
from domain.ports.clock import ClockPort
from domain.ports.storage import EventStorePort

_DECISIONS = 3

T = TypeVar("T")


class PinBook:
    """What the stream of pins says, read from the log each time, and what is added to it."""

    def __init__(self, store: EventStorePort, log: EventLog, clock: ClockPort) -> None:
        self._store = store
        self._log = log
        self._clock = clock

    async def set(self, name: PinName, asked: Asked, *, move: bool) -> Moment:
        """Let *name* stand for the moment that *asked* stands for now.

        Where it does so already nothing is appended. It only leaves another moment with *move*.

        Raises:
            PinExistsError: it stands for another moment.
            InvalidAsOfError, PinNotFoundError, NothingRecordedError, StorageError
        """

        async def decide() -> Moment:
            version, pins = await self._read()
            moment = await resolve(asked, self._log, pins, self._clock)
            pin = PinSet(name=name, position=moment.position, effective_at=moment.effective_at)
            known = pins.get(name)
            if known and known != pin and not move:
                raise PinExistsError(name, known.position, known.effective_at)
            if known != pin:
                await self._append(pin, version)
            return moment

        return await _decided(decide)

    async def remove(self, name: PinName) -> None:
        """Let *name* stand for nothing.

        Raises:
            PinNotFoundError, StorageError
        """

        async def decide() -> None:
            version, pins = await self._read()
            if name not in pins:
                raise PinNotFoundError(name, pins)
            await self._append(PinRemoved(name=name), version)

        await _decided(decide)

    async def moments(self) -> Sequence[tuple[PinName, Moment]]:
        """All pins in the order of names, with what each stands for."""
        _, pins = await self._read()
        return [
            (name, await resolve(Asked(at=AtPin(name)), self._log, pins, self._clock))
            for name in sorted(pins)
        ]

    async def _read(self) -> tuple[int, Pins]:
        """The version is read first: where pins have come since, no append is made to it."""
        version = await self._store.stream_version(PINS_STREAM)
        return version, await pins_in_log(self._log)

    async def _append(self, event: PinEvent, version: int) -> Position:
        write = Write(PINS_STREAM, Exactly(version), [event])
        appended = await self._log.append(CommitId(f"pin-{uuid.uuid4().hex}"), [write])
        return appended.position
