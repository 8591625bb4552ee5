"""The moments that have names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from application.event_log import PINS, LoggedEvent
from application.projections.projection import Step
from application.view_rows import pack, unpack
from domain.events import PinRemoved, PinSet
from domain.identifiers import PinName
from domain.ports.storage import View, ViewChange

Pins: TypeAlias = Mapping[PinName, PinSet]


class PinsProjection:
    """One row per pin."""

    view = View("pins", 1)
    categories = (PINS,)

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> Pins:
        return {PinName(name): unpack(value, PinSet) for name, value in rows}

    def step(self, state: Pins, events: Sequence[LoggedEvent]) -> Step[Pins]:
        pins = fold_pins(state, events)
        puts = {str(name): pack(pin) for name, pin in pins.items() if pin is not state.get(name)}
        deletes = frozenset(str(name) for name in state.keys() - pins.keys())
        return Step(pins, [ViewChange(since=events[-1].position, puts=puts, deletes=deletes)])


def fold_pins(pins: Pins, events: Iterable[LoggedEvent]) -> Pins:
    """Fold events without a view."""
    folded = dict(pins)
    for logged in events:
        match logged.event:
            case PinSet() as pin:
                folded[pin.name] = pin
            case PinRemoved(name=name):
                folded.pop(name, None)
    return folded
