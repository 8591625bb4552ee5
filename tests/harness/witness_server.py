"""A witness (C2SP tlog-witness) over HTTP that shares no code with the log it watches."""

import base64
import hashlib
import struct
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.harness.hostile_server import Answer, Request

SEEN_AT = 1_700_000_000


class WitnessOfOneLog:
    """Remembers the newest checkpoint of the log whose verifier key it was given.

    `size` and `root` are what it remembers; set them to give it another memory.
    """

    def __init__(self, log_key: str, name: str = "witness.example.com/w1") -> None:
        self.origin, _, encoded = log_key.split("+", 2)
        self._log_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
        self._key = Ed25519PrivateKey.generate()
        self.name = name
        self.size = 0
        self.root = b""

    @property
    def verifier_key(self) -> str:
        """What its cosignatures are checked with."""
        raw = b"\x04" + self._key.public_key().public_bytes_raw()
        return f"{self.name}+{self._id.hex()}+{base64.b64encode(raw).decode()}"

    @property
    def _id(self) -> bytes:
        raw = b"\x04" + self._key.public_key().public_bytes_raw()
        return hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]

    async def answer(self, request: Request) -> Answer:
        """POST /add-checkpoint; everything else is not there."""
        if (request.method, request.path) != ("POST", "/add-checkpoint"):
            return _answer(404)
        head, _, note = request.body.decode().partition("\n\n")
        first, *proof = head.split("\n")
        text, _, signatures = note.partition("\n\n")
        return self._judge(int(first.removeprefix("old ")), proof, text + "\n", signatures)

    def _judge(self, old: int, proof: list[str], text: str, signatures: str) -> Answer:
        origin, size_line, root_line = text.split("\n")[:3]
        size, root = int(size_line), base64.b64decode(root_line)
        if origin != self.origin:
            return _answer(404)
        if not self._is_signed(text, signatures):
            return _answer(403)
        if old > size:
            return _answer(400)
        if old != self.size or (size == self.size and root != self.root):
            return _answer(409, f"{self.size}\n", "text/x.tlog.size")
        hashes = [base64.b64decode(line) for line in proof]
        if (not old and proof) or (old and not _consistent(old, self.root, size, root, hashes)):
            return _answer(422)
        self.size, self.root = size, root
        return _answer(200, self.cosigned(text))

    def cosigned(self, text: str) -> str:
        """The line of its signature below a checkpoint."""
        message = f"cosignature/v1\ntime {SEEN_AT}\n{text}".encode()
        signature = self._id + struct.pack(">Q", SEEN_AT) + self._key.sign(message)
        return f"\u2014 {self.name} {base64.b64encode(signature).decode()}\n"

    def _is_signed(self, text: str, signatures: str) -> bool:
        for line in signatures.splitlines():
            _, name, encoded = line.split(" ")
            if name == self.origin:
                try:
                    self._log_key.verify(base64.b64decode(encoded)[4:], text.encode())
                except InvalidSignature:
                    continue
                return True
        return False


def _consistent(old: int, old_root: bytes, size: int, root: bytes, proof: list[bytes]) -> bool:
    """RFC 6962, section 2.1.2, from the top down: what the definition of the proof says."""
    left = list(proof)

    def walk(old: int, size: int, known: bool) -> tuple[bytes, bytes]:
        if old == size:
            node = old_root if known else left.pop(0)
            return node, node
        split = 1
        while split * 2 < size:
            split *= 2
        if old <= split:
            before, after = walk(old, split, known)
            return before, _node(after, left.pop(0))
        before, after = walk(old - split, size - split, False)
        whole = left.pop(0)
        return _node(whole, before), _node(whole, after)

    try:
        return walk(old, size, True) == (old_root, root) and not left
    except IndexError:
        return False


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _answer(status: int, body: str = "", kind: str = "text/plain") -> Answer:
    headers: dict[str, Any] = {"Content-Type": kind}
    return Answer(status=status, headers=headers, body=body.encode())
