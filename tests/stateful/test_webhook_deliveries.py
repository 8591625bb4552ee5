"""Whoever is behind a webhook gets every change, in order, whatever happens on the way."""

from collections.abc import Sequence
from itertools import pairwise

import anyio
import anyio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.storage.memory import MemoryStorage
from application.change_details import SHOWN
from application.change_feed import ChangeFeed, Mark
from application.delivery_marks import DeliveryMarks
from application.source_task import Pace
from application.webhook_task import Webhook
from application.webhooks import Webhooks
from domain.guards import Guards
from domain.identifiers import RegistryName, WebhookName
from tests.harness.clock import SteppingClock
from tests.harness.sync_world import HeldSource, SyncWorld, loaded_world, server, synced_source
from tests.harness.webhook_receiver import (
    REFUSED,
    TAKEN,
    TAKEN_UNSEEN,
    HeldReceiver,
    changes_in,
)

RESTART = -1
HOOK, DEFAULT = WebhookName("hook"), RegistryName("default")
# How many servers the source offers from a step on, or a restart.
STEPS = st.lists(st.just(RESTART) | st.sampled_from([0, 1, 2, 3, 51, 120]), max_size=6)
ANSWERS = st.lists(st.sampled_from([TAKEN, REFUSED, TAKEN_UNSEEN]), max_size=12)


class Deliveries:
    """Webhooks of one process after the other over one storage."""

    def __init__(self, answers: Sequence[str]) -> None:
        self.clock = SteppingClock()
        self.storage = MemoryStorage(self.clock)
        self.receiver = HeldReceiver(answers)
        self.source = HeldSource()
        self.offered = 0

    async def play(self, steps: Sequence[int]) -> SyncWorld:
        """All steps, each process with its own; the last one until everything is delivered."""
        world = await loaded_world(self.storage)
        await world.configure({"default": ("main",)})
        processes: list[list[int]] = [[]]
        for step in steps:
            processes.append([]) if step == RESTART else processes[-1].append(step)
        for number, own in enumerate(processes):
            world = await loaded_world(self.storage)
            await self._run(world, own, is_last=number == len(processes) - 1)
        return world

    async def _run(self, world: SyncWorld, steps: Sequence[int], *, is_last: bool) -> None:
        feed = ChangeFeed(world.storage, world.registries, world.documents)
        marks = DeliveryMarks(self.storage)
        pace = Pace(clock=self.clock, sleep=_soon, chance=lambda: 0.5)
        webhooks = Webhooks(feed, world.registries, marks, pace)
        webhook = Webhook(name=HOOK, receiver=self.receiver, registries=(DEFAULT,), classes=SHOWN)
        async with anyio.create_task_group() as tasks:
            await tasks.start(webhooks.run, [webhook])
            for step in steps:
                await self._offer(world, step)
            end = Mark(world.projector.live.position)
            while is_last and await marks.of(HOOK, DEFAULT) != end:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

    async def _offer(self, world: SyncWorld, count: int) -> None:
        self.offered += 1
        self.source.offer(*[server(f"s{n}", title=f"{self.offered}") for n in range(count)])
        guards = Guards(allow_empty=True, max_removal=1.0)
        await world.syncer.sync(synced_source(self.source, guards=guards))


async def _soon(_seconds: float) -> None:
    await anyio.lowlevel.checkpoint()


@settings(max_examples=30)
@given(steps=STEPS, answers=ANSWERS)
def test_every_change_is_delivered_in_order(steps: list[int], answers: list[str]) -> None:
    """A receiver that drops what it has seen has the feed from where the webhook began; what
    comes again comes from where the last success was, also after a restart. Of one id there is
    one message."""
    deliveries = Deliveries(answers)

    async def run() -> list[str]:
        world = await deliveries.play(steps)
        feed = ChangeFeed(world.storage, world.registries, world.documents)
        commits = [commit async for batch in world.storage.commits() for commit in batch]
        began = Mark(commits[0].last_position)
        return [one.mark for one in (await feed.page(None, began, 10_000, SHOWN)).changes]

    expected = anyio.run(run)
    messages = deliveries.receiver.messages
    taken = changes_in(messages)
    assert list(dict.fromkeys(taken)) == expected
    places = [-1, *map(expected.index, taken)]
    assert all(after <= before + 1 for before, after in pairwise(places))
    assert len({repr(message) for message in messages}) == len({id_ for id_, _ in messages})
