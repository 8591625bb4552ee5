"""Tiles, and proofs made of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import TileNotFoundError
from domain.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
)
from domain.tiles import (
    WIDTH,
    Tile,
    consistency_nodes,
    inclusion_nodes,
    pack_entries,
    pack_hashes,
    parse_tile,
    refuse_beyond,
    root_in,
    root_over,
    subtrees_of,
    tile_of,
    tiles_of,
    unpack_entries,
    unpack_hashes,
)

LEAVES = [leaf_hash(b"%d" % number) for number in range(600)]
LARGE = [leaf_hash(b"%d" % number) for number in range(70_000)]


def level_of(leaves, level):
    """All hashes of a level of tiles."""
    hashes = leaves
    for _ in range(level):
        full = len(hashes) // WIDTH * WIDTH
        hashes = [root_of(hashes[start : start + WIDTH]) for start in range(0, full, WIDTH)]
    return hashes


def proof_of(nodes, size, levels):
    """The hashes of nodes, from the tiles of a tree of that size and nothing else."""
    return tuple(
        root_over(node, [root(subtree, size, levels) for subtree in subtrees_of(node)])
        for node in nodes
    )


def root(subtree, size, levels):
    tile = tile_of(subtree, size)
    refuse_beyond(tile, size)
    return root_in(levels[tile.level][tile.start : tile.start + tile.width], subtree)


LEVELS = [level_of(LEAVES, 0), level_of(LEAVES, 1)]


def test_inclusion_proofs_of_tiles_are_those_of_leaves():
    """For trees around the edges of tiles, every leaf has the audit path of RFC 6962."""
    for size in (*range(1, 34), 255, 256, 257, 511, 512, 513, 600):
        for index in range(size):
            nodes = inclusion_nodes(index, size)
            assert proof_of(nodes, size, LEVELS) == inclusion_proof(LEAVES[:size], index)


def test_consistency_proofs_of_tiles_are_those_of_leaves():
    """Trees of all sizes up to 600 have the proofs of RFC 6962 to some that are larger."""
    for old in range(601):
        for size in {old, min(600, old + 1), min(600, old * 2 + 1), 600}:
            nodes = consistency_nodes(old, size)
            assert proof_of(nodes, size, LEVELS) == consistency_proof(LEAVES[:size], old)


@given(st.integers(1, 600), st.data())
def test_any_two_trees_have_their_proof(size, data):
    """The same for sizes that nobody chose."""
    old = data.draw(st.integers(0, size))
    nodes = consistency_nodes(old, size)
    assert proof_of(nodes, size, LEVELS) == consistency_proof(LEAVES[:size], old)


def test_a_tree_of_three_levels_has_its_proofs():
    """Nodes above 65,536 leaves come from tiles of level 2."""
    levels, size = [level_of(LARGE, level) for level in range(3)], len(LARGE)
    assert [len(level) for level in levels] == [70_000, 273, 1]
    for index in (0, 65_535, 65_536, 69_999):
        proof = proof_of(inclusion_nodes(index, size), size, levels)
        assert proof == inclusion_proof(LARGE, index)
    whole = (0, size)
    assert proof_of([whole], size, levels) == (root_of(LARGE),)


def test_the_root_of_nothing():
    """An empty tree has the root of RFC 6962."""
    assert root_over((0, 0), []) == root_of([])


def test_the_tiles_of_a_tree():
    """The example of the standard: 273 full tiles, three partial ones, and one full above."""
    tiles = list(tiles_of(70_000))
    assert [tile.path for tile in tiles[-5:]] == [
        "0/272",
        "0/273.p/112",
        "1/000",
        "1/001.p/17",
        "2/000.p/1",
    ]
    assert len(tiles) == 273 + 1 + 2 + 1
    assert [tile.path for tile in tiles_of(256)] == ["0/000", "1/000.p/1"]


def test_the_tiles_that_reach_beyond_a_tree():
    """Who has seen a tree needs only the tiles to which something was added."""
    tiles = [tile.path for tile in tiles_of(70_000, after=69_888)]
    assert tiles == ["0/273.p/112", "1/001.p/17", "2/000.p/1"]
    assert [tile.path for tile in tiles_of(300, after=10)] == ["0/000", "0/001.p/44", "1/000.p/1"]


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("0/000", Tile(level=0, index=0)),
        ("1/x001/x234/067", Tile(level=1, index=1_234_067)),
        ("63/999.p/255", Tile(level=63, index=999, width=255)),
        ("entries/x001/000.p/1", Tile(level=None, index=1000, width=1)),
    ],
)
def test_tiles_are_asked_for_by_path(path, tile):
    """Paths are those of the standard, in both directions."""
    assert parse_tile(path) == tile
    assert tile.path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "0/",
        "0/0",
        "0/00",
        "0/0000",
        "00/000",
        "01/000",
        "64/000",
        "-1/000",
        "0/x000/000",
        "0/x001",
        "0/001/002",
        "0/x001/x002",
        "0/000.p/0",
        "0/000.p/01",
        "0/000.p/256",
        "0/000.p/",
        "0/000.p",
        "0/000/",
        "entries",
        "data/000",
        "0/٠٠٠",
        "0/000\n",
        "a/000",
    ],
)
def test_other_paths_are_none(path):
    """There is one way to write a tile's path."""
    with pytest.raises(TileNotFoundError, match="expected LEVEL/INDEX"):
        parse_tile(path)


@pytest.mark.parametrize(
    ("path", "size"),
    [("0/000", 255), ("0/000.p/5", 4), ("1/000.p/1", 255), ("1/000.p/2", 511), ("0/001.p/1", 256)],
)
def test_a_tree_has_no_tile_beyond_its_leaves(path, size):
    """One more leaf, and there it is."""
    with pytest.raises(TileNotFoundError, match=f"in a tree of size {size}"):
        refuse_beyond(parse_tile(path), size)
    refuse_beyond(parse_tile(path), size + 1)


@given(st.lists(st.binary(max_size=300)))
def test_bundles_give_back_their_entries(entries):
    """Entries come back as they went in."""
    assert unpack_entries(pack_entries(entries)) == entries


def test_a_bundle_in_bytes():
    """Lengths are 16 bits, the high byte first."""
    assert pack_entries([b"a" * 258, b""]) == b"\x01\x02" + b"a" * 258 + b"\x00\x00"
    assert unpack_entries(b"\x00\x05ab") == [b"ab"]


def test_tiles_give_back_their_hashes():
    """Hashes follow each other without anything between."""
    assert unpack_hashes(pack_hashes(LEAVES[:3])) == LEAVES[:3]
    assert unpack_hashes(b"short") == [b"short"]
