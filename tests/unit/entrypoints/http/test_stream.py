"""The feed as server-sent events, over the application itself."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest
from starlette.types import Message

from adapters.scratch.memory import MemoryScratch
from application.change_feed import ChangeFeed, Mark
from application.registries import Registries
from domain.asof import Asked, AtPosition
from entrypoints.http.app import create_app
from entrypoints.http.services import Services
from tests.harness.clock import START, SteppingClock
from tests.harness.event_stream import EventStreamParser, ServerEvent
from tests.harness.registry_world import RegistryWorld, registry_world, server

FEED = "/v0.1/x/dev.annals/changes"
STREAM = f"{FEED}/stream"


class Client:
    """One that has a stream open. It takes what is sent at once, unless `takes` is cleared.

    `sent` counts what was handed to it, whether it has taken it or not.
    """

    def __init__(self) -> None:
        self.parser = EventStreamParser()
        self.events: list[ServerEvent] = []
        self.head: Message = {}
        self.sent = 0
        self.is_over = False
        self.gone = anyio.Event()
        self.takes = anyio.Event()
        self.takes.set()
        self._asked = False

    @property
    def told(self) -> list[str]:
        """The names that changed, without their namespace."""
        return [json.loads(event.data)["name"].split("/")[1] for event in self.events]

    async def receive(self) -> Message:
        if self._asked:
            await self.gone.wait()
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.head = message
            return
        self.sent += 1
        await self.takes.wait()
        self.events += self.parser.feed(message["body"])
        self.is_over = not message.get("more_body", False)


@asynccontextmanager
async def opened(
    services: Services, target: str = STREAM, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Client]:
    """A stream that is open until the end of the block, or its own."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.1"},
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode(), text.encode()) for name, text in (headers or {}).items()
        ],
    }
    client = Client()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(create_app(services), scope, client.receive, client.send)
            yield client
            client.gone.set()


async def until(happens: Callable[[], object]) -> None:
    """Let all others go on until it is so."""
    while not happens():
        await anyio.lowlevel.checkpoint()


async def settled() -> None:
    """Let all others go on until they wait for something that is not coming."""
    for _ in range(200):
        await anyio.lowlevel.checkpoint()


@pytest.fixture
async def world() -> AsyncIterator[RegistryWorld]:
    """Two registries, and one server in the default one."""
    async with registry_world({"default": ("main",), "other": ("side",)}) as world:
        await world.sync("main", [server("io.example/a")])
        yield world


async def changes(world: RegistryWorld, target: str = FEED) -> list[dict[str, Any]]:
    """What the feed has."""
    answer = await world.client.get(target)
    return answer.raise_for_status().json()["changes"]  # type: ignore[no-any-return]


async def test_a_stream_begins_at_the_end_of_the_log_and_says_so(world: RegistryWorld):
    """A client that loses it before the first change comes back to the right place."""
    end = world.projector.live.position
    async with opened(world.services) as client:
        await until(lambda: client.parser.last_event_id)
        assert client.parser.last_event_id == str(end)
        assert client.parser.retry == 2000
        await world.sync("main", [server("io.example/a"), server("io.example/b")])
        await until(lambda: client.events)
        assert client.told == ["b"]
    headers = dict(client.head["headers"])
    assert client.head["status"] == 200
    assert headers[b"content-type"] == b"text/event-stream"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-accel-buffering"] == b"no"
    assert headers[b"access-control-allow-origin"] == b"*"
    assert b"content-length" not in headers


async def test_an_event_is_what_the_feed_has(world: RegistryWorld):
    """Its data is the change on one line, its id what to go on from."""
    await world.sync("main", [server("io.example/a", title="Ä\u2028"), server("io.example/b")])
    listed = await changes(world)
    async with opened(world.services, f"{STREAM}?after=0") as client:
        await until(lambda: len(client.events) == len(listed))
    assert [json.loads(event.data) for event in client.events] == listed
    assert [event.id for event in client.events] == [change["id"] for change in listed]
    assert {event.type for event in client.events} == {"change"}


@pytest.mark.parametrize("count", [0, 1, 2, 3])
async def test_a_client_that_comes_back_goes_on(world: RegistryWorld, count: int):
    """Its last event id counts more than what the address says."""
    await world.sync("main", [server(f"io.example/{name}") for name in "abc"])
    listed = await changes(world)
    after = ["0", *(change["id"] for change in listed)][count]
    headers = {"Last-Event-ID": after}
    async with opened(world.services, f"{STREAM}?after=1", headers) as client:
        await until(lambda: client.parser.last_event_id == str(world.projector.live.position))
    assert [event.id for event in client.events] == [one["id"] for one in listed[count:]]


async def test_a_name_of_any_letters_can_be_gone_on_from(world: RegistryWorld):
    """Browsers send the id back as the bytes that it came as."""
    at = str(Mark(world.projector.live.position))
    async with opened(
        world.services, headers={"Last-Event-ID": f"{at}:server:io.example/é😀"}
    ) as c:
        await until(lambda: c.parser.last_event_id == at)


async def test_hidden_changes_move_a_client_on(world: RegistryWorld):
    """It does not look at them again when it comes back."""
    async with opened(world.services, f"{STREAM}?class=popularity") as client:
        await world.sync("main", [server("io.example/a", title="A")])
        await until(lambda: client.parser.last_event_id == str(world.projector.live.position))
    assert client.events == []


async def test_each_registry_has_its_own(world: RegistryWorld):
    """What changes in another one is not told."""
    async with opened(world.services, f"/registry/other{STREAM}") as client:
        await world.sync("main", [])
        await world.sync("side", [server("io.example/s")])
        await until(lambda: client.events)
    assert client.told == ["s"]


