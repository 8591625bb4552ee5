"""How far a walk through a list has come: up to which time of update nothing is missing."""

import heapq
from collections.abc import Iterable

PAGE = 100
"""How many entries are asked for at once, the most that the official API gives."""

_SECOND = 10**6
_OVERLAP = 60 * _SECOND
"""Microseconds. An update may show a little later than it is stamped."""


def trusted_until(
    newest: int, date: int | None, elapsed: int, *, is_snapshot: bool, is_late: bool
) -> int:
    """Up to when every update was seen in its final form. All times are in microseconds.

    *newest* is the latest update that was seen, *date* the server's clock when the walk began,
    *elapsed* how long it took. In a snapshot, a walk through one and the same state, all is
    final that does not claim to come from the future. A server that *is_late* is known to show
    updates some time after it stamped them.
    """
    if is_snapshot:
        return newest if date is None else date + _SECOND
    began = newest - elapsed if date is None else date
    # Stamps may be of whole seconds: what comes later in this one has the same.
    until = began // _SECOND * _SECOND - 1
    return until - _OVERLAP if is_late else until


def mark_after(updated: Iterable[int], until: int, known: int | None) -> int | None:
    """The time to ask for later updates of, when those at *updated* were seen.

    It lies some way before the latest update *until* which all can be trusted, but never so far
    that more than a page of known entries would come again, nor before the *known* mark.
    """
    latest = heapq.nlargest(PAGE, (moment for moment in updated if moment <= until))
    if not latest:
        return known
    marks = [latest[0] - _OVERLAP]
    if len(latest) == PAGE:
        marks.append(latest[-1])
    if known is not None:
        marks.append(known)
    return max(marks)
