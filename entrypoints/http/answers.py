"""Successes as answers: bodies, and what lets clients and caches ask again for next to nothing."""

import json
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from application.served import ServedRegistry
from domain.timestamps import to_rfc_3339
from entrypoints.http.services import Services

JSON = "application/json"
EXPOSED_HEADERS = (
    b"ETag",
    b"Registry-Position",
    b"Registry-Withdrawals",
    b"Registry-Recorded-At",
    b"Registry-Effective-At",
)
"""What pages of other origins may read of an answer."""

# A sync can change any answer at any moment, and pages of a walk must fit each other. Asking
# again costs a 304, which is cheaper than explaining a stale page.
_CACHE_CONTROL = "public, max-age=0, must-revalidate"
# What was recorded up to a position never changes (RFC 8246).
IMMUTABLE = "public, max-age=31536000, immutable"


def json_answer(value: Any) -> Response:
    """An answer that no cache may keep."""
    return passing_answer(encode(value), JSON)


def passing_answer(body: str | bytes, media_type: str) -> Response:
    """An answer of any type that no cache may keep."""
    return Response(body, headers={"Cache-Control": "no-store"}, media_type=media_type)


def encode(value: Any) -> bytes:
    """Compact JSON, in ASCII so that a lone surrogate in somebody's document does no harm."""
    return json.dumps(value, separators=(",", ":")).encode()


def entity_tag(services: Services, registry: ServedRegistry, variant: str) -> str:
    """A strong entity tag (RFC 9110 section 8.8.3), for all paths of a registry in one variant.

    An answer follows from its URL, the registry version, the release that renders it, and what
    was redacted. The registry's mark tells one log from another that has come as far.
    """
    version, name = services.release["version"], registry.definition.name
    redactions = len(services.registries.live.redactions)
    return f'"{name}-{registry.position}-{registry.mark}-{version}-{variant}-{redactions}"'


async def answer_from(
    services: Services,
    request: Request,
    registry: ServedRegistry,
    render: Callable[[], Awaitable[bytes]],
    variant: str = "official",
    keep_as: Hashable = None,
    media_type: str = JSON,
) -> Response:
    """What *render* makes of a registry version, or 304 where the client has it already.

    With *keep_as* the body is kept for others who ask for the same of this registry version.
    """
    tag = entity_tag(services, registry, variant)
    headers = {"ETag": tag, **_registry_headers(registry)}
    if _is_known(request, tag):
        return Response(status_code=304, headers=headers)
    made = render() if keep_as is None else services.kept.get((tag, keep_as), render)
    return Response(await made, headers=headers, media_type=media_type)


def _registry_headers(registry: ServedRegistry) -> dict[str, str]:
    headers = {
        "Registry-Position": str(registry.position),
        "Registry-Withdrawals": registry.withdrawals,
        "Cache-Control": _CACHE_CONTROL,
    }
    if (moment := registry.moment) is None:
        return headers
    headers["Registry-Recorded-At"] = to_rfc_3339(moment.commit.recorded_at)
    if moment.effective_at:
        headers["Registry-Effective-At"] = to_rfc_3339(moment.effective_at)
    if moment.is_fixed:
        headers["Cache-Control"] = IMMUTABLE
    return headers


def _is_known(request: Request, tag: str) -> bool:
    """Whether If-None-Match (RFC 9110 section 13.1.2) names *tag*; it compares weakly."""
    for header in request.headers.getlist("if-none-match"):
        known = [part.strip().removeprefix("W/") for part in header.split(",")]
        if tag in known or known == ["*"]:
            return True
    return False
