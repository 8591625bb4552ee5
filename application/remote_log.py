"""Checks the log of another registry: its signature, that it only grew, and every entry of it."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime

import attrs

from application.merkle_tiles import node_hashes
from domain.checkpoints import Checkpoint, is_cosigned, seen_at, trusted_checkpoint
from domain.errors import InvalidNoteError, UntrustedLogError
from domain.identifiers import ORIGIN, Position
from domain.merkle import Frontier, grow, leaf_hash, root_of, verify_consistency
from domain.notes import Note, VerifierKey, parse_note
from domain.ports.remote import RemotePort
from domain.ports.signing import VerifyPort
from domain.tiles import (
    WIDTH,
    Tile,
    consistency_nodes,
    subtrees_of,
    tiles_of,
    unpack_entries,
    unpack_hashes,
)

Progress = Callable[[int, int], None]
"""Told how much has been checked, and of how much."""


@attrs.frozen
class SignedCheckpoint:
    """A checkpoint, and the note that shows to others that the log has signed it."""

    checkpoint: Checkpoint
    note: Note


@attrs.frozen
class Witnessed:
    """A checkpoint that a witness has cosigned, and when it saw it."""

    witness: VerifierKey
    size: Position
    at: datetime


class RemoteLog:
    """The log of another registry, of which nothing is believed but what its key has signed."""

    def __init__(self, remote: RemotePort, key: VerifierKey, verify: VerifyPort) -> None:
        self._remote = remote
        self._key = key
        self._verify = verify

    async def head(self) -> SignedCheckpoint:
        """Where the log ends.

        Raises:
            UntrustedLogError, RemoteLogError
        """
        return self.trusted((await self._remote.get("/log/checkpoint")).body)

    def trusted(self, raw: bytes | str) -> SignedCheckpoint:
        """A note that the log is said to have signed.

        Raises:
            UntrustedLogError: it has not.
        """
        try:
            note = parse_note(raw)
            return SignedCheckpoint(trusted_checkpoint(note, self._key, self._verify), note)
        except InvalidNoteError as error:
            raise UntrustedLogError(str(error)) from error

    async def check_growth(self, old: SignedCheckpoint, new: SignedCheckpoint) -> None:
        """The tree of *new* goes on from that of *old*.

        Raises:
            UntrustedLogError: it does not, and both notes are the evidence.
        """
        before, after = old.checkpoint, new.checkpoint
        if before.size > after.size:
            reason = f"the log had {before.size} events, and now has {after.size}"
        elif before.size == after.size and before.root != after.root:
            reason = f"the log has signed two trees of {after.size} events"
        elif not await self._is_start(before, after):
            reason = (
                f"the tree of {after.size} events does not go on from that of {before.size} events"
            )
        else:
            return
        raise UntrustedLogError(
            f"{reason}: events were changed, reordered or taken away. Both checkpoints are signed:",
            [str(old.note), str(new.note)],
        )

    async def check_witness(self, witness: VerifierKey, head: SignedCheckpoint) -> Witnessed:
        """A witness has cosigned this very log, if perhaps not the end of it yet.

        Raises:
            UntrustedLogError: it has not.
            RemoteLogError: nobody has.
        """
        if found := self._cosigned(witness, head):
            return found
        older = self.trusted((await self._remote.get("/log/checkpoint/witnessed")).body)
        if (found := self._cosigned(witness, older)) is None:
            raise UntrustedLogError(
                f"{witness.name} has not cosigned the newest checkpoint of the log that has "
                "cosignatures: the operator may know why",
                [str(older.note)],
            )
        await self.check_growth(*sorted((older, head), key=lambda each: each.checkpoint.size))
        return found

    def _cosigned(self, witness: VerifierKey, signed: SignedCheckpoint) -> Witnessed | None:
        text = signed.note.text
        for line in signed.note.signatures:
            if is_cosigned(text, line, witness, self._verify):
                return Witnessed(witness, signed.checkpoint.size, seen_at(line))
        return None

    async def _is_start(self, before: Checkpoint, after: Checkpoint) -> bool:
        nodes = consistency_nodes(before.size, after.size)
        proof = await node_hashes(nodes, after.size, self._read)
        return verify_consistency(before.size, before.root, after.size, after.root, proof)

    async def check_entries(
        self, checkpoint: Checkpoint, progress: Progress, *, after: Position = ORIGIN
    ) -> int:
        """Every entry beyond *after*, and every tile above one, is what the root covers.

        Returns how many entries were read: those of a tile come together.

        Raises:
            UntrustedLogError: the message names the first tile that does not fit.
        """
        size, start = checkpoint.size, after // WIDTH * WIDTH
        frontier = await self._frontier(start, size)
        roots: dict[tuple[int, int], bytes] = {}
        for tile in tiles_of(size, after=start):
            hashes = await self._read(tile)
            if tile.level:
                _expect(tile, hashes, roots)
            else:
                await self._check_bundle(attrs.evolve(tile, level=None), hashes)
                frontier = grow(frontier, hashes)
                progress(frontier.size - start, size - start)
            if tile.width == WIDTH:
                roots[tile.level or 0, tile.index] = root_of(hashes)
        if frontier.root() != checkpoint.root:
            raise UntrustedLogError("the entries of the log are not those that its root covers")
        return size - start

    async def _frontier(self, start: Position, size: Position) -> Frontier:
        """The tree of the first events, of which only the tiles are read."""
        nodes = [(i << exponent, (i + 1) << exponent) for exponent, i in subtrees_of((0, start))]
        return Frontier(start, await node_hashes(nodes, size, self._read))

    async def _check_bundle(self, bundle: Tile, hashes: Sequence[bytes]) -> None:
        entries = unpack_entries(await self._get(bundle))
        if [leaf_hash(entry) for entry in entries] != list(hashes):
            raise UntrustedLogError(f"the entries of {bundle.path} are not those of their tile")
        for position, entry in enumerate(entries, bundle.start + 1):
            if _position(entry) != position:
                raise UntrustedLogError(f"the entry at position {position} says that it is another")

    async def _read(self, tile: Tile) -> Sequence[bytes]:
        hashes = unpack_hashes(await self._get(tile))
        if len(hashes) != tile.width:
            raise UntrustedLogError(f"tile {tile.path} has {len(hashes)} hashes")
        return hashes

    async def _get(self, tile: Tile) -> bytes:
        return (await self._remote.get(f"/log/tile/{tile.path}")).body


def _expect(tile: Tile, hashes: Sequence[bytes], roots: dict[tuple[int, int], bytes]) -> None:
    for index, found in enumerate(hashes, tile.start):
        if roots.get(((tile.level or 0) - 1, index), found) != found:
            raise UntrustedLogError(f"tile {tile.path} is not that of the tiles below it")


def _position(entry: bytes) -> object:
    try:
        members = json.loads(entry)
    except ValueError:
        return None
    return members.get("position") if isinstance(members, dict) else None
