"""A registry of the official API as others may have written it, on a clock of its own."""

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Any

import attrs

from domain.timestamps import from_rfc_3339, to_rfc_3339
from tests.harness.hostile_server import Answer, HostileServer, Request, hostile_server
from tests.harness.registry_world import enveloped, server

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@attrs.define
class PagingRegistry:
    """Lists `entries` by name, at most 100 at once, below `base`.

    Its clock is `now`; what is put is stamped with it. It honours `updated_since` unless told
    otherwise, and sends a `Date`, entity tags and `withdrawals` where it is told to.
    `before_answer` may change it between one page and the next.
    """

    base: str = "/v0.1"
    entries: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    now: datetime = NEW_YEAR
    honours_since: bool = True
    has_date: bool = True
    has_tags: bool = False
    withdrawals: str | None = None
    position: str | None = None
    before_answer: Callable[[], None] = lambda: None

    def put(self, *names: str, **official: Any) -> None:
        """Let there be these servers, updated now."""
        for name in names:
            said = {"status": "active", "updatedAt": to_rfc_3339(self.now), **official}
            self.entries[name] = enveloped(server(f"com.example/{name}"), **said)

    def pass_time(self, seconds: float) -> None:
        """Let the clock go on."""
        self.now += timedelta(seconds=seconds)

    async def answer(self, request: Request) -> Answer:
        """What it says to a request."""
        if request.path != f"{self.base}/servers":
            return Answer(status=404)
        self.before_answer()
        body = json.dumps(self._page(request.query)).encode()
        tag = f'"{sha256(body).hexdigest()[:8]}"'
        headers = dict(self._headers(tag))
        if self.has_tags and request.headers.get("if-none-match") == tag:
            return Answer(status=304, headers=headers)
        return Answer(headers=headers, body=body)

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        after, limit = query.get("cursor", ""), int(query.get("limit", 30))
        names = sorted(name for name in self._matching(query) if name > after)
        shown = names[: min(limit, 100)]
        metadata: dict[str, Any] = {"count": len(shown)}
        if len(names) > len(shown):
            metadata["nextCursor"] = shown[-1]
        return {"servers": [self.entries[name] for name in shown], "metadata": metadata}

    def _matching(self, query: dict[str, str]) -> Iterable[str]:
        if "updated_since" not in query or not self.honours_since:
            return self.entries
        since = from_rfc_3339(query["updated_since"])
        return [name for name, entry in self.entries.items() if _updated_at(entry) > since]

    def _headers(self, tag: str) -> Iterable[tuple[str, str]]:
        yield "Content-Type", "application/json"
        if self.has_date:
            yield "Date", format_datetime(self.now, usegmt=True)
        if self.has_tags:
            yield "ETag", tag
        if self.withdrawals is not None:
            yield "Registry-Withdrawals", self.withdrawals
        if self.position is not None:
            yield "Registry-Position", self.position


def _updated_at(entry: dict[str, Any]) -> datetime:
    (official,) = entry["_meta"].values()
    return from_rfc_3339(official["updatedAt"])


@asynccontextmanager
async def paging_server(registry: PagingRegistry) -> AsyncIterator[HostileServer]:
    """A running server of *registry*, which counts requests and can be told to misbehave."""
    async with hostile_server() as server:
        server.answer = registry.answer
        yield server
