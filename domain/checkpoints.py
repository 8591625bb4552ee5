"""Checkpoints (C2SP tlog-checkpoint): how large a log is and its Merkle root, signed by the log
and, with the time they saw it at, by witnesses (C2SP tlog-cosignature).
"""

import re
from datetime import UTC, datetime

import attrs

from domain.errors import InvalidNoteError
from domain.identifiers import Position
from domain.notes import (
    COSIGNATURE,
    Note,
    SignatureLine,
    VerifierKey,
    from_base64,
    is_signed,
    to_base64,
)
from domain.ports.signing import SignerPort, VerifyPort

_HASH_BYTES = 32
_TIME_BYTES, _SIGNATURE_BYTES = 8, 64
_LAST_SECOND = 253_402_300_799  # of the year 9999
_NUMBER = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)


@attrs.frozen(kw_only=True)
class Checkpoint:
    """The tree of a log at a size. `origin` names the log."""

    origin: str
    size: Position
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a note. Lines beyond the third belong to others and are left alone.

    Raises:
        InvalidNoteError
    """
    lines = text.split("\n")
    root = from_base64(lines[2]) if len(lines) > 3 else b""
    if not lines[0] or len(root) != _HASH_BYTES or not _NUMBER.fullmatch(lines[1]):
        raise InvalidNoteError(
            "not a checkpoint: expected an origin, a size, and a SHA-256 in base64, a line each"
        )
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root)


def trusted_checkpoint(note: Note, key: VerifierKey, verify: VerifyPort) -> Checkpoint:
    """The checkpoint in a note that the log of *key* has signed.

    Raises:
        InvalidNoteError: it is none, is unsigned, or is of another log.
    """
    if not is_signed(note, key, verify):
        raise InvalidNoteError(f"the checkpoint has no valid signature of {key}")
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != key.name:
        raise InvalidNoteError(
            f"the checkpoint is of {checkpoint.origin!r}: expected one of {key.name!r}"
        )
    return checkpoint


def cosign(text: str, witness: SignerPort, seen_at: datetime) -> SignatureLine:
    """The line with which a witness says that it saw the checkpoint in *text* at a time."""
    seconds = int(seen_at.timestamp())
    key = witness_key(witness)
    signature = witness.sign(_cosigned(text, seconds))
    return SignatureLine(
        name=key.name, key_id=key.key_id, signature=seconds.to_bytes(_TIME_BYTES) + signature
    )


def witness_key(witness: SignerPort) -> VerifierKey:
    """The key that checks what a witness cosigns."""
    return VerifierKey(name=witness.name, algorithm=COSIGNATURE, public_key=witness.public_key)


def seen_at(line: SignatureLine) -> datetime:
    """When a witness says that it saw what it cosigned.

    Raises:
        InvalidNoteError: at no time that there is.
    """
    seconds = int.from_bytes(line.signature[:_TIME_BYTES])
    if seconds > _LAST_SECOND:
        raise InvalidNoteError(f"{line.name} says that it cosigned at second {seconds}")
    return datetime.fromtimestamp(seconds, UTC)


def is_cosigned(text: str, line: SignatureLine, key: VerifierKey, verify: VerifyPort) -> bool:
    """Whether *line* is a witness's, of that key, for the checkpoint in *text*."""
    if not line.is_by(key) or key.algorithm != COSIGNATURE:
        return False
    if len(line.signature) != _TIME_BYTES + _SIGNATURE_BYTES:
        return False
    seconds = int.from_bytes(line.signature[:_TIME_BYTES])
    return verify(key.public_key, _cosigned(text, seconds), line.signature[_TIME_BYTES:])


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()
