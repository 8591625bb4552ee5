"""One webhook at work: told of every change, in order, until its receiver has taken it."""

import hashlib
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import anyio
import attrs

from application.change_details import ServerChange
from application.change_feed import ChangeFeed
from application.change_rendering import change_json
from application.delivery_marks import DeliveryMarks
from application.registries import Registries
from application.source_task import Pace, delay_seconds
from domain.change import ChangeClass
from domain.errors import AnnalsError, DeliveryError, ReceiverGoneError, RegistryNotFoundError
from domain.identifiers import ORIGIN, Position, RegistryName, WebhookName
from domain.ports.delivery import DeliveryPort
from domain.timestamps import to_rfc_3339

_log = logging.getLogger(__name__)

MOST_CHANGES = 50
"""How many changes a message has at most."""

_LONGEST_SECONDS = 300.0
_MOST_PATIENT_SECONDS = 3600.0  # longer than that nobody is left alone, whatever they ask for


@attrs.frozen(kw_only=True)
class Webhook:
    """Who is told of which changes of which registries, and whether with whole entries."""

    name: WebhookName
    receiver: DeliveryPort
    registries: tuple[RegistryName, ...]
    classes: frozenset[ChangeClass]
    with_entries: bool = False


@attrs.frozen(kw_only=True)
class Message:
    """What is delivered at once. The same changes make the same message."""

    id: str
    body: bytes


@attrs.frozen(kw_only=True)
class Progress:
    """How the deliveries of a webhook go.

    `failures` counts those since the last success, and `problem` is the last of them.
    `next_attempt` is None where nothing is waited for, `is_over` where the receiver is gone,
    `is_elsewhere` where another process delivers, which knows how that goes.
    """

    delivered_at: datetime | None = None
    failures: int = 0
    problem: str | None = None
    next_attempt: datetime | None = None
    is_over: bool = False
    is_elsewhere: bool = False


class WebhookTask:
    """Delivers one message at a time, so that whoever takes them gets them in order.

    What is to be delivered is read up to a target, which stays until all is delivered: so a
    message that is tried again is the same message.
    """

    def __init__(
        self,
        webhook: Webhook,
        feed: ChangeFeed,
        registries: Registries,
        marks: DeliveryMarks,
        pace: Pace,
    ) -> None:
        self.webhook = webhook
        self.progress = Progress()
        self._feed = feed
        self._registries = registries
        self._marks = marks
        self._pace = pace
        self._target: Position = ORIGIN
        self._scope = anyio.CancelScope()
        self._stopped = anyio.Event()

    async def run(self) -> None:
        """Deliver until stopped or cancelled, or until the receiver wants no more."""
        try:
            with self._scope:
                await self._begin()
                while not self.progress.is_over:
                    await self._go_on()
        finally:
            self._stopped.set()

    async def stop(self) -> None:
        """End what is under way. What was not taken by then is delivered to whoever comes next."""
        self._scope.cancel()
        await self._stopped.wait()

    async def _begin(self) -> None:
        """Another process may deliver as yet."""
        if not self._pace.duty.is_ours:
            self.progress = Progress(is_elsewhere=True)
            await self._pace.duty.begun()
            self.progress = Progress()

    async def _go_on(self) -> None:
        """One round of deliveries, and the wait for the next one, however it ends."""
        try:
            for registry in self.webhook.registries:
                with suppress(RegistryNotFoundError):  # about to be taken from the webhook too
                    await self._tell(registry)
            await self._registries.beyond(self._target)
            self._target = await self._registries.horizon()
        except ReceiverGoneError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001  # a defect met by one must not stop the others
            await self._rest(error)

    async def _tell(self, registry: RegistryName) -> None:
        """Deliver what a registry has up to the target."""
        name, classes = self.webhook.name, self.webhook.classes
        while (mark := await self._marks.of(name, registry)) and mark.seen < self._target:
            page = await self._feed.page(registry, mark, MOST_CHANGES, classes, upto=self._target)
            if page.changes:
                await self._deliver(message_of(self.webhook, registry, page.changes))
            await self._marks.move(name, registry, mark, page.next)

    async def _deliver(self, message: Message) -> None:
        await self.webhook.receiver.deliver(message.id, message.body)
        if self.progress.failures:
            _log.info("webhook %s: deliveries go on", self.webhook.name)
        self.progress = Progress(delivered_at=self._pace.clock.now())

    async def _rest(self, error: Exception) -> None:
        """Wait before the next attempt, longer each time."""
        failures = self.progress.failures + 1
        seconds = delay_seconds(_LONGEST_SECONDS, failures, self._pace.chance())
        if isinstance(error, DeliveryError) and error.retry_after_seconds is not None:
            seconds = max(seconds, min(error.retry_after_seconds, _MOST_PATIENT_SECONDS))
        name = self.webhook.name
        if isinstance(error, AnnalsError):
            _log.warning("webhook %s: %s: trying again in %.0f s", name, error, seconds)
        else:
            _log.error("webhook %s broke: please report this", name, exc_info=error)
        self.progress = attrs.evolve(
            self.progress,
            failures=failures,
            problem=str(error) or repr(error),
            next_attempt=self._pace.clock.now() + timedelta(seconds=seconds),
        )
        await self._pace.sleep(seconds)
        self.progress = attrs.evolve(self.progress, next_attempt=None)

    def _end(self, error: ReceiverGoneError) -> None:
        name = self.webhook.name
        _log.error("webhook %s: %s: nothing is sent until it is configured anew", name, error)
        self.progress = attrs.evolve(
            self.progress, failures=self.progress.failures + 1, problem=str(error), is_over=True
        )


def message_of(
    webhook: Webhook, registry: RegistryName, changes: Sequence[ServerChange]
) -> Message:
    """Some changes as a receiver gets them: type, timestamp and data (Standard Webhooks)."""
    recorded_at = to_rfc_3339(max(one.commit.recorded_at for one in changes if one.commit))
    listed = b",".join(
        change_json(change, webhook.classes, with_entries=webhook.with_entries)
        for change in changes
    )
    head = json.dumps({"type": "registry.changed", "timestamp": recorded_at})
    body = b'%b, "data": {"registry": %b, "changes": [%b]}}' % (
        head[:-1].encode(),
        json.dumps(registry).encode(),
        listed,
    )
    identity = (webhook.name, registry, changes[0].mark, changes[-1].mark, recorded_at)
    return Message(id=f"msg_{_digest(identity)}", body=body)


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
