"""Checkpoints, tiles and proofs of a log."""

from datetime import UTC, datetime

import pytest

from adapters.signing.ed25519 import Ed25519Signer, verify
from adapters.storage.memory import MemoryStorage
from application.cosignatures import Cosignatures
from application.transparency import Transparency
from domain.checkpoints import cosign, trusted_checkpoint, witness_key
from domain.errors import InvalidNoteError, TileNotFoundError
from domain.merkle import EMPTY_ROOT, leaf_hash, verify_consistency, verify_inclusion
from domain.tiles import Tile, unpack_entries, unpack_hashes
from tests.harness.clock import SteppingClock
from tests.harness.long_log import lengthen

LOG = Ed25519Signer.made("example.com/log")
WITNESS = Ed25519Signer.made("witness.example.com/w1")
OTHER = Ed25519Signer.made("witness.example.com/w2")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage(SteppingClock())


@pytest.fixture
def log(storage) -> Transparency:
    return opened(storage)


def opened(storage) -> Transparency:
    keys = [witness_key(WITNESS), witness_key(OTHER)]
    return Transparency(storage, LOG, Cosignatures(storage, keys, verify))


async def test_the_checkpoint_is_that_of_the_end(storage, log):
    """Signed by the key of the log, also while the log is empty."""
    empty = trusted_checkpoint(await log.note(await log.head()), log.key, verify)
    assert (empty.origin, empty.size, empty.root) == ("example.com/log", 0, EMPTY_ROOT)
    await lengthen(storage, 5)
    head = trusted_checkpoint(await log.note(await log.head()), log.key, verify)
    assert (head.size, head.root) == (5, (await storage.head()).root)


async def test_proofs_hold(storage, log):
    """Inclusion of events in trees of the past and of now; consistency of any two."""
    roots = {}
    for size in (1, 3, 256, 300, 700):
        await lengthen(storage, size)
        roots[size] = (await storage.head()).root
    leaves = await storage.leaf_hashes(after=0, upto=700)
    for size, root in roots.items():
        for position in {1, size // 2 + 1, size}:
            proof = await log.inclusion(position, size)
            assert verify_inclusion(leaves[position - 1], position - 1, size, proof, root)
        for old, old_root in roots.items():
            if old <= size:
                proof = await log.consistency(old, size)
                assert verify_consistency(old, old_root, size, root, proof)
    assert await log.consistency(0, 700) == ()


async def test_entries_hash_to_the_leaves_of_their_tile(storage, log):
    """A bundle and the tile of level 0 beside it tell of the same events."""
    await lengthen(storage, 300)
    for index, width in ((0, 256), (1, 44)):
        entries = unpack_entries(await log.tile(Tile(level=None, index=index, width=width)))
        hashes = unpack_hashes(await log.tile(Tile(level=0, index=index, width=width)))
        assert [leaf_hash(entry) for entry in entries] == hashes
        assert len(hashes) == width


async def test_tiles_that_the_tree_does_not_have_are_refused(storage, log):
    """A tile is only there once all of it is."""
    await lengthen(storage, 255)
    with pytest.raises(TileNotFoundError, match="of size 255"):
        await log.tile(Tile(level=0, index=0))
    with pytest.raises(TileNotFoundError):
        await log.tile(Tile(level=1, index=0, width=1))
    with pytest.raises(TileNotFoundError, match="no position 256"):
        await log.event(256)


async def test_cosignatures_are_served_with_their_checkpoint(storage, log):
    """With it as long as it is the newest, and by itself afterwards; restarts do not matter."""
    await lengthen(storage, 3)
    text = (await log.head()).text
    assert await log.witnessed() is None
    line = cosign(text, WITNESS, NOW)
    assert await log.cosign(text, [line]) == [WITNESS.name]
    note = await opened(storage).note(await log.head())
    assert note.signatures[1:] == (line,)
    assert await log.witnessed() == note
    await lengthen(storage, 4)
    assert len((await log.note(await log.head())).signatures) == 1
    assert await opened(storage).witnessed() == note


async def test_each_witness_has_its_newest_cosignature(storage, log):
    """One that is late does not bring back an older checkpoint of its own."""
    await lengthen(storage, 3)
    old = (await log.head()).text
    await log.cosign(old, [cosign(old, OTHER, NOW)])
    await lengthen(storage, 4)
    new = (await log.head()).text
    await log.cosign(new, [cosign(new, WITNESS, NOW)])
    await log.cosign(old, [cosign(old, WITNESS, NOW)])
    witnessed = await log.witnessed()
    assert witnessed.text == new
    assert [line.name for line in witnessed.signatures] == [LOG.name, WITNESS.name]
    await log.cosign(new, [cosign(new, OTHER, NOW)])
    assert len((await log.witnessed()).signatures) == 3


async def test_what_is_no_cosignature_of_this_log_is_refused(storage, log):
    """A stranger's, a forged one, and one of a checkpoint that never was."""
    await lengthen(storage, 3)
    text = (await log.head()).text
    stranger = Ed25519Signer.made("witness.example.com/w3")
    with pytest.raises(InvalidNoteError, match=r"expected of witness\.example\.com/w1, "):
        await log.cosign(text, [cosign(text, stranger, NOW)])
    with pytest.raises(InvalidNoteError, match="not of this checkpoint"):
        await log.cosign(text, [cosign(text + "x\n", WITNESS, NOW)])
    for other in (text.replace("\n3\n", "\n2\n"), text.replace("log", "other")):
        with pytest.raises(InvalidNoteError, match="has never had"):
            await log.cosign(other, [cosign(other, WITNESS, NOW)])
    assert await log.witnessed() is None
