"""What a sync refuses to believe: a source that suddenly offers next to nothing."""

from collections.abc import Iterable, Sequence

import attrs

from domain.errors import RemovalRefusedError
from domain.events import CatalogEvent, DelistReason, EntryDelisted, EntryListed
from domain.identifiers import EntryKey, EntryName

_FEW = 10  # below so many names a ratio says little


@attrs.frozen(kw_only=True)
class Guards:
    """How much a source may withdraw at once: less than `max_removal`, a ratio of its names."""

    allow_empty: bool = False
    max_removal: float = 0.5


def withdrawn_names(events: Iterable[CatalogEvent]) -> frozenset[EntryName]:
    """The names that a sync would take versions from. What a filter takes out does not count."""
    withdrawn = {event.key.entry_name for event in events if _is_withdrawal(event)}
    return frozenset(withdrawn)


def refuse_removal(
    names: int, offered: Iterable[EntryKey], events: Sequence[CatalogEvent], guards: Guards
) -> None:
    """Check what a sync would withdraw of *names*, given what is offered of `withdrawn_names`.

    Raises:
        RemovalRefusedError: all names, or of ten or more too large a part.
    """
    gone = len(withdrawn_names(events) - _remaining(offered, events))
    if not gone:
        return
    if gone == names:
        if not guards.allow_empty:
            raise RemovalRefusedError(
                f"the source offers none of the {names} names it offered before: if that is "
                "meant, set allowEmpty: true for it"
            )
    elif names >= _FEW and gone / names >= guards.max_removal:
        enough = (100 * gone // names + 1) / 100
        raise RemovalRefusedError(
            f"the source no longer offers {gone} of {names} names: if that is meant, "
            f"set maxRemoval to at least {enough} for it"
        )


def _remaining(offered: Iterable[EntryKey], events: Sequence[CatalogEvent]) -> set[EntryName]:
    """Names that keep a version, or lose one to the filter."""
    withdrawn = {event.key for event in events if _is_withdrawal(event)}
    kept = {key.entry_name for key in offered if key not in withdrawn}
    return kept | {event.key.entry_name for event in events if isinstance(event, EntryListed)}


def _is_withdrawal(event: CatalogEvent) -> bool:
    return isinstance(event, EntryDelisted) and event.reason is DelistReason.WITHDRAWN
