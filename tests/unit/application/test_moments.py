"""What a moment stands for."""

from datetime import timedelta

import pytest

from application.moments import resolve, resolve_from_log
from application.pins import PinBook
from domain.asof import NOW, Asked, AtPin, AtPosition, AtRecorded
from domain.errors import InvalidAsOfError, NothingRecordedError, PinNotFoundError
from domain.events import PinSet
from domain.identifiers import PinName
from domain.log import StoredCommit
from tests.harness.clock import MICROSECOND, START
from tests.harness.new_commits import collect
from tests.harness.sync_world import HeldSource, SyncWorld, loaded_world, server, synced_source

PROD = PinName("prod")
EFFECTIVE = START - timedelta(days=30)


@pytest.fixture
async def world() -> SyncWorld:
    """A configuration and two syncs, each a commit of some events."""
    world = await loaded_world()
    await world.configure({"default": ["main"]})
    source = HeldSource()
    for names in ("a", "ab"):
        source.offer(*map(server, names))
        await world.syncer.sync(synced_source(source))
    return world


async def commits(world: SyncWorld) -> list[StoredCommit]:
    return await collect(world.storage.commits())


async def test_every_moment_is_the_end_of_a_commit(world: SyncWorld) -> None:
    """The last one that lies not beyond it, by position and by time."""
    made = await commits(world)
    for number, commit in enumerate(made[1:], 1):
        for asked, expected in (
            (AtPosition(commit.last_position), commit),
            (AtPosition(commit.last_position - 1), made[number - 1]),
            (AtRecorded(commit.recorded_at), commit),
            (AtRecorded(commit.recorded_at + MICROSECOND), commit),
            (AtRecorded(commit.recorded_at - MICROSECOND), made[number - 1]),
        ):
            moment = await resolve(Asked(at=asked), world.log, {}, world.clock)
            assert (moment.commit, moment.position) == (expected, expected.last_position)
            assert moment.is_fixed == isinstance(asked, AtPosition)


async def test_without_a_moment_it_is_the_end_of_the_log(world: SyncWorld) -> None:
    """Which is another one after the next commit."""
    (*_, last) = await commits(world)
    for asked in (NOW, Asked(effective_at=EFFECTIVE)):
        moment = await resolve(asked, world.log, {}, world.clock)
        assert (moment.commit, moment.effective_at) == (last, asked.effective_at)
        assert not moment.is_fixed


async def test_a_pin_stands_for_its_position_and_its_time(world: SyncWorld) -> None:
    """Another effective time beside it wins; it is not fixed, for it may be moved."""
    first, second, _ = await commits(world)
    pins = {PROD: PinSet(name=PROD, position=second.last_position, effective_at=EFFECTIVE)}
    at = AtPin(PROD)
    moment = await resolve(Asked(at=at), world.log, pins, world.clock)
    assert (moment.commit, moment.effective_at, moment.is_fixed) == (second, EFFECTIVE, False)
    moment = await resolve(Asked(at=at, effective_at=START), world.log, pins, world.clock)
    assert (moment.commit, moment.effective_at) == (second, START)
    assert first != second


async def test_pins_are_found_in_the_log_alone(world: SyncWorld) -> None:
    """As they are by now, without any view."""
    first, second, _ = await commits(world)
    book = PinBook(world.storage, world.log, world.clock)
    await book.set(PROD, Asked(at=AtPosition(first.last_position)))
    await book.set(PROD, Asked(at=AtPosition(second.last_position)), move=True)
    moment = await resolve_from_log(Asked(at=AtPin(PROD)), world.log, world.clock)
    assert moment.commit == second
    with pytest.raises(PinNotFoundError, match="the pins are prod"):
        await resolve_from_log(Asked(at=AtPin(PinName("other"))), world.log, world.clock)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (Asked(at=AtPosition(4711)), InvalidAsOfError),
        (Asked(at=AtRecorded(START + timedelta(days=1))), InvalidAsOfError),
        (Asked(effective_at=START + timedelta(days=1)), InvalidAsOfError),
        (Asked(at=AtPosition(0)), NothingRecordedError),
        (Asked(at=AtRecorded(START - timedelta(days=1))), NothingRecordedError),
        (Asked(at=AtPin(PROD)), PinNotFoundError),
    ],
)
async def test_what_is_no_moment_has_no_answer(
    world: SyncWorld, asked: Asked, error: type[Exception]
) -> None:
    """The future, what lies before the first commit, and names that nobody gave."""
    with pytest.raises(error):
        await resolve(asked, world.log, {}, world.clock)


async def test_an_empty_log_has_no_moment() -> None:
    """The message says what to do."""
    world = await loaded_world()
    with pytest.raises(NothingRecordedError, match="run a sync first"):
        await resolve(NOW, world.log, {}, world.clock)
