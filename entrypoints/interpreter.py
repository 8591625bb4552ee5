"""How often Python looks for garbage in cycles, and lets another thread run."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ALLOCATIONS, _YOUNG, _MIDDLE = 100_000, 50, 50
_TURN = 0.0005  # seconds


def collect_seldom() -> None:
    """For a process that loads many long-lived objects at once.

    By default every 700 allocations start a collection; folding 100,000 events then spends a
    third of its time in collections that find nothing.
    """
    gc.set_threshold(_ALLOCATIONS, _YOUNG, _MIDDLE)


def take_short_turns() -> None:
    """For a process that answers while it works.

    By default a thread keeps the event loop waiting for 5 ms, a dozen times in one answer.
    """
    sys.setswitchinterval(_TURN)


def settle() -> None:
    """For what was loaded and will stay: it is not looked through again, and what it took to load
    it goes back to the system.
    """
    gc.freeze()
    with suppress(AttributeError, OSError):  # a C library of another make
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def uncollected() -> Iterator[None]:
    """For a walk over a whole log, which makes millions of objects and no cycles."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
