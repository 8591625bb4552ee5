"""Successes as answers, and what lets clients and caches ask again for next to nothing."""

import json
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

from starlette.requests import Request

from application.moments import Moment
from application.projector import Live
from application.served import ServedRegistry
from domain.timestamps import to_rfc_3339
from entrypoints.http.answer import Answer
from entrypoints.http.asking import ASKING, Asking
from entrypoints.http.services import Services

JSON = "application/json"
OFFICIAL = "official"
"""The variant of answers that are laid down before they are asked for."""

# A sync can change any answer at any moment, and pages of a walk must fit each other. Asking
# again costs a 304, which is cheaper than explaining a stale page.
_CACHE_CONTROL = "public, max-age=0, must-revalidate"
# What was recorded up to a position never changes (RFC 8246).
IMMUTABLE = "public, max-age=31536000, immutable"


def json_answer(value: Any) -> Answer:
    """An answer that no cache may keep."""
    return passing_answer(encode(value), JSON)


def passing_answer(body: bytes, media_type: str) -> Answer:
    """An answer of any type that no cache may keep."""
    return Answer(body=body, headers={"Cache-Control": "no-store"}, media_type=media_type)


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
    variant: str = OFFICIAL,
    media_type: str = JSON,
) -> Answer:
    """What *render* makes of a registry version, or nothing where the client has it already."""
    tag = entity_tag(services, registry, variant)
    asked: Asking = request.scope[ASKING]
    is_known = asked.known_coding(tag) is not None
    return Answer(
        media_type=media_type,
        headers=_registry_headers(registry),
        body=None if is_known else await render(),
        tag=tag,
        basis=_basis(registry.moment),
        is_dear=registry.moment is not None or variant != OFFICIAL,
    )


def _registry_headers(registry: ServedRegistry) -> Mapping[str, str]:
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


def _basis(moment: Moment | None) -> Callable[[Live], Hashable]:
    if moment is None:
        return _of_changes
    return _of_redactions if moment.is_fixed else _of_everything


def _of_changes(live: Live) -> Hashable:
    return live.changed_position, len(live.redactions)


def _of_everything(live: Live) -> Hashable:
    """A time or a pin may stand for another commit after every one."""
    return live.position, len(live.redactions)


def _of_redactions(live: Live) -> Hashable:
    """What was recorded up to a position is the same ever after, but for what is erased."""
    return len(live.redactions)
