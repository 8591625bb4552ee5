"""From a moment as it was asked for to the commit, and the effective time, that it stands for."""

from datetime import datetime

import attrs

from application.event_log import PINS, EventLog
from application.projections.pins import Pins, fold_pins
from domain.asof import Asked, AtPin, AtPosition, AtRecorded, RecordedAsOf
from domain.errors import InvalidAsOfError, PinNotFoundError
from domain.identifiers import Position
from domain.log import StoredCommit
from domain.ports.clock import ClockPort
from domain.timestamps import to_rfc_3339


@attrs.frozen(kw_only=True)
class Moment:
    """All that was recorded up to a commit, of it what had taken effect by a time if there is one.

    `is_fixed` tells that it was asked for by its position, so that it stands for nothing else ever.
    """

    commit: StoredCommit
    effective_at: datetime | None = None
    is_fixed: bool = attrs.field(default=False, eq=False)

    @property
    def position(self) -> Position:
        """Where the commit ends."""
        return self.commit.last_position


async def resolve(asked: Asked, log: EventLog, pins: Pins, clock: ClockPort) -> Moment:
    """The moment that *asked* stands for now; where it does not say, as of the end of the log.

    Raises:
        InvalidAsOfError: it lies in the future.
        PinNotFoundError
        NothingRecordedError: it lies before the first commit.
    """
    at, effective_at = _unpinned(asked, pins)
    if effective_at and effective_at > clock.now():
        raise InvalidAsOfError(f"{to_rfc_3339(effective_at)} lies in the future")
    if at is None:
        at = AtPosition(await log.end())
    return Moment(
        commit=await log.resolve(at, clock),
        effective_at=effective_at,
        is_fixed=isinstance(asked.at, AtPosition),
    )


async def resolve_from_log(asked: Asked, log: EventLog, clock: ClockPort) -> Moment:
    """The same without a look at any view.

    Raises:
        InvalidAsOfError, PinNotFoundError, NothingRecordedError
    """
    pins = await pins_in_log(log) if isinstance(asked.at, AtPin) else {}
    return await resolve(asked, log, pins, clock)


async def pins_in_log(log: EventLog) -> Pins:
    """All pins by now, without a look at any view."""
    pins: Pins = {}
    async for batch in log.read(categories=(PINS,)):
        pins = fold_pins(pins, batch)
    return pins


def _unpinned(asked: Asked, pins: Pins) -> tuple[RecordedAsOf | None, datetime | None]:
    match asked.at:
        case AtPin(name):
            if (pin := pins.get(name)) is None:
                raise PinNotFoundError(name, pins)
            return AtPosition(pin.position), asked.effective_at or pin.effective_at
        case AtPosition() | AtRecorded() | None as at:
            return at, asked.effective_at
