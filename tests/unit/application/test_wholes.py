"""Whole registries of the past, kept for a while."""

from typing import Any

import anyio
import attrs

from application.wholes import Wholes


@attrs.frozen
class Composed:
    """As large as it says."""

    server_versions: int


class Composer:
    """Composes, and counts how often and how many at once."""

    def __init__(self, size: int = 10) -> None:
        self.size = size
        self.made = self.at_work = self.most_at_work = 0

    async def __call__(self) -> Any:
        self.made += 1
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        await anyio.lowlevel.checkpoint()
        self.at_work -= 1
        return Composed(self.size)


async def test_one_is_made_for_all_who_ask() -> None:
    """Also for those who come while it is being made."""
    wholes, compose = Wholes(), Composer()
    assert wholes.known("a") is None
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(wholes.get, "a", compose)
    assert compose.made == 1
    assert wholes.known("a") is await wholes.get("a", compose)


async def test_no_two_are_made_at_once() -> None:
    """Each takes the memory of a registry."""
    wholes, compose = Wholes(), Composer()
    async with anyio.create_task_group() as tasks:
        for key in range(5):
            tasks.start_soon(wholes.get, key, compose)
    assert (compose.made, compose.most_at_work) == (5, 1)


async def test_those_go_that_were_not_asked_for_longest() -> None:
    """As soon as there are too many entries in all."""
    wholes, compose = Wholes(most_entries=30), Composer()
    for key in "abc":
        await wholes.get(key, compose)
    wholes.known("a")
    await wholes.get("d", compose)
    assert [key for key in "abcd" if wholes.known(key)] == ["a", "c", "d"]


async def test_one_that_is_too_large_is_kept_alone() -> None:
    """Or the pages of a walk over it would each make it anew."""
    wholes = Wholes(most_entries=30)
    await wholes.get("small", Composer())
    await wholes.get("large", Composer(31))
    assert wholes.known("large")
    assert wholes.known("small") is None


async def test_none_outlives_a_clearance() -> None:
    """Neither one that is kept nor one that was begun before."""
    wholes, compose = Wholes(), Composer()
    await wholes.get("kept", compose)

    async def cleared_meanwhile() -> Any:
        wholes.clear()
        return await compose()

    assert await wholes.get("begun", cleared_meanwhile)
    assert wholes.known("kept") is wholes.known("begun") is None
