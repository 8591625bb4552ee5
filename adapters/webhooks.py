"""Receivers of webhooks over HTTP, with signatures as Standard Webhooks 1.0 has them."""

import base64
import binascii
import functools
import hashlib
import hmac
import ssl
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import attrs
import httpx

from domain.errors import DeliveryError, ReceiverGoneError
from domain.ports.clock import ClockPort

_TIMEOUT_SECONDS = 20.0  # from connecting to the status of the answer
_MOST_TOLD = 200
_ENCODED = "whsec_"


@attrs.frozen(kw_only=True)
class HttpReceiver:
    """DeliveryPort. The secret is read again for each message, so that it can be renewed."""

    url: str = attrs.field(repr=False)
    secret_file: str
    clock: ClockPort = attrs.field(eq=False)
    timeout_seconds: float = _TIMEOUT_SECONDS

    @property
    def address(self) -> str:
        """Scheme, host and port: path and query of such URLs are often secrets."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    async def deliver(self, message_id: str, body: bytes) -> None:
        headers = await self._headers(message_id, body)
        try:
            with anyio.fail_after(self.timeout_seconds):
                await self._post(headers, body)
        except TimeoutError as error:
            limit = f"{self.timeout_seconds:g} s"
            raise DeliveryError(f"{self.address} did not answer within {limit}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryError(f"{self.address}: {str(error) or type(error).__name__}") from error

    async def _headers(self, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = str(int(self.clock.now().timestamp()))
        key = await anyio.to_thread.run_sync(_read_secret, Path(self.secret_file))
        return {
            "Content-Type": "application/json",
            "User-Agent": "Annals",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign(key, message_id, timestamp, body),
        }

    async def _post(self, headers: dict[str, str], body: bytes) -> None:
        verify = _authorities() if self.url.startswith("https:") else False
        async with (
            httpx.AsyncClient(timeout=self.timeout_seconds, verify=verify) as client,
            client.stream("POST", self.url, content=body, headers=headers) as answer,
        ):
            if not answer.is_success:
                await self._refuse(answer)

    async def _refuse(self, answer: httpx.Response) -> None:
        told = b""
        async for part in answer.aiter_bytes(_MOST_TOLD):
            told = part
            break
        text = " ".join(told.decode(errors="replace").split())
        message = f"{self.address} answered {answer.status_code}{f': {text}' if text else ''}"
        if answer.status_code == httpx.codes.GONE:
            raise ReceiverGoneError(message)
        if answer.is_redirect:
            message = f"{self.address} redirects, which is not followed: configure the new address"
        raise DeliveryError(message, _retry_after(answer, self.clock.now()))


def sign(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a message (Standard Webhooks 1.0, Signature scheme)."""
    signed = b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


@functools.cache
def _authorities() -> ssl.SSLContext:
    """The usual authorities, read once: it takes 20 ms."""
    return httpx.create_ssl_context()


def _read_secret(file: Path) -> bytes:
    """The key in a file: whsec_ and base64, or any other text as it is."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DeliveryError(f"its secret cannot be read from {file}: {error}") from error
    key = _decoded(text, file) if text.startswith(_ENCODED) else text.encode()
    if not key:
        raise DeliveryError(f"expected a secret in {file}, which is empty")
    return key


def _decoded(text: str, file: Path) -> bytes:
    try:
        return base64.b64decode(text.removeprefix(_ENCODED), validate=True)
    except binascii.Error as error:
        raise DeliveryError(f"expected base64 behind {_ENCODED} in {file}") from error


def _retry_after(answer: httpx.Response, now: datetime) -> float | None:
    """What Retry-After says (RFC 9110, section 10.2.3), in seconds from now."""
    text = answer.headers.get("Retry-After", "")
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):
        return None
