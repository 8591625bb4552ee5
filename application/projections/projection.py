"""What projections are."""

from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

import attrs

from application.event_log import LoggedEvent
from domain.ports.storage import View, ViewChange

S = TypeVar("S")


@attrs.frozen
class Step(Generic[S]):
    """A state with some more events in it, and what each commit of them changes in the view."""

    state: S
    changes: Sequence[ViewChange]


class Projection(Protocol[S]):
    """A small state folded from events, held in memory and kept as the rows of a view. Pure.

    `view` carries the version of the logic: another logic is another version, built beside
    the old one. `categories` are the streams it wants to see.
    """

    @property
    def view(self) -> View: ...

    @property
    def categories(self) -> Sequence[str]: ...

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> S:
        """The state that was kept as *rows*."""
        ...

    def step(self, state: S, events: Sequence[LoggedEvent]) -> Step[S]:
        """Fold whole commits into *state*, which stays as it is."""
        ...


class RowsProjection(Protocol):
    """Rows folded from events, too many to be held in memory. Pure."""

    @property
    def view(self) -> View: ...

    @property
    def categories(self) -> Sequence[str]: ...

    def ranges(self, events: Sequence[LoggedEvent]) -> Sequence[tuple[str, str]]:
        """The ranges of keys whose rows a step with these events has to know."""
        ...

    def changes(
        self, rows: Iterable[tuple[str, bytes]], events: Sequence[LoggedEvent]
    ) -> Sequence[ViewChange]:
        """What whole commits do to the view, of which *rows* are known."""
        ...
