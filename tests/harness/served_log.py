"""A log as it is served, computed from its entries alone."""

from collections.abc import Sequence

from adapters.signing.ed25519 import verify
from application.transparency import Transparency
from domain.checkpoints import trusted_checkpoint
from domain.merkle import leaf_hash, root_of, verify_inclusion
from domain.notes import Note
from domain.tiles import tiles_of, unpack_entries


async def served_leaves(log: Transparency) -> Sequence[bytes]:
    """The leaf of every entry, in order."""
    leaves: list[bytes] = []
    for tile in tiles_of((await log.head()).size):
        if tile.level == 0:
            bundle = type(tile)(level=None, index=tile.index, width=tile.width)
            leaves += map(leaf_hash, unpack_entries(await log.tile(bundle)))
    return leaves


async def is_start(log: Transparency, leaves: Sequence[bytes], note: Note) -> bool:
    """Whether a checkpoint is signed, the leaves have its root, and each has its proof."""
    checkpoint = trusted_checkpoint(note, log.key, verify)
    size, root = checkpoint.size, checkpoint.root
    proofs = [await log.inclusion(position, size) for position in range(1, size + 1)]
    return root_of(leaves[:size]) == root and all(
        verify_inclusion(leaf, index, size, proof, root)
        for index, (leaf, proof) in enumerate(zip(leaves, proofs, strict=False))
    )
