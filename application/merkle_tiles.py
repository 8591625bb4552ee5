"""The tiles of the log's Merkle tree, and proofs read from tiles."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import anyio
import anyio.to_thread

from domain.identifiers import ORIGIN, Position
from domain.merkle import root_of
from domain.ports.storage import StoragePort, View, ViewChange
from domain.tiles import (
    HEIGHT,
    WIDTH,
    Range,
    Tile,
    pack_hashes,
    root_in,
    root_over,
    subtrees_of,
    tile_of,
    unpack_hashes,
)

VIEW = View("tiles", 1)

_BATCH = 64 * WIDTH  # leaves that are hashed at a time

ReadTile: TypeAlias = Callable[[Tile], Awaitable[Sequence[bytes]]]
"""The hashes of a tile, wherever it is."""

_Levels: TypeAlias = list[list[bytes]]


async def node_hashes(nodes: Sequence[Range], size: Position, read: ReadTile) -> tuple[bytes, ...]:
    """The hashes of nodes of a tree, each computed from the tiles that it needs."""
    subtrees = [subtree for node in nodes for subtree in subtrees_of(node)]
    tiles = {tile: await read(tile) for tile in {tile_of(each, size) for each in subtrees}}
    roots = {each: root_in(tiles[tile_of(each, size)], each) for each in subtrees}
    return tuple(root_over(node, [roots[each] for each in subtrees_of(node)]) for node in nodes)


class MerkleTiles:
    """Hashes by tile. Those of level 0 are in the log; those above are computed once.

    They are kept in a view, so that a start reads one hash for every 256 events. The tree only
    grows: whichever process comes first writes what all of them would have written.
    """

    def __init__(self, storage: StoragePort) -> None:
        self._storage = storage
        self._growing = anyio.Lock()
        self._restored = False
        self._size = ORIGIN
        self._levels: _Levels = []

    async def read(self, tile: Tile) -> Sequence[bytes]:
        """The hashes of a tile that the tree must have."""
        level, start, stop = tile.level or 0, tile.start, tile.start + tile.width
        if not level:
            return await self._storage.leaf_hashes(after=start, upto=stop)
        await self.grow(stop << (HEIGHT * level))
        return self._levels[level - 1][start:stop]

    async def grow(self, size: Position) -> None:
        """Compute what the tiles of a tree of that size lack."""
        if self._restored and size < self._size + WIDTH:
            return
        async with self._growing:
            if not self._restored:
                await self._restore()
            while self._size + WIDTH <= size:
                await self._grow(min(self._size + _BATCH, size // WIDTH * WIDTH))

    async def _restore(self) -> None:
        """Rows and their checkpoint; read again where another process moved both."""
        while True:
            size, levels = await self._storage.checkpoint(VIEW), list[list[bytes]]()
            async for rows in self._storage.rows(VIEW):
                for key, value in rows:
                    level = int(key.partition("/")[0])
                    levels += [[] for _ in range(level - len(levels))]
                    levels[level - 1] += unpack_hashes(value)
            if size == await self._storage.checkpoint(VIEW):
                self._size, self._levels, self._restored = size, levels, True
                return

    async def _grow(self, size: Position) -> None:
        leaves = await self._storage.leaf_hashes(after=self._size, upto=size)
        changed = await anyio.to_thread.run_sync(_extend, self._levels, leaves)
        puts = {key: pack_hashes(hashes) for key, hashes in changed.items()}
        change = ViewChange(since=size, puts=puts)
        if await self._storage.advance(VIEW, [change], after=self._size, upto=size):
            self._size = size
        else:
            await self._restore()


def _extend(levels: _Levels, leaves: Sequence[bytes]) -> dict[str, Sequence[bytes]]:
    """Add the roots over whole tiles of leaves, level by level. Returns the tiles that changed."""
    changed: dict[str, Sequence[bytes]] = {}
    level, added = 0, _roots(leaves, 0)
    while added:
        if level == len(levels):
            levels.append([])
        hashes = levels[level]
        first = len(hashes) // WIDTH
        hashes += added
        for index in range(first, -(-len(hashes) // WIDTH)):
            tile = hashes[index * WIDTH : (index + 1) * WIDTH]
            changed[f"{level + 1:02}/{index:012}"] = tile
        level, added = level + 1, _roots(hashes, first)
    return changed


def _roots(hashes: Sequence[bytes], first: int) -> list[bytes]:
    """The roots over the full tiles, from the one of that index."""
    starts = range(first * WIDTH, len(hashes) - WIDTH + 1, WIDTH)
    return [root_of(hashes[start : start + WIDTH]) for start in starts]