@pytest.mark.parametrize(
    ("target", "headers", "status", "detail"),
    [
        (f"{STREAM}?at=@6", {}, 400, "has no end"),
        (f"/registry/default@6{STREAM}", {}, 400, "has no end"),
        (f"{STREAM}?effective_at=2026-01-01", {}, 400, "recorded"),
        (f"{STREAM}?after=soon", {}, 400, "after: 'soon'"),
        (f"{STREAM}?class=none", {}, 400, "class: 'none'"),
        (STREAM, {"Last-Event-ID": "soon"}, 400, "'soon' is no place in the feed"),
        (f"/registry/nobody{STREAM}", {}, 404, "nobody"),
    ],
)
async def test_what_cannot_be_streamed_is_told(
    world: RegistryWorld, target: str, headers: dict[str, str], status: int, detail: str
):
    """As any other error, before anything is sent."""
    answer = await world.client.get(target, headers=headers)
    assert (answer.status_code, detail in answer.text) == (status, True), answer.text


async def test_the_head_alone_has_an_end(world: RegistryWorld):
    """HEAD tells what GET would begin with."""
    answer = await world.client.head(STREAM)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")


async def test_a_sign_of_life_is_given_where_nothing_happens(world: RegistryWorld):
    """Again and again, so that nothing on the way takes the connection for dead."""
    async with opened(attrs.evolve(world.services, keep_alive_seconds=0.001)) as client:
        await until(lambda: client.parser.comments > 2)
    assert client.events == []


async def test_who_takes_nothing_makes_nothing_be_read(world: RegistryWorld):
    """A page of changes is held at most; the next one is read when that is taken."""
    await world.sync("main", [server(f"io.example/s{n}") for n in range(300)])
    pages = []
    page = world.services.feed.page

    class Watched:
        """A feed that counts its pages."""

        async def page(self, *place: Any, **options: Any) -> Any:
            pages.append(place)
            return await page(*place, **options)

    watched: Any = Watched()
    async with opened(attrs.evolve(world.services, feed=watched), f"{STREAM}?after=0") as client:
        client.takes = anyio.Event()
        await until(lambda: client.sent)
        await settled()
        assert (client.sent, len(pages)) == (1, 1)  # whether there is such a registry
        client.takes.set()
        await until(lambda: client.sent > 3)
        client.takes = anyio.Event()
        before = len(pages)
        await settled()
        assert before <= len(pages) < 6
        client.takes.set()
        await until(lambda: len(client.events) == 302)
        assert len(pages) == 1 + 7


async def test_idle_streams_read_nothing(world: RegistryWorld):
    """They wait to be woken, however many there are, and all are."""
    clients: list[Client] = []
    async with anyio.create_task_group() as tasks:

        async def hold() -> None:
            async with opened(world.services) as client:
                clients.append(client)
                await until(lambda: client.events)

        for _ in range(50):
            tasks.start_soon(hold)
        await until(lambda: len(clients) == 50 and all(c.parser.last_event_id for c in clients))
        await world.sync("main", [server("io.example/a"), server("io.example/z")])
    assert {tuple(client.told) for client in clients} == {("z",)}


async def test_streams_end_when_the_process_stops(world: RegistryWorld):
    """Those that are open, at once; one that comes then says where to go on, and ends."""
    async with opened(world.services) as client:
        await until(lambda: client.parser.last_event_id)
        world.services.stopping.set()
        await until(lambda: client.is_over)
    async with opened(world.services) as late:
        await until(lambda: late.is_over)
    assert late.parser.last_event_id == client.parser.last_event_id


async def test_a_client_that_goes_away_leaves_nothing_behind(world: RegistryWorld):
    """Also where it has not taken all that was sent."""
    await world.sync("main", [server(f"io.example/s{n}") for n in range(9)])
    async with opened(world.services, f"{STREAM}?after=0") as client:
        client.takes = anyio.Event()
        await until(lambda: client.sent)
    assert client.events == []


async def test_a_registry_that_is_taken_away_ends_its_streams(world: RegistryWorld):
    """Whoever comes back gets the 404."""
    async with opened(world.services, f"/registry/other{STREAM}") as client:
        await until(lambda: client.parser.last_event_id)
        await world.configure({"default": ("main",)})
        await until(lambda: client.is_over)
    assert (await world.client.get(f"/registry/other{STREAM}")).status_code == 404


async def test_the_stream_of_a_server_of_the_past(world: RegistryWorld):
    """It tells what there was up to the moment, and waits until it is stopped."""
    end = world.projector.live.position
    await world.sync("main", [server("io.example/b")])
    frozen = Asked(at=AtPosition(end))
    past = Registries(
        world.projector,
        world.storage,
        world.documents,
        SteppingClock(START + timedelta(days=1)),
        MemoryScratch(),
        frozen,
    )
    services = attrs.evolve(
        world.services,
        registries=past,
        feed=ChangeFeed(world.storage, past, world.documents),
        keep_alive_seconds=0.001,
    )
    async with opened(services, f"{STREAM}?after=0") as client:
        await until(lambda: client.parser.comments > 2)
        assert (client.told, client.parser.last_event_id) == (["a"], str(end))
        services.stopping.set()
        await until(lambda: client.is_over)


async def test_a_client_that_knows_more_than_this_process_is_not_sent_back(world: RegistryWorld):
    """It was told by another process: this one waits until it knows as much."""
    ahead = world.projector.live.position + 2
    async with opened(world.services, headers={"Last-Event-ID": str(ahead)}) as client:
        await until(lambda: client.parser.last_event_id)
        await world.sync("main", [server("io.example/b")])
        await until(lambda: client.parser.last_event_id == str(world.projector.live.position))
    listed = await changes(world, f"{FEED}?after={ahead}")
    assert [event.id for event in client.events] == [change["id"] for change in listed]
