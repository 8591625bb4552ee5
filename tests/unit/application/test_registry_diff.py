"""The diff of two registries: its pages. That it is the right one: see tests/stateful."""

from collections.abc import AsyncIterator

import attrs
import pytest

from application.change_details import ALL_CLASSES, SHOWN
from application.served import PastRegistry
from domain.asof import NOW, Asked, AtPosition
from domain.change import ChangeClass
from domain.comparison import Outcome
from domain.identifiers import Position
from tests.harness.registry_world import RegistryWorld, registry_world, server

PUBLISHER = "io.modelcontextprotocol.registry/publisher-provided"
DOCUMENTATION = frozenset({ChangeClass.DOCUMENTATION})


def servers(description: str, stars: int, names: str = "abcde"):
    """Servers of which every second one has another description, and all have stars."""
    return [
        server(
            f"com.example/{name}",
            title=description if number % 2 else "Always",
            _meta={PUBLISHER: {"stars": stars}},
        )
        for number, name in enumerate(names)
    ]


@attrs.frozen
class Twice:
    """A world that was synced twice, and where it stood after the first time."""

    world: RegistryWorld
    first: Position

    async def past(self, position: Position | None = None) -> PastRegistry:
        asked = NOW if position is None else Asked(at=AtPosition(position))
        return await self.world.registries.past(None, asked)


@pytest.fixture
async def twice() -> AsyncIterator[Twice]:
    async with registry_world() as world:
        await world.sync("main", servers("Old", 1))
        first = world.registries.live.position
        await world.sync("main", servers("New", 2))
        yield Twice(world, first)


async def test_a_page_ends_with_the_last_that_was_found(twice: Twice):
    """Where nothing of the classes comes behind it, there is no next one."""
    old, new = await twice.past(twice.first), await twice.past()
    diff = twice.world.services.diff
    one = await diff.page(old, new, None, 1, DOCUMENTATION)
    assert [change.name.name for change in one.changes] == ["com.example/b"]
    assert one.next == one.changes[0].name
    rest = await diff.page(old, new, one.next, 1, DOCUMENTATION)
    assert [change.name.name for change in rest.changes] == ["com.example/d"]
    assert rest.next is None


async def test_classes_choose(twice: Twice):
    """All servers have other stars, two another title."""
    old, new = await twice.past(twice.first), await twice.past()
    diff = twice.world.services.diff
    assert len(await diff.everything(old, new, ALL_CLASSES)) == 5
    assert len(await diff.everything(old, new, SHOWN)) == 2
    assert not await diff.everything(old, new, frozenset({ChangeClass.EXECUTION}))


async def test_a_moment_is_as_itself(twice: Twice):
    """And as another one that nothing happened since."""
    await twice.world.sync("main", servers("New", 2))
    now, before = await twice.past(), await twice.past(twice.first)
    later = await twice.past(now.position)
    assert later.position > before.position
    diff = twice.world.services.diff
    assert not await diff.everything(now, now)
    assert not await diff.everything(await twice.past(now.position - 1), later)


async def test_what_was_undone_in_between_is_no_difference_for_people(twice: Twice):
    """Only those who ask for all hear that it was touched."""
    await twice.world.sync("main", servers("Old", 1))
    old, new = await twice.past(twice.first), await twice.past()
    diff = twice.world.services.diff
    assert not await diff.everything(old, new, SHOWN)
    touched = await diff.everything(old, new)
    assert {change.outcome for change in touched} == {Outcome.CHANGED}
    assert not any(change.classes for change in touched)
