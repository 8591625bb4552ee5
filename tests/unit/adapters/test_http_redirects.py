"""Where the client lets itself be sent, and what it takes along."""

from pathlib import Path

import pytest

from adapters.sources.http_access import HttpAccess
from domain.errors import SourceAccessError, SourceContentError, SourceError
from tests.harness import hostile_server as hostile
from tests.harness.asking import JSON, get, refuse
from tests.harness.certificates import Certificate
from tests.harness.hostile_server import HostileServer, answers


async def test_redirect(web: HostileServer, token_file: Path) -> None:
    """At home, everything goes along; the answer tells where it came from."""
    web.misbehave(hostile.redirects(lambda _: "/b?c#d"), lambda request: request.path == "/a")
    access = HttpAccess(bearer_token_file=str(token_file), headers={"X-Team": "a"})
    answer = await get(web.url("/a"), access)
    assert (answer.url, answer.body) == (web.url("/b?c"), JSON)
    assert web.requests[1].headers["authorization"] == "Bearer s3cret"
    assert web.requests[1].headers["x-team"] == "a"


async def test_redirect_to_another_origin(
    web: HostileServer, other_web: HostileServer, token_file: Path
) -> None:
    """Elsewhere, and on the way back, neither the token nor a configured header is sent."""
    web.misbehave(hostile.redirects(lambda _: other_web.url("/b")), lambda r: r.path == "/a")
    other_web.misbehave(hostile.redirects(lambda _: web.url("/c")))
    access = HttpAccess(bearer_token_file=str(token_file), headers={"X-Team": "s3cret"})
    await get(web.url("/a"), access)
    assert [request.path for request in web.requests] == ["/a", "/c"]
    for request in (*other_web.requests, web.requests[1]):
        assert "s3cret" not in str(request.headers)
        assert request.headers["user-agent"].startswith("annals-registry/")


async def test_another_name_is_another_origin(web: HostileServer) -> None:
    """The host counts as it is written, not where it leads."""
    target = web.url("/b", host="localhost")
    web.misbehave(hostile.redirects(lambda _: target), lambda request: request.path == "/a")
    await get(web.url("/a"), HttpAccess(headers={"X-Team": "a"}))
    assert ["x-team" in request.headers for request in web.requests] == [True, False]


async def test_redirect_in_a_circle(web: HostileServer) -> None:
    """A circle is seen when it closes."""
    web.misbehave(hostile.redirects(lambda request: "/b" if request.path == "/a" else "/a"))
    message = await refuse(SourceContentError, web.url("/a"))
    assert f"{web.url('/a')} redirects in a circle" in message
    assert [request.path for request in web.requests] == ["/a", "/b"]


async def test_too_many_redirects(web: HostileServer) -> None:
    """The sixth redirect is not followed."""
    web.misbehave(hostile.redirects(lambda request: f"{request.path}a"))
    assert "more than 5 times" in await refuse(SourceContentError, web.url("/"))
    assert len(web.requests) == 6


async def test_redirect_to_plain_http(
    tls_web: HostileServer, certificate: Certificate, web: HostileServer
) -> None:
    """What was asked for over https is not read over http."""
    tls_web.misbehave(hostile.redirects(lambda _: web.url("/b?key=s3cret")))
    access = HttpAccess(ca_file=str(certificate.file))
    message = await refuse(SourceAccessError, tls_web.url("/a"), access)
    assert f"redirects to {web.url('/b')}, where anybody can change" in message
    assert web.requests == []


@pytest.mark.parametrize("target", ["ftp://a/b", "http://u:s3cret@127.0.0.1/", "http://["])
async def test_redirect_to_nothing_that_is_spoken(web: HostileServer, target: str) -> None:
    """Such an address is neither followed nor repeated."""
    web.misbehave(hostile.redirects(lambda _: target))
    message = await refuse(SourceContentError, web.url())
    assert "redirects to what is no address of HTTP" in message
    assert target not in message


async def test_redirect_without_address(web: HostileServer) -> None:
    """A redirect that leads nowhere is a status like others."""
    web.misbehave(answers(302))
    assert "status 302" in await refuse(SourceContentError, web.url())


@pytest.mark.parametrize(
    "target", ["mailto:a@b", "http://xn--/", "javascript:s3cret", "http://a:b/"]
)
async def test_redirect_to_no_host(web: HostileServer, target: str) -> None:
    """What httpx itself cannot read ends in an error of the source too."""
    web.misbehave(hostile.redirects(lambda _: target))
    with pytest.raises(SourceError) as caught:
        await get(web.url("/a"))
    assert str(caught.value).startswith(web.url("/a"))
    assert "s3cret" not in str(caught.value)
