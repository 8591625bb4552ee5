"""A large registry of the official API, whose pages are in memory before anybody asks."""

import json
import os
from typing import Any
from urllib.parse import parse_qs

from domain.entry import OFFICIAL_META
from tests.benchmarks.catalogue import documents

VERSIONS = "ANNALS_BENCH_STUB_VERSIONS"
"""The variable that says how many versions it has."""

_PAGE = 100
_LONG_AGO = "2025-10-01T00:00:00Z"
_pages: list[bytes] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Lists all, 100 versions at a time; nothing was updated since any time."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    query = parse_qs(scope["query_string"].decode())
    status, body = 404, b"{}"
    if scope["path"] == "/v0.1/servers":
        number = int(query.get("cursor", ["0"])[0])
        status, body = 200, _page([], None) if "updated_since" in query else _pages[number]
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Any, send: Any) -> None:
    await receive()
    _fill(int(os.environ[VERSIONS]))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _fill(versions: int) -> None:
    listed = sorted(documents(versions), key=lambda each: (each["name"], each["version"]))
    for start in range(0, versions, _PAGE):
        following = start // _PAGE + 1 if start + _PAGE < versions else None
        _pages.append(_page(listed[start : start + _PAGE], following))


def _page(shown: list[dict[str, Any]], following: int | None) -> bytes:
    official = {"status": "active", "publishedAt": _LONG_AGO, "updatedAt": _LONG_AGO}
    metadata = {"count": len(shown)} | ({"nextCursor": str(following)} if following else {})
    servers = [{"server": server, "_meta": {OFFICIAL_META: official}} for server in shown]
    return json.dumps({"servers": servers, "metadata": metadata}, ensure_ascii=False).encode()
