"""Asking for the registry of a moment in every way there is."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import attrs
import httpx


@attrs.frozen(kw_only=True)
class Way:
    """A way to ask for a moment: the base of the official API, and what stands in the query."""

    base: str
    query: dict[str, str]


def ways(moment: str, registry: str = "default") -> Sequence[Way]:
    """A time, a position such as @4711, or the name of a pin: in the query, and in the path."""
    in_path = moment.removeprefix("@")
    found = [
        Way(base=f"/registry/{registry}", query={"at": moment}),
        Way(base=f"/registry/{registry}@{quote(in_path)}", query={}),
    ]
    return [*found, Way(base="", query={"at": moment})] if registry == "default" else found


async def whole_list(client: httpx.AsyncClient, way: Way, **query: Any) -> bytes:
    """All pages joined, as if a page had no end: what stands between the brackets of `servers`."""
    asked, parts = {**way.query, **query}, []
    while True:
        answer = await client.get(f"{way.base}/v0.1/servers", params=asked)
        assert answer.status_code == 200, answer.text
        if part := servers_in(answer.content):
            parts.append(part)
        cursor = answer.json()["metadata"].get("nextCursor")
        if cursor is None:
            return b",".join(parts)
        asked = {"cursor": cursor, "limit": asked.get("limit", 30)}


def servers_in(body: bytes) -> bytes:
    """What stands between the brackets of `servers` of an answer."""
    servers, _, _ = body.rpartition(b'],"metadata":')
    return servers.removeprefix(b'{"servers":[')
