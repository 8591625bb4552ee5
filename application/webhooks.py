"""Tells those who want to know of changes: all webhooks, through changes of the configuration."""

from collections.abc import Iterable, Mapping, Sequence

import anyio
import attrs
from anyio.abc import TaskGroup, TaskStatus

from application.change_feed import ChangeFeed, Mark
from application.delivery_marks import DeliveryMarks
from application.registries import Registries
from application.source_task import Pace
from application.webhook_task import Progress, Webhook, WebhookTask
from domain.identifiers import RegistryName, WebhookName


@attrs.frozen(kw_only=True)
class WebhookOverview:
    """Everything there is to say about a webhook; `told` is how far, of each registry."""

    webhook: Webhook
    progress: Progress
    told: Mapping[RegistryName, Mark | None]


class Webhooks:
    """Each webhook has a task of its own, so none waits for another."""

    def __init__(
        self, feed: ChangeFeed, registries: Registries, marks: DeliveryMarks, pace: Pace
    ) -> None:
        self._feed = feed
        self._registries = registries
        self._marks = marks
        self._pace = pace
        self._tasks: dict[WebhookName, WebhookTask] = {}
        self._group: TaskGroup | None = None

    async def run(
        self,
        webhooks: Iterable[Webhook],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Deliver until cancelled. It has started when it is known where each webhook begins.

        Raises:
            StorageError
        """
        try:
            async with anyio.create_task_group() as self._group:
                await self.replace(webhooks)
                task_status.started()
                await anyio.sleep_forever()
        finally:
            self._tasks.clear()

    async def replace(self, webhooks: Iterable[Webhook]) -> None:
        """Deliver to these from now on; those that are as they were go on undisturbed.

        Raises:
            StorageError: it is not known where a webhook begins.
        """
        if (group := self._group) is None:
            raise RuntimeError("the webhooks do not run: start them first")
        wanted = {webhook.name: webhook for webhook in webhooks}
        for webhook in wanted.values():
            await self._begin(webhook)
        await self._stop([n for n, task in self._tasks.items() if task.webhook != wanted.get(n)])
        for name, webhook in wanted.items():
            if name not in self._tasks:
                task = self._tasks[name] = WebhookTask(
                    webhook, self._feed, self._registries, self._marks, self._pace
                )
                group.start_soon(task.run)
        self._tasks = {name: self._tasks[name] for name in wanted}

    async def overviews(self) -> Sequence[WebhookOverview]:
        """All of them, in the order of the configuration.

        Raises:
            StorageError
        """
        return [await self._overview(task) for task in list(self._tasks.values())]

    async def _overview(self, task: WebhookTask) -> WebhookOverview:
        webhook = task.webhook
        told = {name: await self._marks.of(webhook.name, name) for name in webhook.registries}
        return WebhookOverview(webhook=webhook, progress=task.progress, told=told)

    async def _begin(self, webhook: Webhook) -> None:
        """A new webhook hears of what comes, not of what was."""
        position = await self._registries.horizon()
        for registry in webhook.registries:
            await self._marks.begin(webhook.name, registry, position)

    async def _stop(self, names: Iterable[WebhookName]) -> None:
        async with anyio.create_task_group() as stopping:
            for name in names:
                stopping.start_soon(self._tasks.pop(name).stop)
