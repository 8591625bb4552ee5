"""The documents that were taken away."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from application.event_log import REDACTIONS, LoggedEvent
from application.projections.projection import Step
from application.view_rows import pack, unpack
from domain.events import DocumentRedacted
from domain.identifiers import DocumentHash
from domain.ports.storage import View, ViewChange
from domain.redaction import Redaction

Redactions: TypeAlias = Mapping[DocumentHash, Redaction]


class RedactionsProjection:
    """One row per document."""

    view = View("redactions", 1)
    categories = (REDACTIONS,)

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> Redactions:
        return {DocumentHash(known): unpack(value, Redaction) for known, value in rows}

    def step(self, state: Redactions, events: Sequence[LoggedEvent]) -> Step[Redactions]:
        redactions = fold_redactions(state, events)
        puts = {str(known): pack(redactions[known]) for known in redactions.keys() - state.keys()}
        return Step(redactions, [ViewChange(since=events[-1].position, puts=puts)])


def fold_redactions(redactions: Redactions, events: Iterable[LoggedEvent]) -> Redactions:
    """Fold events without a view."""
    folded = dict(redactions)
    for logged in events:
        match logged.event:
            case DocumentRedacted() as event:
                folded[event.document_hash] = Redaction(
                    document_hash=event.document_hash,
                    reason=event.reason,
                    redacted_by=event.redacted_by,
                    recorded_at=logged.recorded_at,
                )
    return folded
