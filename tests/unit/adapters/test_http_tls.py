"""Whom the client trusts, and whom it lets speak for itself."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from adapters.sources.http_access import HttpAccess
from domain.errors import (
    SourceAccessError,
    SourceUnreachableError,
)
from tests.harness.asking import JSON, get, refuse
from tests.harness.certificates import Certificate
from tests.harness.hostile_server import HostileServer, answers


async def test_ca_file(tls_web: HostileServer, certificate: Certificate) -> None:
    """Who is trusted can be configured."""
    access = HttpAccess(ca_file=str(certificate.file))
    assert (await get(tls_web.url(), access)).body == JSON
    assert (await get(tls_web.url(host="localhost"), access)).body == JSON


async def test_untrusted_certificate(tls_web: HostileServer) -> None:
    """A stranger's certificate is not accepted, nor tried again; the message names caFile."""
    message = await refuse(SourceAccessError, tls_web.url())
    assert "a certificate that is not trusted (self" in message
    assert "let caFile name" in message


async def test_certificate_of_another_host(
    tls_web: HostileServer, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trusted authority is not enough: the name has to be right."""
    resolve = socket.getaddrinfo

    def resolve_to_here(_name: Any, *details: Any, **options: Any) -> Any:
        return resolve("127.0.0.1", *details, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_to_here)
    url = tls_web.url(host="registry.test")
    message = await refuse(SourceAccessError, url, HttpAccess(ca_file=str(certificate.file)))
    assert "not trusted (Hostname mismatch" in message


async def test_tls_where_none_is_spoken() -> None:
    """The wrong scheme is told."""

    async def greet(_reader: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as web:
        port = web.sockets[0].getsockname()[1]
        message = await refuse(SourceUnreachableError, f"https://127.0.0.1:{port}/")
    assert "no TLS connection (WRONG_VERSION_NUMBER): check scheme and port of `url`" in message


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_unusable_ca_file(web: HostileServer, tmp_path: Path, content: str | None) -> None:
    """A file of authorities that is missing or holds none is named."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    message = await refuse(SourceAccessError, web.url(), HttpAccess(ca_file=str(file)))
    assert message.startswith(f"caFile {file} cannot be used (")


async def test_proxy(web: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the environment names is asked, except for hosts that it excludes."""
    monkeypatch.setenv("http_proxy", web.url())
    await get("http://registry.test/a")
    assert web.requests[0].target == "http://registry.test/a"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    await get(web.url("/b"))
    assert web.requests[1].target == "/b"


async def test_proxy_that_refuses(web: HostileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names where a proxy is configured, and not its password."""
    web.misbehave(answers(407))
    monkeypatch.setenv("https_proxy", web.url().replace("://", "://me:s3cret@"))
    message = await refuse(SourceUnreachableError, "https://registry.test/")
    assert "the proxy refuses: check HTTPS_PROXY" in message
    assert "s3cret" not in message


@pytest.mark.parametrize("proxy", ["gopher://me:s3cret@127.0.0.1:1", "http://me:s3cret@a:b"])
async def test_impossible_proxy(
    web: HostileServer, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """A proxy that cannot be one is told as such, without its password."""
    monkeypatch.setenv("http_proxy", proxy)
    message = await refuse(SourceAccessError, web.url())
    assert message.startswith("The proxy that the environment names cannot be used")
    assert "s3cret" not in message
