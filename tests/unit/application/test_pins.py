"""Moments get names, other moments get them, names go."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from application.event_log import PINS_STREAM, EventLog
from application.pins import PinBook, pin_members
from domain.asof import NOW, Asked, AtPin, AtPosition
from domain.errors import PinExistsError, PinNotFoundError, WrongExpectedVersionError
from domain.events import Event, PinRemoved, PinSet
from domain.identifiers import PinName
from domain.log import Appended, NewCommit
from tests.harness.clock import START
from tests.harness.sync_world import SyncWorld, loaded_world

PROD = PinName("prod")


@pytest.fixture
async def world() -> SyncWorld:
    """Two commits, the first of two events, the second of one."""
    world = await loaded_world()
    await world.configure({"default": ["main"]})
    await world.configure({"default": ["main"], "other": ["main"]})
    return world


def book_of(world: SyncWorld) -> PinBook:
    return PinBook(world.storage, world.log, world.clock)


async def told(world: SyncWorld) -> Sequence[Event]:
    """What the stream of pins tells."""
    return [logged.event for logged in await world.events() if logged.stream == PINS_STREAM]


def pinned(position: int, **changes: Any) -> PinSet:
    return PinSet(**{"name": PROD, "position": position, "effective_at": None} | changes)


def at(position: int) -> Asked:
    return Asked(at=AtPosition(position))


async def test_a_pin_is_the_end_of_a_commit(world: SyncWorld) -> None:
    """Whatever lies within the next one; and by default it is the end of the log."""
    moment = await book_of(world).set(PROD, at(2))
    assert moment.position == 2
    assert await told(world) == [pinned(2)]
    await book_of(world).set(PinName("now"), NOW)
    assert (await told(world))[-1] == pinned(4, name=PinName("now"))


async def test_the_same_again_appends_nothing(world: SyncWorld) -> None:
    """With or without leave to move it, and however the moment is written."""
    for asked in (at(2), at(2), Asked(at=AtPin(PROD))):
        for move in (False, True):
            await book_of(world).set(PROD, asked, move=move)
    assert await told(world) == [pinned(2)]


@pytest.mark.parametrize("other", [at(3), Asked(at=AtPosition(2), effective_at=START)])
async def test_a_pin_moves_only_with_leave(world: SyncWorld, other: Asked) -> None:
    """To another position or another effective time; the message says what to do."""
    world.clock.at += timedelta(days=1)
    await book_of(world).set(PROD, at(2))
    with pytest.raises(PinExistsError, match=r"'prod' stands for @2, .*--move"):
        await book_of(world).set(PROD, other)
    await book_of(world).set(PROD, other, move=True)
    assert other.at
    position = int(str(other.at)[1:])
    assert await told(world) == [pinned(2), pinned(position, effective_at=other.effective_at)]


async def test_a_pin_is_removed_once(world: SyncWorld) -> None:
    """Then the name is free."""
    await book_of(world).set(PROD, at(2))
    await book_of(world).remove(PROD)
    with pytest.raises(PinNotFoundError):
        await book_of(world).remove(PROD)
    await book_of(world).set(PROD, at(3))
    assert await told(world) == [pinned(2), PinRemoved(name=PROD), pinned(3)]


async def test_pins_are_told_with_both_times(world: SyncWorld) -> None:
    """In the order of names; an effective time only where there is one."""
    world.clock.at += timedelta(days=1)
    await book_of(world).set(PROD, at(2))
    await book_of(world).set(PinName("a"), Asked(at=AtPosition(3), effective_at=START))
    first, second = [pin_members(*each) for each in await book_of(world).moments()]
    assert (first["name"], first["position"]) == ("a", 3)
    assert first["effectiveAt"] == "2026-11-22T09:30:00Z"
    assert second.keys() == {"name", "position", "recordedAt"}


class Overtaken:
    """A storage in which others set pins of these names, one before each append."""

    def __init__(self, world: SyncWorld, *names: str) -> None:
        self._storage = world.storage
        self._others = book_of(world)
        self._names = [*names]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def append(self, commit: NewCommit) -> Appended:
        if self._names:
            await self._others.set(PinName(self._names.pop(0)), at(3))
        return await self._storage.append(commit)


def overtaken(world: SyncWorld, *names: str) -> PinBook:
    storage: Any = Overtaken(world, *names)
    return PinBook(storage, EventLog(storage), world.clock)


async def test_who_is_overtaken_decides_again(world: SyncWorld) -> None:
    """Another name that came meanwhile is no reason to fail."""
    await overtaken(world, "other", "another").set(PROD, at(2))
    assert (await told(world))[-1] == pinned(2)


async def test_who_is_overtaken_does_not_move_what_others_set(world: SyncWorld) -> None:
    """The same name that came meanwhile is."""
    with pytest.raises(PinExistsError, match="stands for @3"):
        await overtaken(world, PROD).set(PROD, at(2))


async def test_who_is_overtaken_again_and_again_gives_up(world: SyncWorld) -> None:
    """With the error of the storage."""
    with pytest.raises(WrongExpectedVersionError):
        await overtaken(world, "a", "b", "c").set(PROD, at(2))
