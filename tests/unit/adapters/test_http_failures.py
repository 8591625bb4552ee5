"""What the client does when it gets no answer, how often, and what it says."""

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from adapters.sources.http_access import HttpAccess
from adapters.sources.http_client import HttpClient
from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceUnreachableError,
)
from tests.harness import hostile_server as hostile
from tests.harness.asking import JSON, get, in_turn, refuse
from tests.harness.hostile_server import HostileServer, Misbehaviour, Request, answers


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (401, SourceAccessError, "let bearerTokenFile name a file with a valid token"),
        (403, SourceAccessError, "let bearerTokenFile name a file with a valid token"),
        (404, SourceContentError, "check `url`; what is private may need a token"),
        (410, SourceContentError, "check `url`; what is private may need a token"),
        (418, SourceContentError, "check `url`, or ask its operator"),
        (300, SourceContentError, "expected the content itself: check `url`"),
        (501, SourceContentError, "check `url`, or ask its operator"),
        (999, SourceContentError, "check `url`, or ask its operator"),
    ],
)
async def test_refusal(
    web: HostileServer, status: int, kind: type[SourceError], advice: str
) -> None:
    """A status that stays is asked for once; the message tells what to do, without the query."""
    web.misbehave(answers(status, b"s3cret"))
    message = await refuse(kind, web.url("/a?key=s3cret"))
    assert message.startswith(f"{web.url('/a')} answers with status {status}: {advice}")
    assert "s3cret" not in message
    assert len(web.requests) == 1


async def test_refusal_after_a_redirect(web: HostileServer, other_web: HostileServer) -> None:
    """The message has both addresses: what was configured, and who refused."""
    web.misbehave(hostile.redirects(lambda _: other_web.url("/b?key=s3cret")))
    other_web.misbehave(answers(403))
    message = await refuse(SourceAccessError, web.url("/a"))
    assert message.startswith(f"{web.url('/a')} (redirected to {other_web.url('/b')}) answers with")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_passing_refusal(web: HostileServer, status: int) -> None:
    """A status that may pass is asked for again, a few times."""
    web.misbehave(in_turn(answers(status), answers(status), answers(200, JSON)))
    assert (await get(web.url())).body == JSON
    web.misbehave(answers(status))
    message = await refuse(SourceUnreachableError, web.url())
    assert f"answers with status {status}: " in message
    assert len(web.requests) == 6


@pytest.mark.parametrize("is_date", [False, True])
async def test_retry_after(web: HostileServer, is_date: bool) -> None:
    """A server that says when to return is asked again then."""
    moment = datetime.now(UTC) + timedelta(seconds=20)
    asked = format_datetime(moment, usegmt=True) if is_date else "20"
    web.misbehave(in_turn(answers(503, Retry_After=asked), answers(503), answers(200)))
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    await get(web.url(), options={"sleep": sleep})
    assert waited == [pytest.approx(20, abs=10 if is_date else 0)]


@pytest.mark.parametrize("asked", ["31", "9" * 400, "Fri, 31 Dec 2999 23:59:59 GMT"])
async def test_retry_much_later(web: HostileServer, asked: str) -> None:
    """A server that wants to be left alone for long is, and the message tells for how long."""
    web.misbehave(answers(429, Retry_After=asked))
    message = await refuse(SourceAccessError, web.url())
    assert f"status 429 and Retry-After: {asked[:40]}: too many requests" in message
    assert len(web.requests) == 1


@pytest.mark.parametrize("asked", ["soon", "-1", "Fri, 31 Dec 1999 23:59:59 GMT", "1.5", "0"])
async def test_retry_after_nothing(web: HostileServer, asked: str) -> None:
    """What is no time, or past, is not waited for."""
    web.misbehave(in_turn(answers(503, Retry_After=asked), answers(200, JSON)))
    assert (await get(web.url())).body == JSON


async def test_refused_connection(web: HostileServer) -> None:
    """Nobody listens."""
    await web.go_away()
    message = await refuse(SourceUnreachableError, web.url("/a?key=s3cret"))
    assert message.startswith(f"{web.url('/a')} refuses connections: check host and port")


async def test_server_that_comes_back(web: HostileServer) -> None:
    """A connection that was given up by the server is replaced."""
    async with HttpClient(HttpAccess(), first_wait_seconds=0) as client:
        await client.get(web.url())
        await web.go_away()
        await web.listen()
        assert (await client.get(web.url())).body == JSON


async def test_unknown_host() -> None:
    """A name without address is told as such."""
    with hostile.unknown_host("nowhere.test"):
        message = await refuse(SourceUnreachableError, "http://nowhere.test/")
    assert "no address is known for this host (Name or service not known)" in message


async def test_impossible_host() -> None:
    """A name that no host can have ends in an error like others."""
    message = await refuse(SourceContentError, "http://999.1.1.1/")
    assert "is no address of a host: check `url`" in message


@pytest.mark.parametrize("misbehaviour", [hostile.says_nothing, hostile.drips])
async def test_time_limit(web: HostileServer, misbehaviour: Misbehaviour) -> None:
    """An answer that does not end in time is given up, however lively it is, and asked again."""
    web.misbehave(misbehaviour)
    message = await refuse(SourceUnreachableError, web.url(), HttpAccess(timeout_seconds=0.1))
    assert "did not answer to the end within 0.1 s: sync again, or raise `timeout`" in message
    assert len(web.requests) == 3


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port where connections wait in a queue that is full."""
    with socket.socket() as listening, socket.socket() as first:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        first.connect(listening.getsockname())
        with socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(listening.getsockname())
            yield listening.getsockname()[1]


async def test_connection_that_is_not_taken(full_port: int) -> None:
    """Connecting is limited too."""
    url = f"http://127.0.0.1:{full_port}/"
    message = await refuse(
        SourceUnreachableError, url, HttpAccess(timeout_seconds=0.1), {"attempts": 1}
    )
    assert "in time: check" in message or "within 0.1 s" in message


@pytest.mark.parametrize(
    "sent",
    [
        b"220 mail.example.com ESMTP\r\n",
        b"",
        bytes(1000),
        b"A" * 300_000,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 30_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
async def test_no_http(web: HostileServer, sent: bytes) -> None:
    """Whatever else is spoken there ends in an error."""

    async def send(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)

    web.misbehave(send)
    message = await refuse(SourceUnreachableError, web.url())
    assert "broke its answer off, or sent what is not HTTP" in message
