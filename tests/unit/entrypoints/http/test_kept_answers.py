"""Keeping bodies that are dear to make."""

import anyio
import pytest

from entrypoints.http.kept_answers import KeptAnswers


class Kitchen:
    """Makes bodies, and counts them."""

    def __init__(self, size: int = 1) -> None:
        self.made = 0
        self._size = size

    async def __call__(self) -> bytes:
        self.made += 1
        await anyio.lowlevel.checkpoint()
        return b"x" * self._size


async def test_a_body_is_made_once():
    """However often it is asked for, also at the same time."""
    kept, kitchen = KeptAnswers(), Kitchen()

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(kept.get, "key", kitchen)
    assert await kept.get("key", kitchen) == b"x"

    assert kitchen.made == 1


async def test_the_longest_unused_goes_first():
    """What is asked for stays."""
    kept, kitchen = KeptAnswers(most_bytes=40), Kitchen(size=10)
    for key in ("a", "b", "c", "d", "a", "e"):
        await kept.get(key, kitchen)
    assert kitchen.made == 5

    for key in ("a", "c", "d", "e"):
        await kept.get(key, kitchen)
    assert kitchen.made == 5
    await kept.get("b", kitchen)

    assert kitchen.made == 6


async def test_a_large_body_drives_no_others_out():
    """It is made each time instead."""
    kept, small, large = KeptAnswers(most_bytes=40), Kitchen(size=10), Kitchen(size=11)
    await kept.get("small", small)

    for _ in range(2):
        assert len(await kept.get("large", large)) == 11
    await kept.get("small", small)

    assert (small.made, large.made) == (1, 2)


async def test_who_waits_for_a_failure_tries_again():
    """An error is nobody's answer but of the one whose request it was."""
    kept, kitchen = KeptAnswers(), Kitchen()

    async def fail() -> bytes:
        raise OSError

    with pytest.raises(OSError):
        await kept.get("key", fail)

    assert await kept.get("key", kitchen) == b"x"
