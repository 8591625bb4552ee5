"""Tiles of a log, computed once."""

import pytest

from adapters.storage.memory import MemoryStorage
from application.merkle_tiles import VIEW, MerkleTiles, node_hashes
from domain.merkle import root_of
from domain.tiles import WIDTH, Tile, inclusion_nodes
from tests.harness.clock import SteppingClock
from tests.harness.long_log import lengthen

SIZE = 70_000


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage(SteppingClock())


class Counting:
    """A storage that counts the leaves that are read."""

    def __init__(self, storage) -> None:
        self.storage = storage
        self.leaves = 0

    def __getattr__(self, name):
        return getattr(self.storage, name)

    async def leaf_hashes(self, *, after, upto):
        self.leaves += upto - after
        return await self.storage.leaf_hashes(after=after, upto=upto)


async def leaves_of(storage):
    return await storage.leaf_hashes(after=0, upto=(await storage.head()).position)


async def test_tiles_hold_the_roots_of_tiles_below(storage):
    """Leaves at level 0, and above them roots over 256 hashes each."""
    await lengthen(storage, SIZE)
    leaves, tiles = await leaves_of(storage), MerkleTiles(storage)
    assert await tiles.read(Tile(level=0, index=273, width=112)) == leaves[-112:]
    roots = [root_of(leaves[start : start + WIDTH]) for start in range(0, SIZE - 255, WIDTH)]
    assert await tiles.read(Tile(level=1, index=0)) == roots[:WIDTH]
    assert await tiles.read(Tile(level=1, index=1, width=17)) == roots[WIDTH:]
    assert await tiles.read(Tile(level=2, index=0, width=1)) == [root_of(roots[:WIDTH])]


async def test_tiles_grow_with_the_log(storage):
    """In whatever steps it grows, the tiles are those of the whole."""
    tiles = MerkleTiles(storage)
    for size in (1, 255, 256, 257, 511, 1024, 65_535, 65_536, SIZE):
        await lengthen(storage, size)
        await tiles.grow(size)
        root = await node_hashes([(0, size)], size, tiles.read)
        assert root == ((await storage.head()).root,)


async def test_a_restart_reads_the_view_and_no_leaf(storage):
    """What was computed before is there; the next event costs nothing."""
    await lengthen(storage, SIZE)
    await MerkleTiles(storage).grow(SIZE)
    counting = Counting(storage)
    again = MerkleTiles(counting)
    await again.grow(SIZE)
    assert counting.leaves == 0
    await node_hashes(inclusion_nodes(4711, SIZE), SIZE, again.read)
    assert counting.leaves <= 2 * WIDTH


async def test_two_processes_grow_the_same_tiles(storage):
    """Whoever is first writes; the other takes it over and goes on."""
    await lengthen(storage, 1000)
    one, other = MerkleTiles(storage), MerkleTiles(storage)
    await one.grow(300)
    await other.grow(300)
    await one.grow(1000)
    await lengthen(storage, 2000)
    await other.grow(2000)
    await one.grow(2000)
    tile = Tile(level=1, index=0, width=7)
    assert await one.read(tile) == await other.read(tile) == await MerkleTiles(storage).read(tile)


async def test_a_dropped_view_is_computed_again(storage):
    """It holds nothing that does not follow from the log."""
    await lengthen(storage, 1000)
    tile = Tile(level=1, index=0, width=3)
    before = await MerkleTiles(storage).read(tile)
    await storage.drop(VIEW)
    assert await MerkleTiles(storage).read(tile) == before
