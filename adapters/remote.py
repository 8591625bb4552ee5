"""Another registry over HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import attrs
import httpx

from domain.errors import RemoteLogError
from domain.ports.remote import RemoteAnswer

_TIMEOUT_SECONDS = 30.0
_CONNECTIONS = 8
_MOST_BYTES = 64 * 1024 * 1024


@attrs.frozen
class HttpRemote:
    """RemotePort."""

    url: str
    client: httpx.AsyncClient

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> RemoteAnswer:
        url = self.url.rstrip("/") + path
        try:
            async with self.client.stream("GET", url, params=query or None) as answer:
                body = await _read(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise RemoteLogError(f"{url} cannot be read: {reason}: check the URL") from error
        if answer.status_code != httpx.codes.OK:
            told = body.decode(errors="replace").strip()[:300]
            raise RemoteLogError(f"{answer.url} answered {answer.status_code}: {told}")
        position = answer.headers.get("registry-position", "")
        return RemoteAnswer(body, int(position) if position.isdecimal() else None)


@asynccontextmanager
async def open_remote(url: str) -> AsyncIterator[HttpRemote]:
    """The registry at a URL: what stands before `/log` and `/v0.1` in its paths."""
    limits = httpx.Limits(max_connections=_CONNECTIONS)
    timeout = httpx.Timeout(_TIMEOUT_SECONDS, pool=None)
    async with httpx.AsyncClient(limits=limits, timeout=timeout, follow_redirects=True) as client:
        yield HttpRemote(url, client)


async def _read(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > _MOST_BYTES:
            raise RemoteLogError(f"{answer.url} answered with more than {_MOST_BYTES} bytes")
    return bytes(body)
