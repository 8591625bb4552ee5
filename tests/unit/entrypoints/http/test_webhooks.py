"""What operators ask about webhooks."""

from datetime import timedelta

import attrs
import pytest

from application.change_feed import Mark
from application.webhook_task import Progress, Webhook
from application.webhooks import WebhookOverview
from domain.change import ChangeClass
from domain.identifiers import EntryKind, EntryName, RegistryName, WebhookName
from tests.harness.clock import START
from tests.harness.registry_world import RegistryWorld, client_of
from tests.harness.webhook_receiver import HeldReceiver

WEBHOOK = Webhook(
    name=WebhookName("hook"),
    receiver=HeldReceiver(),
    registries=(RegistryName("default"), RegistryName("team")),
    classes=frozenset({ChangeClass.INPUTS, ChangeClass.EXECUTION}),
)
TOLD = {
    RegistryName("default"): Mark(17, EntryName(EntryKind.SERVER, "io.example/a")),
    RegistryName("team"): None,
}
FAILING = Progress(
    delivered_at=START,
    failures=2,
    problem="it answered 500",
    next_attempt=START + timedelta(seconds=10),
)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (Progress(), {"phase": "Active", "attemptCount": 0}),
        (
            FAILING,
            {
                "phase": "Failing",
                "attemptCount": 2,
                "lastDelivery": "2026-11-22T09:30:00Z",
                "lastError": "it answered 500",
                "nextAttempt": "2026-11-22T09:30:10Z",
            },
        ),
        (
            Progress(failures=1, problem="gone", is_over=True),
            {"phase": "Gone", "attemptCount": 1, "lastError": "gone"},
        ),
    ],
)
async def test_a_webhook(
    empty_world: RegistryWorld, progress: Progress, expected: dict[str, object]
):
    """What it is told of, how far it was, and how its deliveries go."""

    async def overviews() -> list[WebhookOverview]:
        return [WebhookOverview(webhook=WEBHOOK, progress=progress, told=TOLD)]

    async with client_of(attrs.evolve(empty_world.services, webhooks=overviews)) as client:
        answer = await client.get("/v1/webhooks")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    (found,) = answer.json()["webhooks"]
    assert found == {
        "name": "hook",
        "receiver": "a test",
        "classes": ["execution", "inputs"],
        "entries": False,
        "registries": [
            {"name": "default", "deliveredUpTo": "17:server:io.example/a"},
            {"name": "team", "deliveredUpTo": None},
        ],
        **expected,
    }


async def test_without_webhooks(empty_world: RegistryWorld):
    """The list is empty."""
    assert (await empty_world.client.get("/v1/webhooks")).json() == {"webhooks": []}
