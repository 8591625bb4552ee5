"""Messages to real servers that behave badly, and how messages are signed."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from adapters import webhooks
from adapters.webhooks import HttpReceiver, sign
from domain.errors import DeliveryError
from tests.harness.certificates import make_certificate
from tests.harness.clock import START, SteppingClock
from tests.harness.hostile_server import (
    HostileServer,
    Misbehaviour,
    Request,
    answers,
    hostile_server,
    says_nothing,
    streams,
)
from tests.harness.webhook_receiver import SECRET, VerifyingReceiver

NOW = START.timestamp()


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    async with hostile_server() as server:
        server.answer = VerifyingReceiver(now=NOW).answer
        yield server


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    return file


def write(file: Path, written: bytes | None) -> None:
    """Let a file hold this, or not be there."""
    file.unlink() if written is None else file.write_bytes(written)


def receiver(server: HostileServer, secret: Path, **options: Any) -> HttpReceiver:
    """Where the server is."""
    clock = SteppingClock(step=timedelta(0))
    url = server.url("/hooks/T0PSECRET?token=T0PSECRET")
    return HttpReceiver(url=url, secret_file=str(secret), clock=clock, **options)


def test_the_signature_of_the_specification():
    """The example that the libraries of Standard Webhooks are tested with."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    identity, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
    signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(key, identity, "1614265330", body) == signature


def test_the_example_for_receivers_verifies():
    """What docs/webhooks.md shows believes a message that is signed now, and no other."""
    page = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    example: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], example)
    key, now = base64.b64decode(SECRET.removeprefix("whsec_")), str(int(time.time()))

    def believes(body: bytes, timestamp: str = now, signed: bytes = b"{}") -> bool:
        signature = f"v1,other {sign(key, 'msg_1', timestamp, signed)}"
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        headers = dict(zip(names, ("msg_1", timestamp, signature), strict=True))
        return bool(example["is_genuine"](SECRET, headers, body))

    assert believes(b"{}")
    assert not believes(b"[]")
    assert not believes(b"{}", timestamp=str(int(now) - 400))


async def test_a_message_is_signed_now(server: HostileServer, secret: Path):
    """With the time of the attempt, and with the secret as it is by then."""
    await receiver(server, secret).deliver("msg_1", b"{}")
    (request,) = server.requests
    assert request.headers["webhook-timestamp"] == str(int(NOW))
    assert request.headers["content-type"] == "application/json"
    write(secret, b"whsec_AAAA")
    with pytest.raises(DeliveryError, match="answered 401: who are you"):
        await receiver(server, secret).deliver("msg_1", b"{}")


async def test_a_secret_can_be_any_text(server: HostileServer, secret: Path):
    """What does not begin as the specification has it is taken as it is."""
    write(secret, "correct horse é\n".encode())
    server.answer = VerifyingReceiver("correct horse é").answer
    await receiver(server, secret).deliver("msg_1", b"{}")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (None, "cannot be read from .*secret: .*No such file"),
        (b"\xff", "cannot be read from"),
        (b" \n", "which is empty"),
        (b"whsec_", "which is empty"),
        (b"whsec_not base64", "expected base64 behind whsec_"),
    ],
)
async def test_a_secret_that_is_none_is_told(
    server: HostileServer, secret: Path, written: bytes | None, message: str
):
    """Nothing is sent without a signature; the secret itself is not repeated."""
    write(secret, written)
    with pytest.raises(DeliveryError, match=message) as caught:
        await receiver(server, secret).deliver("msg_1", b"{}")
    assert "not base64" not in str(caught.value)
    assert server.requests == []


async def greets(_request: Request, writer: asyncio.StreamWriter) -> None:
    """Speaks another protocol."""
    writer.write(b"220 mail.example.com ESMTP\r\n\r\n")


BAD: dict[str, tuple[Misbehaviour, str]] = {
    "an error": (answers(500, b"<p>down\n for now</p>"), "answered 500: <p>down for now</p>"),
    "an error without a word": (answers(503), "answered 503"),
    "a redirect": (answers(307, Location="http://127.0.0.1:1/"), "redirects, .* not followed"),
    "a hang": (says_nothing, "did not answer within 0.1 s"),
    "something else": (greets, "illegal status line|disconnected"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_receiver_that_behaves_badly_is_told_of(
    server: HostileServer, secret: Path, name: str
):
    """What it answered, and where it is, without what is secret in its URL."""
    misbehaviour, message = BAD[name]
    server.misbehave(misbehaviour)
    with pytest.raises(DeliveryError, match=message) as caught:
        await receiver(server, secret, timeout_seconds=0.1).deliver("msg_1", b"{}")
    assert "T0PSECRET" not in f"{caught.value!r} {receiver(server, secret)!r}"
    assert server.url() in str(caught.value)


async def test_a_receiver_that_is_away_is_told_of(server: HostileServer, secret: Path):
    """With its address."""
    await server.go_away()
    with pytest.raises(DeliveryError, match=server.url()):
        await receiver(server, secret).deliver("msg_1", b"{}")


async def test_a_success_is_one_whatever_comes_behind_it(server: HostileServer, secret: Path):
    """The body of a success is nobody's business: it may have no end."""
    server.misbehave(streams(repeat(b"x" * 999)))
    await receiver(server, secret).deliver("msg_1", b"{}")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Sun, 22 Nov 2026 09:31:00 GMT", 60.0),
        ("Sun, 22 Nov 2026 09:29:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
        ("9" * 20, None),
    ],
)
async def test_a_receiver_says_when_to_come_again(
    server: HostileServer, secret: Path, text: str, seconds: float | None
):
    """In seconds, or at a time; anything else is as if it had said nothing."""
    server.misbehave(answers(429, Retry_After=text))
    with pytest.raises(DeliveryError) as caught:
        await receiver(server, secret).deliver("msg_1", b"{}")
    assert caught.value.retry_after_seconds == seconds


async def test_only_a_trusted_receiver_is_spoken_to(
    secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The certificate has to be of an authority that this machine knows."""
    certificate = make_certificate(tmp_path, "receiver")
    async with hostile_server(certificate) as server:
        server.answer = VerifyingReceiver(now=NOW).answer
        with pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED"):
            await receiver(server, secret).deliver("msg_1", b"{}")
        webhooks._authorities.cache_clear()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
        await receiver(server, secret).deliver("msg_1", b"{}")
        webhooks._authorities.cache_clear()
