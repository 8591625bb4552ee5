"""The Merkle tree of RFC 6962: known vectors, the RFC's own definition, proofs and forgeries."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    grow,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

VECTOR_LEAVES = [
    leaf_hash(bytes.fromhex(data))
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
VECTOR_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Roots over the first 0, 1, 2 ... of the leaves that Certificate Transparency tests with."""

LEAVES = [leaf_hash(b"%d" % number) for number in range(130)]
SIZES = range(41)
ROOTS = [root_of(LEAVES[:size]) for size in SIZES]


def _root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, as it is written there."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    halves = _root_by_definition(leaves[:split]) + _root_by_definition(leaves[split:])
    return hashlib.sha256(b"\x01" + halves).digest()


def _forgeries(proof: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Every proof with one hash flipped, dropped, doubled or swapped, and others' proofs."""
    if proof:
        yield []
    yield [*proof, LEAVES[-1]]
    yield [LEAVES[-1], *proof]
    for index, node in enumerate(proof):
        before, after = list(proof[:index]), list(proof[index + 1 :])
        yield [*before, bytes([node[0] ^ 1]) + node[1:], *after]
        yield [*before, *after]
        yield [*before, node, node, *after]
        if after:
            yield [*before, after[0], node, *after[1:]]


@pytest.mark.parametrize(("size", "root"), list(enumerate(VECTOR_ROOTS)))
def test_the_vectors_of_certificate_transparency(size: int, root: str) -> None:
    """The roots that every implementation of RFC 6962 is held against."""
    assert root_of(VECTOR_LEAVES[:size]).hex() == root


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, []),
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ],
)
def test_known_inclusion_proofs(index: int, size: int, proof: Sequence[str]) -> None:
    """Audit paths over the known leaves, hash by hash."""
    assert [node.hex() for node in inclusion_proof(VECTOR_LEAVES[:size], index)] == proof


@pytest.mark.parametrize(
    ("old_size", "size", "proof"),
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
    ],
)
def test_known_consistency_proofs(old_size: int, size: int, proof: Sequence[str]) -> None:
    """Consistency proofs over the known leaves, hash by hash."""
    assert [node.hex() for node in consistency_proof(VECTOR_LEAVES[:size], old_size)] == proof


def test_leaves_and_nodes_cannot_be_taken_for_each_other() -> None:
    """A leaf that holds two hashes is hashed otherwise than the node above them."""
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right) != node_hash(right, left)
    assert leaf_hash(b"") != EMPTY_ROOT


@pytest.mark.parametrize("size", range(131))
def test_the_root_is_that_of_the_definition(size: int) -> None:
    """Growing leaf by leaf gives the root that the RFC defines by splitting."""
    assert root_of(LEAVES[:size]) == _root_by_definition(LEAVES[:size])


@given(st.lists(st.sampled_from(LEAVES), max_size=70), st.data())
def test_growing_in_any_split_is_the_same(leaves: Sequence[bytes], data: st.DataObject) -> None:
    """However the leaves are cut into batches, the frontier is the same."""
    cuts = data.draw(st.sets(st.integers(0, len(leaves))))
    frontier = Frontier()
    for start, end in itertools.pairwise(sorted({0, *cuts, len(leaves)})):
        frontier = grow(frontier, leaves[start:end])
    assert frontier == grow(Frontier(), leaves)
    assert frontier.size == len(leaves)
    assert len(frontier.subtrees) == len(leaves).bit_count()


@pytest.mark.parametrize("size", SIZES)
def test_every_inclusion_proof_verifies(size: int) -> None:
    """Each leaf of a tree can be shown to stand in its place."""
    for index, leaf in enumerate(LEAVES[:size]):
        proof = inclusion_proof(LEAVES[:size], index)
        assert verify_inclusion(leaf, index, size, proof, ROOTS[size])
        assert len(proof) <= (size - 1).bit_length()


@pytest.mark.parametrize("size", SIZES)
def test_no_forged_inclusion_verifies(size: int) -> None:
    """Another proof, leaf, place or root is not believed."""
    for index, leaf in enumerate(LEAVES[:size]):
        proof = inclusion_proof(LEAVES[:size], index)
        for forged in _forgeries(proof):
            assert not verify_inclusion(leaf, index, size, forged, ROOTS[size])
        for other in {*range(-1, size + 1)} - {index}:
            assert not verify_inclusion(leaf, other, size, proof, ROOTS[size])
        assert not verify_inclusion(LEAVES[-1], index, size, proof, ROOTS[size])
        assert not verify_inclusion(leaf, index, size, proof, LEAVES[-1])


@pytest.mark.parametrize("size", SIZES)
def test_every_consistency_proof_verifies(size: int) -> None:
    """A tree can be shown to begin with each smaller one, the empty one and itself."""
    for old_size, old_root in enumerate(ROOTS[: size + 1]):
        proof = consistency_proof(LEAVES[:size], old_size)
        assert verify_consistency(old_size, old_root, size, ROOTS[size], proof)
        assert len(proof) <= size.bit_length() + 1


@pytest.mark.parametrize("size", SIZES)
def test_no_forged_consistency_verifies(size: int) -> None:
    """Another proof, older root or newer root is not believed."""
    for old_size, old_root in enumerate(ROOTS[: size + 1]):
        proof = consistency_proof(LEAVES[:size], old_size)
        for forged in _forgeries(proof):
            assert not verify_consistency(old_size, old_root, size, ROOTS[size], forged)
        assert not verify_consistency(old_size, LEAVES[-1], size, ROOTS[size], proof)
        if old_size:
            assert not verify_consistency(old_size, old_root, size, LEAVES[-1], proof)


def test_a_tree_never_begins_with_a_larger_one() -> None:
    """Sizes that go backwards, or below nothing, are not believed."""
    for (size, root), (old_size, old_root) in itertools.combinations(enumerate(ROOTS), 2):
        proof = consistency_proof(LEAVES[:old_size], size)
        assert not verify_consistency(old_size, old_root, size, root, proof)
        assert not verify_consistency(old_size, old_root, size, root, ())
    assert not verify_consistency(-1, EMPTY_ROOT, 1, LEAVES[0], ())
    assert not verify_consistency(-1, EMPTY_ROOT, 1, LEAVES[0], LEAVES[:1])


def test_a_rewritten_past_has_no_proof() -> None:
    """A log that was changed below the older size has no proof that joins both roots."""
    size, old_size = 40, 21
    for changed in range(old_size):
        rewritten = [*LEAVES[:changed], LEAVES[-1], *LEAVES[changed + 1 : size]]
        proof = consistency_proof(rewritten, old_size)
        old_root, root = root_of(LEAVES[:old_size]), root_of(rewritten)
        assert not verify_consistency(old_size, old_root, size, root, proof)
