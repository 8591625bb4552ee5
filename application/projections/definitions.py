"""The configured sources and registries."""

import itertools
import operator
from collections.abc import Iterable, Sequence
from typing import Any

from application.event_log import CONFIG, LoggedEvent
from application.projections.projection import Step
from application.view_rows import pack, unpack
from domain.definitions import Definitions, redefine
from domain.ports.storage import View, ViewChange

_ROW = "definitions"


class DefinitionsProjection:
    """One row that holds everything."""

    view = View("definitions", 2, keeps_past=True)
    categories = (CONFIG,)

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> Definitions:
        return next((unpack(value, Definitions) for _, value in rows), Definitions())

    def step(self, state: Definitions, events: Sequence[LoggedEvent]) -> Step[Definitions]:
        changes = []
        for _, commit in itertools.groupby(events, key=operator.attrgetter("commit_id")):
            logged = list(commit)
            state = fold_definitions(state, logged)
            changes.append(ViewChange(since=logged[-1].position, puts={_ROW: pack(state)}))
        return Step(state, changes)


def fold_definitions(definitions: Definitions, events: Sequence[LoggedEvent]) -> Definitions:
    """Fold whole commits without a view."""
    dated: Any = ((logged.recorded_at, logged.event) for logged in events)
    return redefine(definitions, dated)
