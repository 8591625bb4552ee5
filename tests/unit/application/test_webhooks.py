"""Webhooks at work: over HTTP to receivers that misbehave, and by a double that is told how."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from adapters.lease.memory import OwnLease
from adapters.storage.memory import MemoryStorage
from adapters.webhooks import HttpReceiver
from application.change_details import ALL_CLASSES, SHOWN
from application.change_feed import ChangeFeed, Mark
from application.change_rendering import change_json
from application.delivery_marks import DeliveryMarks
from application.duty import Duty
from application.source_task import Pace
from application.webhook_task import MOST_CHANGES, Webhook
from application.webhooks import WebhookOverview, Webhooks
from domain.change import ChangeClass
from domain.errors import DeliveryError, StorageUnavailableError
from domain.identifiers import RegistryName, WebhookName
from domain.ports.delivery import DeliveryPort
from domain.ports.storage import View
from tests.harness.clock import SteppingClock
from tests.harness.hostile_server import (
    HostileServer,
    Request,
    answers,
    hostile_server,
)
from tests.harness.sync_world import HeldSource, SyncWorld, loaded_world, server, synced_source
from tests.harness.webhook_receiver import (
    GONE,
    REFUSED,
    SECRET,
    HeldReceiver,
    VerifyingReceiver,
    changes_in,
)

DEFAULT, OTHER = RegistryName("default"), RegistryName("other")


def webhook(receiver: DeliveryPort, name: str = "hook", **options: Any) -> Webhook:
    """One that is told of all that people are shown of the default registry."""
    settings: dict[str, Any] = {"registries": (DEFAULT,), "classes": SHOWN, **options}
    return Webhook(name=WebhookName(name), receiver=receiver, **settings)


class World:
    """A log and its webhooks. `slept` are the pauses after failures; `pause` may be replaced."""

    def __init__(self, sync: SyncWorld, duty: Duty | None = None) -> None:
        self.sync = sync
        self.slept: list[float] = []
        self.pause: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint
        self.feed = ChangeFeed(sync.storage, sync.registries, sync.documents)
        self.marks = DeliveryMarks(sync.storage)
        self.duty = duty or Duty.alone()
        pace = Pace(clock=SteppingClock(), sleep=self._sleep, chance=lambda: 0.5, duty=self.duty)
        self.webhooks = Webhooks(self.feed, sync.registries, self.marks, pace)
        self.source = HeldSource()

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.pause()

    @asynccontextmanager
    async def running(self, *webhooks: Webhook) -> AsyncIterator[None]:
        """With these webhooks at work."""
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                await tasks.start(self.webhooks.run, webhooks)
                yield
                tasks.cancel_scope.cancel()

    async def offer(self, *names: str, **members: Any) -> None:
        """A sync of a source that offers these."""
        self.source.offer(*[server(name, **members) for name in names])
        await self.sync.syncer.sync(synced_source(self.source))

    async def overview(self) -> WebhookOverview:
        """Of the only webhook."""
        (overview,) = await self.webhooks.overviews()
        return overview

    async def all_told(self) -> None:
        """Wait until everybody was told of everything."""
        end = Mark(self.sync.projector.live.position)
        while any(
            mark != end for one in await self.webhooks.overviews() for mark in one.told.values()
        ):
            await anyio.lowlevel.checkpoint()

    async def until_elsewhere(self) -> None:
        """Wait until the only webhook leaves its deliveries to another process."""
        while not (await self.overview()).progress.is_elsewhere:
            await anyio.lowlevel.checkpoint()

    async def until(self, happens: Callable[[], object]) -> None:
        """Let all others go on until it is so."""
        while not happens():
            await anyio.lowlevel.checkpoint()


@pytest.fixture
async def world() -> World:
    """Two registries, and a server in the default one."""
    return await world_with(Duty.alone())


async def world_with(duty: Duty) -> World:
    """The same in a process that may have to leave deliveries to another."""
    world = World(await loaded_world(), duty)
    await world.sync.configure({"default": ("main",), "other": ("main",)})
    await world.offer("a")
    return world


async def test_a_new_webhook_hears_of_what_comes(world: World):
    """Not of what was; a message has the changes as the feed has them, without entries."""
    receiver = HeldReceiver()
    began = Mark(world.sync.projector.live.position)
    async with world.running(webhook(receiver)):
        await world.offer("a", "b", title="New")
        await world.all_told()
    page = await world.feed.page(None, began, 10)
    ((identity, message),) = receiver.messages
    assert identity.startswith("msg_")
    assert message["type"] == "registry.changed"
    assert message["timestamp"] == message["data"]["changes"][-1]["recordedAt"]
    assert message["data"]["registry"] == "default"
    assert {one["name"] for one in message["data"]["changes"]} == {"io.example/a", "io.example/b"}
    rendered = [change_json(one, SHOWN, with_entries=False) for one in page.changes]
    assert message["data"]["changes"] == [json.loads(one) for one in rendered]


async def test_entries_come_where_they_are_asked_for(world: World):
    """As a list of servers has them."""
    receiver = HeldReceiver()
    async with world.running(webhook(receiver, with_entries=True)):
        await world.offer("a", "b")
        await world.all_told()
    (change,) = receiver.messages[0][1]["data"]["changes"]
    assert change["versions"][0]["entry"]["server"]["name"] == "io.example/b"


async def test_a_message_has_not_too_many_changes(world: World):
    """The others follow in the next ones."""
    receiver = HeldReceiver()
    async with world.running(webhook(receiver)):
        await world.offer("a", *(f"s{n}" for n in range(2 * MOST_CHANGES + 1)))
        await world.all_told()
    sizes = [len(message["data"]["changes"]) for _, message in receiver.messages]
    assert sizes == [MOST_CHANGES, MOST_CHANGES, 1]


async def test_only_what_was_asked_for_is_told(world: World):
    """Of other classes and registries nothing is sent, and nothing waits."""
    picky = HeldReceiver()
    everything = HeldReceiver()
    classes = frozenset({ChangeClass.EXECUTION})
    async with world.running(
        webhook(picky, classes=classes),
        webhook(everything, "all", classes=ALL_CLASSES, registries=(DEFAULT, OTHER)),
    ):
        await world.offer("a", description="Does other things.")
        await world.all_told()
    assert picky.messages == []
    assert len(changes_in(everything.messages)) == len(changes_in(everything.messages, OTHER)) == 1


@pytest.fixture
async def http() -> AsyncIterator[HostileServer]:
    async with hostile_server() as server:
        yield server


def over_http(http: HostileServer, folder: Path, **options: Any) -> tuple[Webhook, Any]:
    """A webhook to the server, and what is behind that."""
    secret = folder / "secret"
    secret.write_text(SECRET)
    behind = VerifyingReceiver()
    http.answer = behind.answer
    port = HttpReceiver(
        url=http.url("/hook"), secret_file=str(secret), clock=SteppingClock(), timeout_seconds=0.2
    )
    return webhook(port, **options), behind


async def hang(_request: Request, _writer: Any) -> None:
    await anyio.sleep_forever()


async def reset(_request: Request, writer: Any) -> None:
    writer.transport.abort()


async def test_every_misbehaviour_is_outlived(world: World, http: HostileServer, tmp_path: Path):
    """Errors, hangs, resets, redirects: the same message comes again, later and later."""
    hook, behind = over_http(http, tmp_path)
    bad = iter([answers(500), hang, reset, answers(302, Location="/elsewhere"), answers(404)])

    async def misbehave(request: Request, writer: Any) -> None:
        await next(bad)(request, writer)

    http.misbehave(misbehave, lambda _request: len(http.requests) <= 5)
    async with world.running(hook):
        await world.offer("a", "b")
        await world.all_told()
        assert (await world.overview()).progress.failures == 0
    assert world.slept == [5, 10, 20, 40, 80]
    assert len({(r.headers["webhook-id"], r.body) for r in http.requests}) == 1
    assert len(behind.messages) == 1
    assert {request.path for request in http.requests} == {"/hook"}


async def test_a_receiver_that_hangs_keeps_nobody_waiting(
    world: World, http: HostileServer, tmp_path: Path
):
    """Neither other webhooks nor syncs."""
    hook, _ = over_http(http, tmp_path, name="slow")
    hook = attrs.evolve(hook, receiver=attrs.evolve(hook.receiver, timeout_seconds=60))  # type: ignore[misc]
    http.misbehave(hang)
    quick = HeldReceiver()
    async with world.running(hook, webhook(quick)):
        for name in "bcd":
            await world.offer("a", name)
            before = len(quick.messages)
            await world.until(lambda: len(quick.messages) > before)  # noqa: B023
        await http.until_asked(1)
    assert world.slept == []


async def test_deliveries_are_left_to_the_process_whose_duty_they_are():
    """The others say so. When it becomes their duty, they begin where the last one was."""
    world, receiver = await world_with(Duty()), HeldReceiver()
    async with world.running(webhook(receiver)), anyio.create_task_group() as tasks:
        await world.offer("a", "b")
        await world.until_elsewhere()
        assert receiver.messages == []
        tasks.start_soon(world.duty.run, OwnLease(), anyio.lowlevel.checkpoint)
        await world.all_told()
        assert not (await world.overview()).progress.is_elsewhere
        tasks.cancel_scope.cancel()
    assert len(receiver.messages) == 1


async def test_failures_are_told_while_they_last(world: World):
    """What was said last, how often, and when it is tried again."""
    receiver = HeldReceiver([REFUSED, REFUSED])
    waiting = anyio.Semaphore(0)
    world.pause = waiting.acquire
    async with world.running(webhook(receiver)):
        before = (await world.overview()).progress
        await world.offer("a", "b")
        await world.until(lambda: world.slept == [5])
        failing = (await world.overview()).progress
        waiting.release()
        await world.until(lambda: world.slept == [5, 10])
        waiting.release()
        await world.all_told()
        after = (await world.overview()).progress
    assert (before.failures, before.problem, before.delivered_at) == (0, None, None)
    assert (failing.failures, failing.problem) == (1, REFUSED)
    assert failing.next_attempt is not None
    assert (after.failures, after.problem, after.next_attempt) == (0, None, None)
    assert after.delivered_at is not None


class Asking(HeldReceiver):
    """One that says when to come again."""

    async def deliver(self, message_id: str, body: bytes) -> None:
        if self.answers:
            raise DeliveryError("busy", float(self.answers.pop(0)))
        await super().deliver(message_id, body)


async def test_a_receiver_says_when_to_come_again(world: World):
    """Not sooner than without that, and not next year."""
    async with world.running(webhook(Asking(["0", "120", "99999"]))):
        await world.offer("a", "b")
        await world.all_told()
    assert world.slept == [5, 120, 3600]


async def test_a_receiver_that_is_gone_is_left_alone(world: World):
    """Until its webhook is configured otherwise; then nothing is missing."""
    receiver = HeldReceiver([GONE])
    hook = webhook(receiver)
    async with world.running(hook):
        await world.offer("a", "b")
        await world.until(lambda: not receiver.answers)
        await world.offer("a", "b", "c")
        await world.webhooks.replace([hook])
        assert (await world.overview()).progress.is_over
        assert receiver.messages == []
        await world.webhooks.replace([attrs.evolve(hook, with_entries=True)])
        await world.all_told()
    assert len(changes_in(receiver.messages)) == 2
    assert world.slept == []


async def test_webhooks_come_and_go(world: World):
    """One that is taken away goes on where it was when it comes back; others do not notice."""
    one, two = HeldReceiver(), HeldReceiver()
    async with world.running(webhook(one, "one"), webhook(two, "two")):
        await world.webhooks.replace([webhook(two, "two")])
        await world.offer("a", "b")
        await world.all_told()
        assert (len(one.messages), len(two.messages)) == (0, 1)
        await world.webhooks.replace([webhook(one, "one"), webhook(two, "two")])
        await world.all_told()
        names = [overview.webhook.name for overview in await world.webhooks.overviews()]
    assert names == ["one", "two"]
    assert changes_in(one.messages) == changes_in(two.messages)


async def test_two_processes_move_on_together(world: World):
    """What one has delivered the other does not, and neither goes back."""
    receiver = HeldReceiver()
    other = World(await loaded_world(world.sync.storage))
    async with world.running(webhook(receiver)), other.running(webhook(receiver)):
        for name in "bcd":
            await world.offer("a", name)
            await other.sync.projector.catch_up()
            await world.all_told()
            await other.all_told()
    taken = changes_in(receiver.messages)
    page = await world.feed.page(None, Mark(), 100, SHOWN)
    assert list(dict.fromkeys(taken)) == [one.mark for one in page.changes[-len(set(taken)) :]]


async def test_a_registry_that_is_taken_away_stops_nothing(world: World):
    """The others of the same webhook are told of."""
    receiver = HeldReceiver()
    async with world.running(webhook(receiver, registries=(OTHER, DEFAULT))):
        await world.sync.configure({"default": ("main",)})
        await world.offer("a", "b")
        await world.until(lambda: receiver.messages)
    assert world.slept == []


class Unreliable(MemoryStorage):
    """A storage that fails in these ways when it is asked how far a webhook is."""

    failures: Sequence[Exception] = ()

    async def rows(self, view: View) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        if view.projection.startswith("webhook:") and self.failures:
            failure, *self.failures = self.failures
            raise failure
        async for rows in super().rows(view):
            yield rows


@pytest.mark.parametrize("failure", [StorageUnavailableError("away"), KeyError("a defect")])
async def test_what_goes_wrong_here_is_tried_again_too(failure: Exception):
    """A storage that is away, and even a defect."""
    storage = Unreliable(SteppingClock())
    world = World(await loaded_world(storage))
    await world.sync.configure({"default": ("main",)})
    receiver = HeldReceiver()
    async with world.running(webhook(receiver)):
        storage.failures = [failure]
        await world.offer("a")
        await world.until(lambda: receiver.messages)
    assert world.slept == [5]
