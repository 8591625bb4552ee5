"""The client: what it sends to whom, on which conditions, and what it takes."""

import gzip
import logging
import zlib
from itertools import repeat
from pathlib import Path
from typing import Any

import anyio
import pytest

from adapters.sources.http_access import HttpAccess
from adapters.sources.http_client import Answer, HttpClient, require_json
from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceLimitError,
    SourceUnreachableError,
)
from tests.harness import hostile_server as hostile
from tests.harness.asking import JSON, get, in_turn, refuse, serve_json
from tests.harness.hostile_server import HostileServer, Request, answers


async def test_answer(web: HostileServer) -> None:
    """An answer has its status, address, headers and content."""
    answer = await get(web.url("/a?b=c"))
    assert (answer.status, answer.url, answer.body) == (200, web.url("/a?b=c"), JSON)
    assert answer.headers["content-type"] == answer.headers["Content-Type"] == "application/json"


async def test_own_headers(web: HostileServer) -> None:
    """A server is told who asks, and what can be read."""
    await get(web.url())
    headers = web.requests[0].headers
    assert headers["user-agent"].startswith("annals-registry/0.")
    assert headers["accept"] == "application/json, */*;q=0.5"
    assert headers["accept-encoding"] == "gzip"
    assert "authorization" not in headers


async def test_configured_headers(web: HostileServer) -> None:
    """Configured headers are sent, and go before the client's own."""
    await get(web.url(), HttpAccess(headers={"X-Team": "a b", "user-agent": "me"}))
    headers = web.requests[0].headers
    assert (headers["x-team"], headers["user-agent"]) == ("a b", "me")


async def test_token_is_read_at_every_get(web: HostileServer, token_file: Path) -> None:
    """A token that is renewed in its file is used at once."""
    async with HttpClient(HttpAccess(bearer_token_file=str(token_file))) as client:
        await client.get(web.url())
        await anyio.Path(token_file).write_text("new")
        await client.get(web.url())
    sent = [request.headers["authorization"] for request in web.requests]
    assert sent == ["Bearer s3cret", "Bearer new"]


@pytest.mark.parametrize("content", ["", " \n", "hunter2\nhunter2", "hunter2\0", "hunter2é"])
async def test_no_token(web: HostileServer, token_file: Path, content: str) -> None:
    """A file that holds no token is named, and its content is not."""
    await anyio.Path(token_file).write_text(content)
    access = HttpAccess(bearer_token_file=str(token_file))
    message = await refuse(SourceAccessError, web.url(), access)
    assert message.startswith(f"bearerTokenFile {token_file} does not hold a token: write it")
    assert "hunter2" not in message.replace(str(token_file), "")
    assert web.requests == []


async def test_missing_token_file(web: HostileServer, tmp_path: Path) -> None:
    """A file that is not there is named."""
    access = HttpAccess(bearer_token_file=str(tmp_path / "absent"))
    message = await refuse(SourceAccessError, web.url(), access)
    assert "absent cannot be read (No such file or directory): name a file" in message


