"""Receivers of webhooks: one over HTTP that believes nobody, and one that a test holds."""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import anyio.lowlevel

from domain.errors import DeliveryError, ReceiverGoneError
from tests.harness.hostile_server import Answer, Request

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
TOLERANCE_SECONDS = 300
TAKEN, REFUSED, TAKEN_UNSEEN, GONE = "taken", "refused", "taken, and the answer lost", "gone"


class VerifyingReceiver:
    """Takes what is signed with `secret`, by the words of Standard Webhooks 1.0 alone.

    `messages` are those that it took; `now` is its clock, in seconds since 1970.
    """

    def __init__(self, secret: str = SECRET, now: float | None = None) -> None:
        self.secret = secret
        self.now = now
        self.messages: list[tuple[str, Any]] = []

    async def answer(self, request: Request) -> Answer:
        """204, or 401 where a message is not of whom it says."""
        if not self._is_trusted(request):
            return Answer(status=401, body=b"who are you?")
        self.messages.append((request.headers["webhook-id"], json.loads(request.body)))
        return Answer(status=204)

    def _is_trusted(self, request: Request) -> bool:
        identity, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        if self.now is not None and abs(self.now - int(timestamp)) > TOLERANCE_SECONDS:
            return False
        signed = f"{identity}.{timestamp}.".encode() + request.body
        expected = base64.b64encode(_hmac_sha256(_key_of(self.secret), signed)).decode()
        given = request.headers["webhook-signature"].split(" ")
        return f"v1,{expected}" in given


def _key_of(secret: str) -> bytes:
    head, _, rest = secret.partition("whsec_")
    return base64.b64decode(rest) if not head and rest else secret.encode()


def _hmac_sha256(key: bytes, text: bytes) -> bytes:
    """RFC 2104, section 2."""
    padded = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + text).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()


class HeldReceiver:
    """DeliveryPort whose answers a test says, one after the other; afterwards it takes all."""

    address = "a test"

    def __init__(self, answers: Iterable[str] = ()) -> None:
        self.answers = list(answers)
        self.messages: list[tuple[str, Any]] = []

    async def deliver(self, message_id: str, body: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        answer = self.answers.pop(0) if self.answers else TAKEN
        if answer in (TAKEN, TAKEN_UNSEEN):
            self.messages.append((message_id, json.loads(body)))
        if answer == GONE:
            raise ReceiverGoneError("it is gone")
        if answer != TAKEN:
            raise DeliveryError(answer)


def changes_in(messages: Sequence[tuple[str, Any]], registry: str = "default") -> list[str]:
    """The ids of the changes of a registry, in the order in which they were taken."""
    return [
        change["id"]
        for _, message in messages
        if message["data"]["registry"] == registry
        for change in message["data"]["changes"]
    ]
