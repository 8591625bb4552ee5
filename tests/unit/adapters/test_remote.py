"""Another registry over HTTP."""

from unittest.mock import patch

import pytest

from adapters import remote
from adapters.remote import open_remote
from domain.errors import RemoteLogError
from domain.ports.remote import RemoteAnswer
from tests.harness.hostile_server import Answer, answers, cuts_off, hostile_server, streams


async def told(request):
    return Answer(headers={"Registry-Position": "17"}, body=request.target.encode())


async def test_an_answer_tells_its_position():
    """The path is sent as it is, the query escaped, below the path of the URL."""
    async with hostile_server() as server, open_remote(server.url("/below/")) as found:
        server.answer = told
        answer = await found.get("/a%2Fb", {"at": "@1 2"})
        assert answer.position == 17
        assert answer.body in (b"/below/a%2Fb?at=%401+2", b"/below/a%2Fb?at=%401%202")
        server.answer = plain
        assert await found.get("/") == RemoteAnswer(b"", None)


async def plain(_request):
    return Answer(headers={"Registry-Position": "many"})


async def test_errors_are_told_with_what_came():
    """The status, and the beginning of the body."""
    async with hostile_server() as server, open_remote(server.url()) as found:
        server.misbehave(answers(503, b"not now" * 1000, Connection="close"))
        with pytest.raises(RemoteLogError, match="answered 503: not now") as caught:
            await found.get("/log/checkpoint")
        assert len(str(caught.value)) < 500
        server.misbehave(cuts_off(told))
        with pytest.raises(RemoteLogError, match="cannot be read"):
            await found.get("/log/checkpoint")


async def test_an_answer_has_an_end():
    """More than is read is an error."""
    async with hostile_server() as server, open_remote(server.url()) as found:
        server.misbehave(streams([bytes(1000)] * 10))
        with (
            patch.object(remote, "_MOST_BYTES", 5000),
            pytest.raises(RemoteLogError, match="more than 5000 bytes"),
        ):
            await found.get("/log/checkpoint")


@pytest.mark.parametrize("url", ["", "hello", "ftp://127.0.0.1", "http://[", "http://127.0.0.1:1"])
async def test_a_url_where_nothing_is_read_is_told(url):
    """Whatever is wrong with it."""
    async with open_remote(url) as found:
        with pytest.raises(RemoteLogError, match="check the URL"):
            await found.get("/log/checkpoint")
