"""Ed25519 (RFC 8032): a key in a file, and the check of signatures."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.errors import InvalidNoteError, StorageUnavailableError
from domain.notes import parse_signer_key, render_signer_key

_NAME_DIGITS = 16


class Ed25519Signer:
    """SignerPort with a key in memory."""

    def __init__(self, name: str | None, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()
        self.name = name or f"annals/{hashlib.sha256(self.public_key).hexdigest()[:_NAME_DIGITS]}"

    @classmethod
    def made(cls, name: str | None = None) -> Self:
        """A new key. Without a name it has one that no other key has."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parsed(cls, text: str) -> Self:
        """The key that a signer key of Go's `note` package holds.

        Raises:
            InvalidNoteError
        """
        name, seed = parse_signer_key(text)
        signer = cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        if str(signer) != text:
            raise InvalidNoteError("not a signer key: its id is not that of its key")
        return signer

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def __str__(self) -> str:
        """The signer key, which is secret."""
        return render_signer_key(self.name, self._key.private_bytes_raw(), self.public_key)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """VerifyPort."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def open_key(path: Path, name: str | None) -> Ed25519Signer:
    """The key in a file, which is made where there is none; one that is there stays.

    Raises:
        StorageUnavailableError: it cannot be read or written, or is of another name.
    """
    if not path.exists():
        _create(path, str(Ed25519Signer.made(name)))
    return read_key(path, name)


def read_key(path: Path, name: str | None) -> Ed25519Signer:
    """The key in a file that must be there.

    Raises:
        StorageUnavailableError: it cannot be read, or is of another name.
    """
    try:
        signer = Ed25519Signer.parsed(path.read_text(encoding="utf-8").removesuffix("\n"))
    except FileNotFoundError as error:
        raise StorageUnavailableError(
            f"there is no key at {path}: `registry serve` makes one; or name the right --data-dir"
        ) from error
    except (OSError, UnicodeDecodeError, InvalidNoteError) as error:
        raise StorageUnavailableError(f"{path}: {error}: restore it from a backup") from error
    if name not in (None, signer.name):
        raise StorageUnavailableError(
            f"the key in {path} is of {signer.name!r}, and log.origin is {name!r}: a log keeps its "
            "name, so take the one of the key, or name another log.keyFile for another log"
        )
    return signer


def _create(path: Path, text: str) -> None:
    """Write a whole file that only its owner reads. Of several processes one succeeds."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, written = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(written, path)
        finally:
            Path(written).unlink()
    except FileExistsError:
        return
    except OSError as error:
        raise StorageUnavailableError(f"{path}: {error.strerror}: is it writable?") from error
