"""When Python looks for garbage."""

import gc

from entrypoints.garbage import uncollected


def test_collection_is_paused_for_a_walk_and_goes_on_after_it() -> None:
    """What is long and makes no cycles is not interrupted."""
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
