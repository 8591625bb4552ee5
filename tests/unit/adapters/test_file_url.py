"""A registry file at a URL: what is asked for, what counts as a change, and what is configured."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.file import FILE, FileSettings
from adapters.sources.file_url import FileUrlSource, UrlRevision
from adapters.sources.http_access import HttpAccess
from adapters.sources.spool import LARGE_BYTES
from domain.errors import SourceAccessError, SourceLimitError
from domain.ports.source import Fetched, FetchResult, LargePayload, Unchanged
from tests.harness.hostile_server import Answer, HostileServer, Request, answers, hostile_server

CONTENT = b'{"servers": {}}'
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MOMENT = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """A server of one file that knows nothing of conditions."""

    async def answer(_request: Request) -> Answer:
        return Answer(body=CONTENT, headers={"ETag": '"1"', "Last-Modified": MOMENT})

    async with hostile_server() as server:
        server.answer = answer
        yield server


async def fetch(
    server: HostileServer, known_revision: str | None = None, **settings: Any
) -> FetchResult:
    source = FileUrlSource(
        **{"url": server.url("/a.json"), "access": HttpAccess(), "first_wait_seconds": 0} | settings
    )
    return await source.fetch(known_revision)


async def revision_of(server: HostileServer) -> str:
    result = await fetch(server)
    assert isinstance(result, Fetched)
    assert [payload async for payload in result.payloads] == [CONTENT]
    return result.revision()


async def test_revision_is_readable(server: HostileServer) -> None:
    """A revision has all that the next fetch needs, after a restart too."""
    assert await revision_of(server) == f'{DIGEST} etag:"1" modified:{MOMENT}'


async def test_large_content_comes_as_a_file(server: HostileServer, tmp_path: Path) -> None:
    """It is never in memory as a whole, and its revision is that of the same bytes."""
    large = CONTENT + b" " * LARGE_BYTES

    async def answer(_request: Request) -> Answer:
        return Answer(body=large)

    server.answer = answer
    result = await fetch(server, spool_dir=tmp_path)
    assert isinstance(result, Fetched)
    async for payload in result.payloads:
        assert isinstance(payload, LargePayload)
        assert payload.file.read() == large
    assert result.revision() == f"sha256:{hashlib.sha256(large).hexdigest()}"
    assert await fetch(server, result.revision(), spool_dir=tmp_path) == Unchanged()


async def test_first_fetch_has_no_condition(server: HostileServer) -> None:
    """Nothing is known yet."""
    await fetch(server)
    assert not {"if-none-match", "if-modified-since"} & server.requests[0].headers.keys()


async def test_server_that_knows_the_revision(server: HostileServer) -> None:
    """The server is asked by the name and time that it gave, and its 304 is believed."""
    revision = await revision_of(server)
    server.misbehave(answers(304))
    assert await fetch(server, revision) == Unchanged()
    headers = server.requests[1].headers
    assert (headers["if-none-match"], headers["if-modified-since"]) == ('"1"', MOMENT)


@pytest.mark.parametrize("known", [DIGEST, f'{DIGEST} etag:W/"old"', f"{DIGEST} modified:{MOMENT}"])
async def test_same_content_is_unchanged(server: HostileServer, known: str) -> None:
    """Whatever a server calls it, the same content is no change."""
    assert await fetch(server, known) == Unchanged()


async def test_other_content_under_the_same_name(server: HostileServer) -> None:
    """Other content is a change, even if its server says nothing of it."""
    revision = await revision_of(server)
    server.misbehave(answers(200, b"{}", ETag='"1"'))
    result = await fetch(server, revision)
    assert isinstance(result, Fetched)
    assert result.revision() == f'sha256:{hashlib.sha256(b"{}").hexdigest()} etag:"1"'


@pytest.mark.parametrize("etag", ["1", '"a b"', '"é"', '"a"b"', 'w/"a"', f'"{"a" * 300}"', ""])
async def test_names_that_are_none(server: HostileServer, etag: str) -> None:
    """What is not written as it should be is not kept."""
    server.misbehave(answers(200, CONTENT, ETag=etag, Last_Modified="\x7f1994"))
    assert await revision_of(server) == DIGEST


async def test_limit(server: HostileServer) -> None:
    """A file has a largest size."""
    with pytest.raises(SourceLimitError, match="larger than 14 bytes"):
        await fetch(server, max_bytes=14)


async def test_token(server: HostileServer, tmp_path: Path) -> None:
    """What is configured of the access is used."""
    await anyio.Path(tmp_path / "token").write_text("s3cret")
    settings = FileSettings(
        url=server.url("/a.json"),
        bearer_token_file=str(tmp_path / "token"),
        headers={"X-Team": "a"},
        timeout_seconds=5,
    )
    assert isinstance(await FILE.open(settings, tmp_path).fetch(None), Fetched)
    headers = server.requests[0].headers
    assert (headers["authorization"], headers["x-team"]) == ("Bearer s3cret", "a")


async def test_refusal(server: HostileServer) -> None:
    """An error of the server is an error of the source."""
    server.misbehave(answers(401))
    with pytest.raises(SourceAccessError, match="status 401: let bearerTokenFile name"):
        await fetch(server, DIGEST)


ETAGS = st.builds(
    '{}"{}"'.format, st.sampled_from(["", "W/"]), st.from_regex("[!#-~]{0,20}", fullmatch=True)
)
REVISIONS = st.builds(
    UrlRevision,
    digest=st.from_regex("sha256:[0-9a-f]{64}", fullmatch=True),
    etag=st.none() | ETAGS,
    modified=st.none() | st.just(MOMENT),
)


@given(REVISIONS)
def test_written_revision_can_be_read(revision: UrlRevision) -> None:
    """What is written is what is read, and names what it is."""
    assert UrlRevision.parse(str(revision)) == revision


@given(st.text() | st.none())
def test_anything_else_is_no_revision(text: str | None) -> None:
    """What no revision of a URL looks like is none, without an error."""
    assert UrlRevision.parse(text) is None


@pytest.mark.parametrize(
    "settings", [{}, {"path": "a.json", "url": "https://a.test/"}, {"path": None, "url": None}]
)
def test_path_or_url(settings: dict[str, Any]) -> None:
    """A file is at one of the two."""
    with pytest.raises(ValueError, match="expected exactly one of path and url"):
        FileSettings(**settings)


@pytest.mark.parametrize(
    "setting",
    [
        {"timeout_seconds": 5.0},
        {"headers": {"X-Team": "hunter2"}},
        {"bearer_token_file": "/token"},
        {"ca_file": "/ca.pem"},
    ],
)
def test_access_is_for_urls(setting: dict[str, Any]) -> None:
    """A path is not asked for over HTTP."""
    with pytest.raises(ValueError, match="bearerTokenFile and caFile are for a url: remove them"):
        FileSettings(path="a.json", **setting)
    FileSettings(url="https://a.test/", **setting)


@pytest.mark.parametrize("url", ["a.json", "ftp://a.test/a.json", "https://me:hunter2@a.test/"])
def test_impossible_url(url: str) -> None:
    """What cannot be asked for is told when the configuration is read."""
    with pytest.raises(ValueError, match="expected an address"):
        FileSettings(url=url)


def test_location_hides_the_query() -> None:
    """What opens a file is not shown."""
    assert FILE.location(FileSettings(url="https://a.test/b?key=s3cret")) == "https://a.test/b"
