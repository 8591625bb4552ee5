"""Signed notes (C2SP signed-note): a text, and lines of signatures below it.

They are what `golang.org/x/mod/sumdb/note` and the tools around transparency logs read.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable

import attrs

from domain.errors import InvalidNoteError
from domain.ports.signing import SignerPort, VerifyPort

ED25519, COSIGNATURE = 0x01, 0x04
"""What the signatures of a key cover: the text, or the text with the time it was seen at."""

_DASH = "— "
_PRIVATE = "PRIVATE+KEY+"
_KEY_BYTES, _ID_BYTES = 32, 4
_MOST_SIGNATURES = 100
_MOST_CHARACTERS = 1_000_000


@attrs.frozen(kw_only=True)
class VerifierKey:
    """A public key as notes name it: `name+id+base64(algorithm || key)`."""

    name: str
    algorithm: int
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes by which signature lines tell keys of one name apart."""
        return _key_id(self.name, bytes([self.algorithm]) + self.public_key)

    def __str__(self) -> str:
        encoded = to_base64(bytes([self.algorithm]) + self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{encoded}"


@attrs.frozen(kw_only=True)
class SignatureLine:
    """One line below a text. What `signature` holds depends on the key's algorithm."""

    name: str
    key_id: bytes
    signature: bytes

    def is_by(self, key: VerifierKey) -> bool:
        """Whether it says that it is of *key*, which proves nothing."""
        return (self.name, self.key_id) == (key.name, key.key_id)

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.signature)}\n"


@attrs.frozen
class Note:
    """A text that ends in a line feed, and who is said to have signed it."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"


def verifier_key(signer: SignerPort) -> VerifierKey:
    """The key that checks what *signer* signs."""
    return VerifierKey(name=signer.name, algorithm=ED25519, public_key=signer.public_key)


def sign_note(text: str, signer: SignerPort) -> Note:
    """A note of *text*, signed."""
    key, signature = verifier_key(signer), signer.sign(text.encode())
    line = SignatureLine(name=key.name, key_id=key.key_id, signature=signature)
    return Note(text, (line,))


def is_signed(note: Note, key: VerifierKey, verify: VerifyPort) -> bool:
    """Whether a note has a signature of *key*, which is one of plain Ed25519, and all fit."""
    signatures = [line.signature for line in note.signatures if line.is_by(key)]
    text = note.text.encode()
    fit = (verify(key.public_key, text, signature) for signature in signatures)
    return key.algorithm == ED25519 and bool(signatures) and all(fit)


def parse_note(raw: str | bytes) -> Note:
    """Read a note. Nothing of it is trusted yet.

    Raises:
        InvalidNoteError
    """
    whole = _as_text(raw)
    text, blank, lines = whole.rpartition("\n\n")
    if not blank:
        raise InvalidNoteError(
            "not a signed note: expected a text, an empty line, and lines of signatures"
        )
    return Note(text + "\n", parse_signatures(lines))


def parse_signatures(lines: str) -> tuple[SignatureLine, ...]:
    """Read the lines below the text of a note.

    Raises:
        InvalidNoteError
    """
    if not lines.endswith("\n"):
        raise InvalidNoteError("not a signed note: expected a line feed at its end")
    found = lines.removesuffix("\n").split("\n")
    if len(found) > _MOST_SIGNATURES:
        raise InvalidNoteError(f"a note with too many signatures: at most {_MOST_SIGNATURES}")
    return tuple(map(_parse_signature, found))


def _parse_signature(line: str) -> SignatureLine:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    signed = from_base64(encoded) if line.startswith(_DASH) and space else b""
    if len(signed) <= _ID_BYTES or not is_key_name(name):
        raise InvalidNoteError(
            f"not a line of a signature: {line!r}: expected `— NAME BASE64`, of the four bytes of "
            "a key id and a signature"
        )
    return SignatureLine(name=name, key_id=signed[:_ID_BYTES], signature=signed[_ID_BYTES:])


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a verifier key.

    Raises:
        InvalidNoteError
    """
    name, algorithm, key = _parse_key(text, "NAME+ID+BASE64, as `registry key` prints it")
    if algorithm not in (ED25519, COSIGNATURE):
        raise InvalidNoteError(
            f"the key of {name} is of algorithm {algorithm}: expected {ED25519} (Ed25519) or "
            f"{COSIGNATURE} (cosignature/v1)"
        )
    return VerifierKey(name=name, algorithm=algorithm, public_key=key)


def parse_signer_key(text: str) -> tuple[str, bytes]:
    """Name and seed of a signer key, which is secret.

    Raises:
        InvalidNoteError: the message does not repeat the key.
    """
    shape = f"{_PRIVATE}NAME+ID+BASE64 of an Ed25519 key"
    if not text.startswith(_PRIVATE):
        raise InvalidNoteError(f"not a signer key: expected {shape}")
    name, algorithm, seed = _parse_key(text.removeprefix(_PRIVATE), shape, checked=False)
    if algorithm != ED25519:
        raise InvalidNoteError(f"not a signer key of Ed25519: expected {shape}")
    return name, seed


def render_signer_key(name: str, seed: bytes, public_key: bytes) -> str:
    """A signer key in writing. Its id is that of the public key."""
    key_id = _key_id(name, bytes([ED25519]) + public_key)
    return f"{_PRIVATE}{name}+{key_id.hex()}+{to_base64(bytes([ED25519]) + seed)}"


def is_key_name(name: str) -> bool:
    """Whether keys may have that name: no spaces, no plus."""
    return bool(name) and name.isprintable() and "+" not in name and not any(map(str.isspace, name))


def to_base64(raw: bytes) -> str:
    """Base64 as notes write it (RFC 4648, section 4)."""
    return base64.b64encode(raw).decode()


def from_base64(text: str) -> bytes:
    """What *text* encodes, empty where it is not base64 in its one right form."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if to_base64(raw) == text else b""


def key_by(keys: Iterable[VerifierKey], line: SignatureLine) -> VerifierKey | None:
    """The one of *keys* that a line says it is of."""
    return next((key for key in keys if line.is_by(key)), None)


def _parse_key(text: str, shape: str, *, checked: bool = True) -> tuple[str, int, bytes]:
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = from_base64(encoded)
    fits = is_key_name(name) and len(raw) == 1 + _KEY_BYTES and len(key_id) == 2 * _ID_BYTES
    if not fits or (checked and key_id != _key_id(name, raw).hex()):
        raise InvalidNoteError(f"not a key: expected {shape}")
    return name, raw[0], raw[1:]


def _key_id(name: str, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + key).digest()[:_ID_BYTES]


def _as_text(raw: str | bytes) -> str:
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
    except UnicodeDecodeError as error:
        raise InvalidNoteError("not a signed note: expected UTF-8") from error
    if len(text) > _MOST_CHARACTERS or any(c < " " and c != "\n" for c in text):
        raise InvalidNoteError(
            f"not a signed note: expected at most {_MOST_CHARACTERS} characters, none of them a "
            "control character"
        )
    return text
