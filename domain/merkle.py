"""The Merkle tree of RFC 6962, section 2.1, with SHA-256: roots and proofs over leaf hashes."""

import hashlib
from collections.abc import Sequence

import attrs

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf that holds *data*."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@attrs.frozen
class Frontier:
    """All of a tree that is needed to grow it: the roots of its full subtrees, largest first.

    There is one subtree for each bit that is set in `size`.
    """

    size: int = 0
    subtrees: tuple[bytes, ...] = ()

    def root(self) -> bytes:
        """The root of the tree."""
        if not self.subtrees:
            return EMPTY_ROOT
        *rest, root = self.subtrees
        for subtree in reversed(rest):
            root = node_hash(subtree, root)
        return root


def grow(frontier: Frontier, leaves: Sequence[bytes]) -> Frontier:
    """Add leaf hashes on the right."""
    size, subtrees = frontier.size, list(frontier.subtrees)
    for leaf in leaves:
        node, full = leaf, size
        while full & 1:
            node = node_hash(subtrees.pop(), node)
            full >>= 1
        subtrees.append(node)
        size += 1
    return Frontier(size, tuple(subtrees))


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    return grow(Frontier(), leaves).root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The audit path of the leaf at *index* (counted from 0), lowest node first."""
    if len(leaves) <= 1:
        return ()
    split = _split(len(leaves))
    if index < split:
        return (*inclusion_proof(leaves[:split], index), root_of(leaves[split:]))
    return (*inclusion_proof(leaves[split:], index - split), root_of(leaves[:split]))


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether *proof* shows that *leaf* stands at *index* in the tree of *size* and *root*."""
    if not 0 <= index < size:
        return False
    node, last = leaf, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            node = node_hash(sibling, node)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and node == root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Shows that the tree over the first *old_size* leaves is the start of the whole tree."""
    if old_size in (0, len(leaves)):
        return ()
    return _subproof(leaves, old_size, known=True)


def _subproof(leaves: Sequence[bytes], old_size: int, *, known: bool) -> tuple[bytes, ...]:
    if old_size == len(leaves):
        return () if known else (root_of(leaves),)
    split = _split(len(leaves))
    if old_size <= split:
        return (*_subproof(leaves[:split], old_size, known=known), root_of(leaves[split:]))
    return (
        *_subproof(leaves[split:], old_size - split, known=False),
        root_of(leaves[:split]),
    )


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether *proof* shows that the older tree is the start of the newer (RFC 9162, 2.1.4.2)."""
    if old_size in (0, size):
        return not proof and old_root == (root if old_size == size else EMPTY_ROOT)
    if not proof or not 0 < old_size < size:
        return False
    index, last = old_size - 1, size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    path = list(proof) if index else [old_root, *proof]
    old_node = node = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            old_node, node = node_hash(sibling, old_node), node_hash(sibling, node)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and old_node == old_root and node == root


def _split(size: int) -> int:
    """The largest power of two below *size*."""
    return 1 << ((size - 1).bit_length() - 1)
