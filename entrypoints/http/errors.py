"""Errors as answers: one body for the official API (RFC 9457) and for ToolHive's clients."""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from domain.errors import AnnalsError, InvalidQueryError
from entrypoints.error_codes import code_of
from entrypoints.http.answer import Answer

_log = logging.getLogger(__name__)
_TOLD = (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.BAD_GATEWAY)  # neither lies within the registry
_INTERNAL = "Something went wrong inside the registry: its operators find the cause in its log"


def problem(
    status: int,
    detail: str,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
    **more: str,
) -> Answer:
    """An error. `errors` have a `location`, a `message` and perhaps a `value`; *more* are
    members that only errors of a kind have.
    """
    body = {
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": list(errors),
        "error": detail,
        **more,
    }
    return Answer(
        status=status,
        media_type="application/problem+json",
        headers={"Cache-Control": "no-store", **(headers or {})},
        body=json.dumps(body, separators=(",", ":")).encode(),
    )


def problem_of(error: Exception) -> Answer:
    """The answer to an error. What is not the client's to know goes to the log instead."""
    status = code_of(error).http_status if isinstance(error, AnnalsError) else 500
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _TOLD:
        _log.error("a request failed", exc_info=error)
        return problem(status, _INTERNAL)
    return problem(status, str(error), _details(error))


def _details(error: Exception) -> Sequence[Mapping[str, Any]]:
    if not isinstance(error, InvalidQueryError):
        return ()
    location = f"query.{error.parameter}"
    return ({"location": location, "message": str(error), "value": error.value},)
