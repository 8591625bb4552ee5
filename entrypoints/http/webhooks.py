"""What operators ask about webhooks."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from application.change_feed import Mark
from application.webhook_task import Progress
from application.webhooks import WebhookOverview
from domain.identifiers import RegistryName
from domain.timestamps import to_rfc_3339
from entrypoints.http.answer import Answer
from entrypoints.http.answers import json_answer
from entrypoints.http.endpoint import Endpoint
from entrypoints.http.services import Services
from entrypoints.http.sources import BASES

GROUP = "webhooks"


async def list_webhooks(services: Services, _request: Request) -> Answer:
    return json_answer({"webhooks": [_webhook(one) for one in await services.webhooks()]})


def _webhook(overview: WebhookOverview) -> dict[str, Any]:
    webhook = overview.webhook
    return {
        "name": webhook.name,
        "receiver": webhook.receiver.address,
        "classes": sorted(webhook.classes),
        "entries": webhook.with_entries,
        "registries": [_told(*each) for each in overview.told.items()],
        **_progress(overview.progress),
    }


def _told(registry: RegistryName, mark: Mark | None) -> Mapping[str, Any]:
    return {"name": registry, "deliveredUpTo": str(mark) if mark else None}


def _progress(progress: Progress) -> Mapping[str, Any]:
    members = {
        "lastDelivery": to_rfc_3339(progress.delivered_at) if progress.delivered_at else None,
        "lastError": progress.problem,
        "nextAttempt": to_rfc_3339(progress.next_attempt) if progress.next_attempt else None,
    }
    known = {name: value for name, value in members.items() if value is not None}
    return {"phase": _phase(progress), "attemptCount": progress.failures, **known}


def _phase(progress: Progress) -> str:
    if progress.is_elsewhere:
        return "Elsewhere"
    if progress.is_over:
        return "Gone"
    return "Failing" if progress.failures else "Active"


ENDPOINTS = (
    Endpoint(
        bases=BASES,
        path="/webhooks",
        handler=list_webhooks,
        summary="Every webhook: what it is told of, how far it was, and how its deliveries go.",
        group=GROUP,
        answer="WebhookList",
        errors=(503,),
    ),
)
