"""Names for moments: given, moved to other moments, taken away."""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from application.event_log import PINS_STREAM, EventLog, Write
from application.moments import Moment, pins_in_log, resolve
from application.projections.pins import Pins
from domain.asof import Asked, AtPin
from domain.errors import PinExistsError, PinNotFoundError, WrongExpectedVersionError
from domain.events import PinEvent, PinRemoved, PinSet
from domain.identifiers import CommitId, PinName
from domain.log import Exactly
from domain.ports.clock import ClockPort
from domain.ports.storage import EventStorePort
from domain.timestamps import to_rfc_3339

_DECISIONS = 3

T = TypeVar("T")


class PinBook:
    """What the stream of pins says by now, and what is added to it."""

    def __init__(self, store: EventStorePort, log: EventLog, clock: ClockPort) -> None:
        self._store = store
        self._log = log
        self._clock = clock

    async def set(self, name: PinName, asked: Asked, *, move: bool = False) -> Moment:
        """Let *name* stand for the moment that *asked* stands for now.

        Where it does so already nothing is appended. It leaves another moment only with *move*.

        Raises:
            PinExistsError: it stands for another moment.
            InvalidAsOfError, PinNotFoundError, NothingRecordedError, StorageError
        """
        return await _decided(partial(self._set, name, asked, move=move))

    async def _set(self, name: PinName, asked: Asked, *, move: bool) -> Moment:
        version, pins = await self._read()
        moment = await resolve(asked, self._log, pins, self._clock)
        pin = PinSet(name=name, position=moment.position, effective_at=moment.effective_at)
        known = pins.get(name)
        if known and known != pin and not move:
            raise PinExistsError(name, known.position, known.effective_at)
        if known != pin:
            await self._append(pin, version)
        return moment

    async def remove(self, name: PinName) -> None:
        """Let *name* stand for nothing.

        Raises:
            PinNotFoundError, StorageError
        """
        await _decided(partial(self._remove, name))

    async def _remove(self, name: PinName) -> None:
        version, pins = await self._read()
        if name not in pins:
            raise PinNotFoundError(name, pins)
        await self._append(PinRemoved(name=name), version)

    async def moments(self) -> Sequence[tuple[PinName, Moment]]:
        """What each pin stands for, in the order of names."""
        _, pins = await self._read()
        return await named_moments(pins, self._log, self._clock)

    async def _read(self) -> tuple[int, Pins]:
        """The version first: where pins are set meanwhile, an append to it is refused."""
        version = await self._store.stream_version(PINS_STREAM)
        return version, await pins_in_log(self._log)

    async def _append(self, event: PinEvent, version: int) -> None:
        write = Write(PINS_STREAM, Exactly(version), [event])
        await self._log.append(CommitId(f"pin-{uuid.uuid4().hex}"), [write])


async def named_moments(
    pins: Pins, log: EventLog, clock: ClockPort
) -> Sequence[tuple[PinName, Moment]]:
    """What each pin stands for, in the order of names."""
    return [(name, await resolve(Asked(at=AtPin(name)), log, pins, clock)) for name in sorted(pins)]


def pin_members(name: PinName, moment: Moment) -> Mapping[str, Any]:
    """A pin as JSON tells of it; `effectiveAt` only where it is of an effective time."""
    effective_at = moment.effective_at
    return {
        "name": name,
        "position": moment.position,
        "recordedAt": to_rfc_3339(moment.commit.recorded_at),
        **({"effectiveAt": to_rfc_3339(effective_at)} if effective_at else {}),
    }


async def _decided(decide: Callable[[], Awaitable[T]]) -> T:
    """Decide again where somebody else was faster."""
    for _ in range(_DECISIONS - 1):
        with suppress(WrongExpectedVersionError):
            return await decide()
    return await decide()
