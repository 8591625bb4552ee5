"""Asking a server as a test does: without waiting, for an answer or for an error."""

from collections.abc import Mapping
from typing import Any

import pytest

from adapters.sources.http_access import HttpAccess
from adapters.sources.http_client import Answer, HttpClient
from domain.errors import SourceError
from tests.harness import hostile_server as hostile
from tests.harness.hostile_server import Misbehaviour, Request

JSON = b'{"servers": []}'


async def serve_json(_request: Request) -> hostile.Answer:
    return hostile.Answer(body=JSON)


async def get(
    url: str,
    access: HttpAccess | None = None,
    options: Mapping[str, Any] | None = None,
    **asked: Any,
) -> Answer:
    settings = {"first_wait_seconds": 0, **(options or {})}
    async with HttpClient(access or HttpAccess(), **settings) as client:
        return await client.get(url, **asked)


async def refuse(
    kind: type[SourceError],
    url: str,
    access: HttpAccess | None = None,
    options: Mapping[str, Any] | None = None,
) -> str:
    """The message of the error that asking ends in."""
    with pytest.raises(SourceError) as caught:
        await get(url, access, options)
    assert type(caught.value) is kind
    return str(caught.value)


def in_turn(*misbehaviours: Misbehaviour) -> Misbehaviour:
    """One after the other, one to each request."""
    left = iter(misbehaviours)

    async def misbehave(request: Request, writer: Any) -> None:
        await next(left)(request, writer)

    return misbehave
