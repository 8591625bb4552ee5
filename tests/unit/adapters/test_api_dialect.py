"""Finding out what is at an endpoint, and remembering it."""

import json
from collections.abc import AsyncIterator, Mapping

import pytest

from domain.errors import SourceAccessError, SourceContentError, SourceError
from domain.ports.source import Fetched
from tests.harness.api_mirror import api_source
from tests.harness.hostile_server import Answer, HostileServer, Request, answers, hostile_server

OFFICIAL = b'{"servers": [], "metadata": {"count": 0}}'
TOOLHIVE = b'{"servers": [], "total": 0}'
INFO = b'{"last_updated": "2026-01-01T00:00:00Z", "total_servers": 0}'
HTML = b"<!doctype html><title>Not here"


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """A server that has nothing yet."""
    async with hostile_server() as server:
        yield server


def has(server: HostileServer, bodies: Mapping[str, bytes | int]) -> None:
    """Let *server* answer by path: with a body, or with a status alone."""

    async def answer(request: Request) -> Answer:
        found = bodies.get(request.path, 404)
        return Answer(status=found) if isinstance(found, int) else Answer(body=found)

    server.answer = answer


async def found(server: HostileServer, path: str = "") -> str:
    """The beginning of the revision: what is spoken there."""
    result = await api_source(server.url(path)).fetch(None)
    assert isinstance(result, Fetched)
    assert [json.loads(payload) for payload in [p async for p in result.payloads]]
    return " ".join(result.revision().split(" ")[:2])


@pytest.mark.parametrize("path", ["", "/", "/registry/public", "/a/b/"])
async def test_newest_official_api_is_taken_first(server: HostileServer, path: str) -> None:
    """Below any path, with or without a slash at its end."""
    base = path.rstrip("/")
    bodies = {f"{base}/v0.1/servers": OFFICIAL, f"{base}/v0/servers": OFFICIAL}
    has(server, bodies)
    assert await found(server, path) == "official /v0.1"


@pytest.mark.parametrize("nothing", [404, 405, 410, HTML, b"", b"{", b"[]", TOOLHIVE, b'"x"'])
async def test_older_official_api_is_taken_next(
    server: HostileServer, nothing: bytes | int
) -> None:
    """Whatever a server has in the place of what it does not know."""
    has(server, {"/v0.1/servers": nothing, "/v0/servers": OFFICIAL})
    assert await found(server) == "official /v0"


@pytest.mark.parametrize("nothing", [404, HTML])
async def test_toolhive_is_taken_last(server: HostileServer, nothing: bytes | int) -> None:
    """Its list has a total, and it tells about itself."""
    has(server, {"/v0.1/servers": nothing, "/v0/servers": TOOLHIVE, "/v0/info": INFO})
    assert await found(server) == "toolhive /v0"


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_refusal_is_told_at_once(server: HostileServer, status: int) -> None:
    """A registry that cannot be asked now may be any."""
    has(server, {"/v0.1/servers": status, "/v0/servers": OFFICIAL})
    with pytest.raises(SourceError, match=str(status)):
        await api_source(server.url(), attempts=1).fetch(None)
    assert len(server.requests) == 1


async def test_nobody_there_is_told_at_once(server: HostileServer) -> None:
    """No connection, no further question."""
    await server.go_away()
    with pytest.raises(SourceError, match=server.url()):
        await api_source(server.url(), attempts=1).fetch(None)


@pytest.mark.parametrize("bodies", [{}, {"/v0/servers": TOOLHIVE, "/v0.1/servers": HTML}])
async def test_what_was_tried_is_named(server: HostileServer, bodies: dict[str, bytes]) -> None:
    """An operator sees what was asked, how that ended, and what the address should be."""
    has(server, bodies)
    with pytest.raises(SourceContentError) as error:
        await api_source(server.url("/x")).fetch(None)
    for told in (
        "/x: found no",
        "/x/v0.1/servers?limit=1 (",
        "/x/v0/servers?limit=1 (",
        "Let `url`",
    ):
        assert told in str(error.value)


async def test_dialect_is_remembered(server: HostileServer) -> None:
    """By the source while it lives, by the revision ever after."""
    has(server, {"/v0/servers": OFFICIAL})
    source = api_source(server.url())
    first = await source.fetch(None)
    await source.fetch(None)
    assert isinstance(first, Fetched)
    revision = first.revision()
    await api_source(server.url()).fetch(revision)
    assert [r.path for r in server.requests].count("/v0.1/servers") == 1
    assert len(server.requests) == 5


async def test_dialect_that_is_gone_is_found_out_anew(server: HostileServer) -> None:
    """A registry may be upgraded, and its old API be taken away."""
    has(server, {"/v0/servers": TOOLHIVE, "/v0/info": INFO})
    source = api_source(server.url())
    first = await source.fetch(None)
    assert isinstance(first, Fetched)
    has(server, {"/v0.1/servers": OFFICIAL})
    second = await source.fetch(first.revision())
    assert isinstance(second, Fetched)
    assert second.complete
    assert second.revision().startswith("official /v0.1 ")


async def test_refusal_does_not_make_a_dialect_forgotten(server: HostileServer) -> None:
    """Only its absence does."""
    has(server, {"/v0/servers": OFFICIAL})
    source = api_source(server.url(), attempts=1)
    await source.fetch(None)
    server.misbehave(answers(403))
    with pytest.raises(SourceAccessError):
        await source.fetch(None)
    await server.behave()
    before = len(server.requests)
    await source.fetch(None)
    assert len(server.requests) == before + 1
