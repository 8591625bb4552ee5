"""Judging a server.json that is sent, without publishing it (spec sections 1 and 5)."""

import json
from itertools import islice
from typing import Any

import anyio.to_thread
import attrs
from starlette.requests import Request

from domain import server_json
from domain.errors import BodyTooLargeError
from domain.json_checks import Issue, Place
from domain.server_json import Severity
from entrypoints.http.answer import Answer
from entrypoints.http.answers import json_answer
from entrypoints.http.asked import asked_registry
from entrypoints.http.services import Services

_MOST_BYTES = 1024 * 1024
_MOST_ISSUES = 1000  # a small body can have as many as it has bytes


async def validate(services: Services, request: Request) -> Answer:
    await asked_registry(services, request)
    body = await read_body(request)
    return json_answer(await anyio.to_thread.run_sync(_judged, body))


async def read_body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        BodyTooLargeError
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise BodyTooLargeError(f"The body is too large: expected at most {_MOST_BYTES} bytes")
    return bytes(body)


def _judged(body: bytes) -> dict[str, Any]:
    issues = _issues_of(body)
    return {
        "valid": not any(issue.severity is Severity.ERROR for issue in issues),
        "issues": [attrs.asdict(issue) for issue in islice(issues, _MOST_ISSUES)],
    }


def _issues_of(body: bytes) -> tuple[Issue, ...]:
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return (Place().issue("json-invalid", f"expected JSON in UTF-8: {error}"),)
    return server_json.validate(document)
