"""Keeping what is dear to make."""

import anyio
import pytest

from entrypoints.http.kept_answers import Kept


def test_the_longest_unused_goes_first():
    """What is asked for stays."""
    kept: Kept[str] = Kept(most_bytes=40)
    for key in ("a", "b", "c", "d"):
        kept.keep(key, key.upper(), 10)
    assert kept.find("a") == "A"

    kept.keep("e", "E", 10)

    assert [kept.find(key) for key in "abcde"] == ["A", None, "C", "D", "E"]


def test_a_large_value_drives_no_others_out():
    """It is made each time instead."""
    kept: Kept[str] = Kept(most_bytes=40)
    kept.keep("small", "s", 10)

    kept.keep("large", "l", 21)

    assert (kept.find("small"), kept.find("large")) == ("s", None)


def test_a_value_takes_the_place_of_the_one_before():
    """Its bytes count once, also where it is too large to be kept itself."""
    kept: Kept[str] = Kept(most_bytes=40)
    for key in ("a", "b", "c", "d"):
        kept.keep(key, "old", 10)

    kept.keep("d", "new", 10)
    kept.keep("c", "large", 21)

    assert [kept.find(key) for key in "abcd"] == ["old", "old", None, "new"]


async def test_one_at_a_time_makes_a_value():
    """Who waited finds what the first has made."""
    kept: Kept[str] = Kept(most_bytes=40)
    made = []

    async def get() -> None:
        async with kept.alone("key"):
            if kept.find("key") is None:
                await anyio.lowlevel.checkpoint()
                made.append("value")
                kept.keep("key", "value", 1)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(get)

    assert made == ["value"]


async def test_who_waits_for_a_failure_tries_again():
    """An error is nobody's answer but of the one whose request it was."""
    kept: Kept[str] = Kept(most_bytes=40)

    with pytest.raises(OSError):
        async with kept.alone("key"):
            raise OSError

    async with kept.alone("key"):
        assert kept.find("key") is None


async def test_what_is_asked_for_again_is_wanted():
    """Also what somebody waits for. Who walks through everything once is soon forgotten."""
    kept: Kept[str] = Kept(most_bytes=40)
    assert [kept.is_wanted("key"), kept.is_wanted("key"), kept.is_wanted("other")] == [
        False,
        True,
        False,
    ]
    assert kept.is_wanted("key")
    assert not any(kept.is_wanted(number) for number in range(30_000))
    assert not kept.is_wanted("key")

    waits = anyio.Event()

    async def wait() -> None:
        waits.set()
        async with kept.alone("new"):
            pass

    async with anyio.create_task_group() as tasks, kept.alone("new"):
        tasks.start_soon(wait)
        await waits.wait()
        assert kept.is_wanted("new")
