"""Registries that follow each other: whatever happens to the first, the last becomes the same."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import attrs
import httpx
import msgspec
import pytest

from domain.guards import Guards
from domain.ports.source import SourcePort
from tests.harness.annals_server import annals_server
from tests.harness.api_mirror import api_source
from tests.harness.registry_world import RegistryWorld, enveloped, registry_world, server

STEPS = 30
NAMES = [f"com.example/s{number}" for number in range(6)]
VERSIONS = ["1.0.0", "1.1.0", "2.0.0-rc.1", "snapshot", "nightly"]
STATUSES = [{}, {"status": "deprecated", "statusMessage": "use another"}, {"status": "deleted"}]
ORDERS = [("first", "second"), ("second", "first"), ("second",), ("first",)]


@attrs.frozen
class Chain:
    """The first of three registries has sources; the second follows it, and the third that one."""

    head: RegistryWorld
    middle: RegistryWorld
    tail: RegistryWorld
    head_api: SourcePort
    middle_api: SourcePort


@pytest.fixture
async def chain() -> AsyncIterator[Chain]:
    """Three registries behind real sockets, all of them empty."""
    async with AsyncExitStack() as stack:
        head = await stack.enter_async_context(registry_world({"default": ORDERS[0]}))
        middle = await stack.enter_async_context(registry_world())
        tail = await stack.enter_async_context(registry_world())
        for world in (head, middle, tail):
            world.guards = Guards(allow_empty=True, max_removal=1.0)
        head_url = (await stack.enter_async_context(annals_server(head))).url("")
        middle_url = (await stack.enter_async_context(annals_server(middle))).url(
            "/registry/default"
        )
        yield Chain(head, middle, tail, api_source(head_url), api_source(middle_url))


class Served(msgspec.Struct):
    """A server in a list: its bytes as they came, and what is said about it."""

    server: msgspec.Raw
    meta: dict[str, dict[str, Any]] = msgspec.field(name="_meta")


class Listed(msgspec.Struct):
    """A page of a list."""

    servers: list[Served]
    metadata: dict[str, Any]


async def walked(client: httpx.AsyncClient) -> list[tuple[bytes, dict[str, Any]]]:
    """Everything that a registry serves, but for when it recorded the last change of it."""
    found, cursor = [], ""
    while True:
        answer = await client.get(f"/v0.1/servers?include_deleted=true&limit=7{cursor}")
        page = msgspec.json.decode(answer.content, type=Listed)
        for served in page.servers:
            (said,) = served.meta.values()
            del said["updatedAt"]
            found.append((bytes(served.server), said))
        if not (after := page.metadata.get("nextCursor")):
            return found
        cursor = f"&cursor={after}"


class Life:
    """What happens to the sources of the head, drawn by chance."""

    def __init__(self, world: RegistryWorld, chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._offered: dict[str, dict[tuple[str, str], Any]] = {"first": {}, "second": {}}

    async def step(self) -> None:
        """One more thing happens."""
        happen = self._chance.choices([self._add, self._withdraw, self._reorder], [6, 3, 1])[0]
        await happen()

    async def _add(self) -> None:
        source, key = self._chance.choice(["first", "second"]), self._any_key()
        document = server(*key, title=f"Title {self._chance.randrange(3)}")
        said = self._chance.choice(STATUSES)
        self._offered[source][key] = enveloped(document, **said) if said else document
        await self._sync(source)

    async def _withdraw(self) -> None:
        source = self._chance.choice(["first", "second"])
        if offered := self._offered[source]:
            del offered[self._chance.choice(list(offered))]
        await self._sync(source)

    async def _reorder(self) -> None:
        await self._world.configure({"default": self._chance.choice(ORDERS)})
        for source in ("first", "second"):
            await self._sync(source)

    async def _sync(self, source: str) -> None:
        await self._world.sync(source, list(self._offered[source].values()))

    def _any_key(self) -> tuple[str, str]:
        return self._chance.choice(NAMES), self._chance.choice(VERSIONS)


@pytest.mark.parametrize("seed", range(8))
async def test_three_in_a_row_converge_after_every_change(chain: Chain, seed: int) -> None:
    """Each that is synced has what the one before it has, also after it was stopped for a while."""
    chance = random.Random(seed)
    life = Life(chain.head, chance)
    for _ in range(STEPS):
        await life.step()
        if chance.random() < 0.7:
            await chain.middle.sync_from(chain.head_api)
            assert await walked(chain.middle.client) == await walked(chain.head.client)
            if chance.random() < 0.6:
                await chain.tail.sync_from(chain.middle_api)
                assert await walked(chain.tail.client) == await walked(chain.head.client)


async def test_what_is_only_added_is_not_compared_with_everything(chain: Chain) -> None:
    """A sync after an addition reads the addition; one after a withdrawal reads all."""
    many = [server(f"com.example/s{number}") for number in range(250)]
    await chain.head.sync("first", many)
    first = await chain.middle.sync_from(chain.head_api)
    await chain.head.sync("first", [*many, server("com.example/new")])
    added = await chain.middle.sync_from(chain.head_api)
    await chain.head.sync("first", many[1:])
    withdrawn = await chain.middle.sync_from(chain.head_api)
    assert (first.counts.listed, added.counts.listed, withdrawn.counts.delisted) == (250, 1, 2)
