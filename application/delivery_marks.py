"""How far each webhook has been told of each registry, kept in a view of its own for each.

Views are not meant for what the log does not have. But a lost mark only means that a webhook
begins anew, and a view moves at once with its checkpoint, which only one process can move.
"""

from application.change_feed import Mark, parse_mark
from domain.identifiers import ORIGIN, Position, RegistryName, WebhookName
from domain.ports.storage import View, ViewChange, ViewStorePort

_KEY = "mark"


class DeliveryMarks:
    """One mark for each webhook and registry. It stays where a webhook is configured away."""

    def __init__(self, store: ViewStorePort) -> None:
        self._store = store

    async def of(self, webhook: WebhookName, registry: RegistryName) -> Mark | None:
        """How far a webhook was told of a registry, None where it never began."""
        async for rows in self._store.rows(_view(webhook, registry)):
            for _, value in rows:
                return parse_mark(value.decode())
        return None

    async def begin(self, webhook: WebhookName, registry: RegistryName, position: Position) -> None:
        """Let a webhook that never began do so at a position."""
        if await self.of(webhook, registry) is None:
            await self._put(webhook, registry, ORIGIN, Mark(position))

    async def move(
        self, webhook: WebhookName, registry: RegistryName, before: Mark, after: Mark
    ) -> bool:
        """Whether it was moved: where it is not, another process has done so."""
        return await self._put(webhook, registry, before.position, after)

    async def _put(
        self, webhook: WebhookName, registry: RegistryName, before: Position, after: Mark
    ) -> bool:
        change = ViewChange(since=after.position, puts={_KEY: str(after).encode()})
        return await self._store.advance(
            _view(webhook, registry), [change], after=before, upto=after.position
        )


def _view(webhook: WebhookName, registry: RegistryName) -> View:
    return View(f"webhook:{webhook}:{registry}", 1)
