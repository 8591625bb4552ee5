"""What a sync refuses to believe: a source that suddenly offers next to nothing."""

from collections.abc import Iterable, Sequence

import attrs

from domain.catalog import Catalog
from domain.errors import RemovalRefusedError
from domain.events import CatalogEvent, DelistReason, EntryDelisted, EntryListed
from domain.identifiers import EntryName

_FEW = 10  # below so many names a ratio says little


@attrs.frozen(kw_only=True)
class Guards:
    """How much a source may withdraw at once: less than `max_removal`, a ratio of its names."""

    allow_empty: bool = False
    max_removal: float = 0.5


def refuse_removal(catalog: Catalog, events: Sequence[CatalogEvent], guards: Guards) -> None:
    """Check what a sync would withdraw. What a filter takes out does not count.

    Raises:
        RemovalRefusedError: all names, or of ten or more too large a part.
    """
    names = {name for name, versions in catalog.names.items() if versions.listed}
    gone = names - _remaining(catalog, events)
    if not gone:
        return
    if gone == names:
        if not guards.allow_empty:
            raise RemovalRefusedError(
                f"the source offers none of the {len(names)} names it offered before: if that is "
                "meant, set allowEmpty: true for it"
            )
    elif len(names) >= _FEW and len(gone) / len(names) >= guards.max_removal:
        enough = (100 * len(gone) // len(names) + 1) / 100
        raise RemovalRefusedError(
            f"the source no longer offers {len(gone)} of {len(names)} names: if that is meant, "
            f"set maxRemoval to at least {enough} for it"
        )


def _remaining(catalog: Catalog, events: Iterable[CatalogEvent]) -> set[EntryName]:
    """Names that keep a version, or lose one to the filter."""
    withdrawn = {
        event.key
        for event in events
        if isinstance(event, EntryDelisted) and event.reason is DelistReason.WITHDRAWN
    }
    kept = {entry.key.entry_name for entry in catalog.entries() if entry.key not in withdrawn}
    return kept | {event.key.entry_name for event in events if isinstance(event, EntryListed)}
