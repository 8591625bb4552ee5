"""When Python looks for garbage, and who runs."""

import gc
import sys

from entrypoints.interpreter import take_short_turns, uncollected


def test_collection_is_paused_for_a_walk_and_goes_on_after_it() -> None:
    """What is long and makes no cycles is not interrupted."""
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_event_loop_waits_shorter_for_a_thread_that_works() -> None:
    """By less than a handler may take."""
    before = sys.getswitchinterval()
    try:
        take_short_turns()
        assert sys.getswitchinterval() < min(before, 0.005)
    finally:
        sys.setswitchinterval(before)