async def test_netrc_is_not_read(
    web: HostileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user keeps for other programs is not sent."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    await get(web.url())
    assert "authorization" not in web.requests[0].headers


async def test_cookies_are_not_kept(web: HostileServer) -> None:
    """Each get stands for itself, and a connection serves several."""

    async def answer(_request: Request) -> hostile.Answer:
        return hostile.Answer(headers={"Set-Cookie": "a=b"})

    web.answer = answer
    async with HttpClient(HttpAccess()) as client:
        for _ in range(2):
            await client.get(web.url())
    assert ["cookie" in request.headers for request in web.requests] == [False, False]


async def test_addresses_are_not_logged(
    web: HostileServer, caplog: pytest.LogCaptureFixture
) -> None:
    """What stands in a query does not get into the program's log, not even when it is verbose."""
    caplog.set_level(logging.DEBUG)
    web.misbehave(in_turn(answers(503), answers(200)))
    await get(web.url("/?key=s3cret"))
    assert "s3cret" not in caplog.text + repr([vars(record) for record in caplog.records])


async def test_what_helped_is_not_told(
    web: HostileServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A question that was answered the second time concerns nobody."""
    web.misbehave(in_turn(answers(503), answers(200)))
    await get(web.url())
    assert len(web.requests) == 2
    assert not caplog.records


async def test_conditional_get(web: HostileServer) -> None:
    """With what an earlier answer was called, 304 is an answer."""
    web.misbehave(answers(304))
    moment = "Sun, 06 Nov 1994 08:49:37 GMT"
    answer = await get(web.url(), etag='W/"a"', last_modified=moment)
    assert (answer.status, answer.body) == (304, b"")
    headers = web.requests[0].headers
    assert (headers["if-none-match"], headers["if-modified-since"]) == ('W/"a"', moment)


async def test_unasked_304(web: HostileServer) -> None:
    """Without, it is none."""
    web.misbehave(answers(304))
    message = await refuse(SourceContentError, web.url())
    assert "answers with status 304: expected the content itself" in message
    assert "if-none-match" not in web.requests[0].headers


async def test_etag_that_cannot_be_sent(web: HostileServer) -> None:
    """A name that is no ASCII is left out."""
    assert (await get(web.url(), etag='"é"')).status == 200
    assert "if-none-match" not in web.requests[0].headers


@pytest.mark.parametrize("status", [302, 404, 503])
async def test_accepted_status(web: HostileServer, status: int) -> None:
    """Whoever can use an answer of another status gets it, at once."""
    web.misbehave(answers(status, b"body", Location="/elsewhere"))
    answer = await get(web.url(), accepting=[status])
    assert (answer.status, answer.body, len(web.requests)) == (status, b"body", 1)


async def test_gzip(web: HostileServer) -> None:
    """Packed content is unpacked, also when it comes as several members and in small pieces."""
    packed = gzip.compress(JSON[:5]) + gzip.compress(JSON[5:])
    pieces = [packed[at : at + 3] for at in range(0, len(packed), 3)]
    web.misbehave(hostile.streams(pieces, Content_Encoding="gzip"))
    assert (await get(web.url())).body == JSON


async def test_nothing_is_nothing_packed_too(web: HostileServer) -> None:
    """An empty body has no gzip header."""
    web.misbehave(answers(200, Content_Encoding="gzip"))
    assert (await get(web.url())).body == b""


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(JSON)[:-3], gzip.compress(JSON) + b"rest", zlib.compress(b"")],
    ids=["none", "cut off", "more behind it", "another kind"],
)
async def test_broken_gzip(web: HostileServer, body: bytes) -> None:
    """What cannot be unpacked may have been damaged on its way, and is asked for again."""
    web.misbehave(answers(200, body, Content_Encoding="gzip"))
    message = await refuse(SourceUnreachableError, web.url())
    assert "sent gzip that cannot be unpacked" in message
    assert len(web.requests) == 3


async def test_other_encoding(web: HostileServer) -> None:
    """What nobody asked for is refused."""
    web.misbehave(answers(200, JSON, Content_Encoding="br"))
    message = await refuse(SourceContentError, web.url())
    assert "sends its content as 'br', expected gzip or nothing" in message


async def test_limit(web: HostileServer) -> None:
    """The limit is the largest size that is still taken."""
    assert (await get(web.url(), options={"max_bytes": len(JSON)})).body == JSON
    message = await refuse(SourceLimitError, web.url(), options={"max_bytes": len(JSON) - 1})
    assert "larger than 14 bytes: split it" in message


async def test_size_that_is_announced_is_enough(web: HostileServer) -> None:
    """What says that it is too large is not waited for."""

    async def announce(_request: Request, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        await writer.drain()
        await anyio.sleep_forever()

    web.misbehave(announce)
    await refuse(SourceLimitError, web.url())


async def test_endless_body(web: HostileServer) -> None:
    """A body without end is read to the limit only."""
    web.misbehave(hostile.streams(repeat(b" " * 1000)))
    await refuse(SourceLimitError, web.url(), options={"max_bytes": 10_000})
    assert len(web.requests) == 1


async def test_gzip_bomb(web: HostileServer) -> None:
    """What is small only while it is packed is unpacked to the limit only."""
    bomb = gzip.compress(gzip.compress(bytes(10**8)))
    web.misbehave(answers(200, gzip.decompress(bomb), Content_Encoding="gzip"))
    await refuse(SourceLimitError, web.url(), options={"max_bytes": 10**6})


async def test_cut_off(web: HostileServer) -> None:
    """An answer that ends before its announced end is asked for again, never taken."""
    web.misbehave(in_turn(hostile.cuts_off(serve_json), answers(200, JSON)))
    assert (await get(web.url())).body == JSON
    web.misbehave(hostile.cuts_off(serve_json))
    assert "broke its answer off" in await refuse(SourceUnreachableError, web.url())


async def test_partial_content(web: HostileServer) -> None:
    """A part of a registry is not one."""
    web.misbehave(answers(206, JSON))
    assert "status 206: expected the whole" in await refuse(SourceContentError, web.url())


def answered(body: bytes, content_type: str | None) -> Answer:
    headers = {} if content_type is None else {"content-type": content_type}
    return Answer(status=200, url="http://a.test/b?key=s3cret", headers=headers, body=body)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "application/json; charset=utf-8"),
        (b"{}", "application/vnd.docker+json"),
        (b"{}", "text/plain"),
        (b"\xef\xbb\xbf\r\n [1]", "application/octet-stream"),
        (b"{}", None),
        (b"null", "Application/JSON"),
    ],
)
def test_json(body: bytes, content_type: str | None) -> None:
    """What is called JSON or looks like it is taken."""
    require_json(answered(body, content_type))


@pytest.mark.parametrize(
    ("body", "content_type", "found"),
    [
        (b"\n<!doctype html>", "text/html", "what looks like HTML (probably a login page)"),
        (b"<html>", "application/json", "what looks like HTML (probably a login page)"),
        (b"hello", "text/plain", "something else (Content-Type 'text/plain')"),
        (b"", None, "something else (Content-Type '')"),
    ],
)
def test_no_json(body: bytes, content_type: str | None, found: str) -> None:
    """Anything else is told, without the query of its address."""
    with pytest.raises(SourceContentError) as caught:
        require_json(answered(body, content_type))
    assert str(caught.value).startswith(
        f"http://a.test/b: expected JSON, found {found}: check `url`"
    )
