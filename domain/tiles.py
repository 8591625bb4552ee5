"""The Merkle tree cut into tiles (C2SP tlog-tiles), and proofs made of them.

A tile of level *l* has up to 256 hashes, each the root over 256 ** *l* leaves.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import attrs

from domain.errors import TileNotFoundError
from domain.identifiers import Position
from domain.merkle import EMPTY_ROOT, Frontier, root_of

HEIGHT = 8
WIDTH = 1 << HEIGHT
HASH_BYTES = 32
ENTRIES = "entries"
"""Where the path of a tile has its level, that of a bundle of entries has this."""

_PATH = re.compile(
    r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)
_HIGHEST_LEVEL = 63
_LENGTH_BYTES = 2


@attrs.frozen(kw_only=True)
class Tile:
    """A tile, or, without a level, the bundle of the entries below one of level 0."""

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """How it is asked for: `0/x001/234.p/67`."""
        groups = f"{self.index % 1000:03}"
        rest = self.index // 1000
        while rest:
            groups, rest = f"x{rest % 1000:03}/{groups}", rest // 1000
        level = ENTRIES if self.level is None else self.level
        return f"{level}/{groups}" + (f".p/{self.width}" if self.width < WIDTH else "")

    @property
    def start(self) -> int:
        """The index, within its level, of its first hash."""
        return self.index * WIDTH


def parse_tile(path: str) -> Tile:
    """Read the path of a tile.

    Raises:
        TileNotFoundError: it is not written as the standard has it.
    """
    match = _PATH.fullmatch(path)
    tile = _tile(match) if match else None
    if tile is None or tile.path != path:
        raise TileNotFoundError(
            f"There is no tile {path!r}: expected LEVEL/INDEX like 0/000 or 1/x001/234, with "
            ".p/WIDTH behind it where fewer than 256 hashes are wanted"
        )
    return tile


def _tile(match: "re.Match[str]") -> Tile | None:
    level = None if match[1] == ENTRIES else int(match[1])
    width = int(match[3] or WIDTH)
    if (level or 0) > _HIGHEST_LEVEL or (match[3] and width >= WIDTH):
        return None
    index = int(match[2].replace("x", "").replace("/", ""))
    return Tile(level=level, index=index, width=width)


def refuse_beyond(tile: Tile, size: Position) -> None:
    """A tree has the tiles that its leaves fill, and those that they filled in part.

    Raises:
        TileNotFoundError
    """
    if tile.start + tile.width > size >> (HEIGHT * (tile.level or 0)):
        raise TileNotFoundError(
            f"There is no tile {tile.path} in a tree of size {size}: /log/checkpoint tells the size"
        )


def tiles_of(size: Position, *, after: Position = 0) -> Iterator[Tile]:
    """All tiles of a tree that reach beyond its first *after* leaves, level by level."""
    level, hashes, before = 0, size, after
    while hashes:
        for index in range(before // WIDTH, -(-hashes // WIDTH)):
            yield Tile(level=level, index=index, width=min(WIDTH, hashes - index * WIDTH))
        level, hashes, before = level + 1, hashes // WIDTH, before // WIDTH


Subtree: TypeAlias = tuple[int, int]
"""A complete subtree: the exponent of its size, and its index among those of its size."""

Range: TypeAlias = tuple[int, int]
"""The leaves of a node of the tree: from one index up to another, which is excluded."""


def subtrees_of(leaves: Range) -> Sequence[Subtree]:
    """The complete subtrees that a node's leaves fall into, from the left; `root_over` joins
    their roots.
    """
    start, stop = leaves
    found = []
    while start < stop:
        exponent = (stop - start).bit_length() - 1
        found.append((exponent, start >> exponent))
        start += 1 << exponent
    return found


def root_over(leaves: Range, roots: Sequence[bytes]) -> bytes:
    """The hash of a node, from the roots of its complete subtrees."""
    return Frontier(leaves[1] - leaves[0], tuple(roots)).root() if roots else EMPTY_ROOT


def tile_of(subtree: Subtree, size: Position) -> Tile:
    """The tile, of a tree of that size, from which a subtree's root can be computed."""
    exponent, subtree_index = subtree
    level, below = divmod(exponent, HEIGHT)
    index = (subtree_index << below) // WIDTH
    width = min(WIDTH, (size >> (HEIGHT * level)) - index * WIDTH)
    return Tile(level=level, index=index, width=width)


def root_in(tile: Sequence[bytes], subtree: Subtree) -> bytes:
    """The root of a subtree, from the hashes of a tile that has it."""
    exponent, index = subtree
    below = exponent % HEIGHT
    first = (index << below) % WIDTH
    return root_of(tile[first : first + (1 << below)])


def inclusion_nodes(index: int, size: int) -> Sequence[Range]:
    """The nodes whose hashes prove the leaf at *index*, lowest first (RFC 6962, 2.1.1)."""
    start, stop, path = 0, size, []
    while stop - start > 1:
        split = start + _split(stop - start)
        if index < split:
            path.append((split, stop))
            stop = split
        else:
            path.append((start, split))
            start = split
    return path[::-1]


def consistency_nodes(old_size: int, size: int) -> Sequence[Range]:
    """The nodes whose hashes prove a tree to be the start of another (RFC 6962, 2.1.2)."""
    if old_size in (0, size):
        return ()
    start, stop, path = 0, size, []
    while old_size < stop:
        split = start + _split(stop - start)
        if old_size <= split:
            path.append((split, stop))
            stop = split
        else:
            path.append((start, split))
            start = split
    known = start == 0  # the whole old tree: whoever checks has its root
    return [*path, *(() if known else ((start, stop),))][::-1]


def _split(size: int) -> int:
    """The largest power of two below *size*."""
    return 1 << ((size - 1).bit_length() - 1)


def pack_hashes(hashes: Sequence[bytes]) -> bytes:
    """A tile as it is sent."""
    return b"".join(hashes)


def unpack_hashes(raw: bytes) -> Sequence[bytes]:
    """The inverse of `pack_hashes`; half a hash at the end shows in its length."""
    return [raw[start : start + HASH_BYTES] for start in range(0, len(raw), HASH_BYTES)]


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """A bundle as it is sent: each entry behind its length, as 16 bits."""
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES) + entry for entry in entries)


def unpack_entries(raw: bytes) -> Sequence[bytes]:
    """The inverse of `pack_entries`; one that is cut off at the end is shorter than it says."""
    entries, start = [], 0
    while start < len(raw):
        begin = start + _LENGTH_BYTES
        start = begin + int.from_bytes(raw[start:begin])
        entries.append(raw[begin:start])
    return entries
