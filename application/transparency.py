"""The log as anybody may check it: signed checkpoints, tiles, proofs (C2SP tlog-tiles)."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from application.cosignatures import Cosignatures
from application.merkle_tiles import MerkleTiles, node_hashes
from domain.checkpoints import Checkpoint, parse_checkpoint
from domain.errors import AnnalsError, InvalidNoteError, TileNotFoundError
from domain.identifiers import Position
from domain.log import StoredEvent, leaf_data
from domain.notes import Note, SignatureLine, VerifierKey, sign_note, verifier_key
from domain.ports.signing import SignerPort
from domain.ports.storage import StoragePort
from domain.tiles import (
    Tile,
    consistency_nodes,
    inclusion_nodes,
    pack_entries,
    pack_hashes,
    refuse_beyond,
)

_log = logging.getLogger(__name__)

_FOLLOW_SECONDS = 1.0


class Transparency:
    """Everything public about the log. A leaf's index is one less than its position."""

    def __init__(
        self, storage: StoragePort, signer: SignerPort, cosignatures: Cosignatures
    ) -> None:
        self._storage = storage
        self._signer = signer
        self._cosignatures = cosignatures
        self._tiles = MerkleTiles(storage)

    @property
    def key(self) -> VerifierKey:
        """What the signatures of checkpoints are checked with."""
        return verifier_key(self._signer)

    async def head(self) -> Checkpoint:
        """The checkpoint of the end of the log."""
        head = await self._storage.head()
        return self.checkpoint(head.position, head.root)

    def checkpoint(self, size: Position, root: bytes) -> Checkpoint:
        """The checkpoint where a commit ends."""
        return Checkpoint(origin=self._signer.name, size=size, root=root)

    def signed(self, checkpoint: Checkpoint) -> Note:
        """A checkpoint of this log, signed: always the same note."""
        return sign_note(checkpoint.text, self._signer)

    async def note(self, checkpoint: Checkpoint) -> Note:
        """A checkpoint of this log, signed, with the cosignatures that it has."""
        signed = self.signed(checkpoint)
        cosigned = await self._cosignatures.of(checkpoint.text)
        return Note(signed.text, signed.signatures + cosigned)

    async def witnessed(self) -> Note | None:
        """The newest checkpoint that has cosignatures, None where there are none yet."""
        text = await self._cosignatures.newest()
        return await self.note(parse_checkpoint(text)) if text else None

    async def cosign(self, text: str, lines: Sequence[SignatureLine]) -> Sequence[str]:
        """Keep cosignatures of a checkpoint of this log. Returns the names of the witnesses.

        Raises:
            InvalidNoteError: it is not of this log, or the cosignatures are not of it.
        """
        size = parse_checkpoint(text).size
        commit = await self._storage.commit_of(size)
        if not commit or self.checkpoint(commit.last_position, commit.root).text != text:
            raise InvalidNoteError(f"this log has never had the checkpoint\n{text}")
        return await self._cosignatures.keep(text, lines)

    async def tile(self, tile: Tile) -> bytes:
        """A tile, or a bundle of entries, as it is sent.

        Raises:
            TileNotFoundError: the tree has none.
        """
        refuse_beyond(tile, (await self._storage.head()).position)
        if tile.level is not None:
            return pack_hashes(await self._tiles.read(tile))
        events = self._storage.read(after=tile.start, upto=tile.start + tile.width)
        return pack_entries([leaf_data(event) async for batch in events for event in batch])

    async def inclusion(self, position: Position, size: Position) -> Sequence[bytes]:
        """Shows that an event is in the tree of that size (RFC 6962, 2.1.1)."""
        return await node_hashes(inclusion_nodes(position - 1, size), size, self._tiles.read)

    async def consistency(self, old_size: Position, size: Position) -> Sequence[bytes]:
        """Shows that the tree of the old size is the start of the other (RFC 6962, 2.1.2)."""
        return await node_hashes(consistency_nodes(old_size, size), size, self._tiles.read)

    async def event(self, position: Position) -> StoredEvent:
        """An event that the log has.

        Raises:
            TileNotFoundError: it has not.
        """
        async for batch in self._storage.read(after=position - 1, upto=position):
            return batch[0]
        raise TileNotFoundError(f"The log has no position {position}")

    async def follow(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Compute new tiles as the log grows, so that no request has to."""
        while True:
            try:
                await self._tiles.grow((await self._storage.head()).position)
            except AnnalsError as error:
                _log.warning("the tiles of the log wait: %s", error)
            await sleep(_FOLLOW_SECONDS)
