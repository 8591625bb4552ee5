"""Who follows the changes has the registry, and a diff is all that lies between two moments."""

import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.storage.memory import MemoryStorage
from adapters.storage.sqlite import SqliteStorage
from application.change_details import ALL_CLASSES, SHOWN, ServerChange
from application.change_feed import BEGINNING, ChangeFeed, Mark, parse_mark
from application.change_rendering import change_json
from application.documents import Documents
from application.redactions import RedactionBook
from application.registry_diff import RegistryDiff
from application.rendering import server_response
from application.served import PastRegistry
from domain.asof import NOW, Asked, AtPosition
from domain.change import ChangeClass
from domain.composition import RegistryEntry
from domain.errors import NothingInEffectError, RegistryNotFoundError
from domain.events import DocumentRedacted
from domain.guards import Guards
from domain.identifiers import EntryKey, EntryName, Position, SourceName
from domain.ports.storage import StoragePort
from tests.harness.checkers import check_followable
from tests.harness.clock import START, SteppingClock
from tests.harness.feed_reader import Key, Reader
from tests.harness.live_view import all_entries, stored_catalogs
from tests.harness.new_commits import collect
from tests.harness.sync_world import (
    HeldSource,
    SyncWorld,
    enveloped,
    loaded_world,
    server,
    synced_source,
)

STEPS = 25
SOURCES = tuple(map(SourceName, ("one", "two", "three")))
NAMES, VERSIONS = ("a", "b", "b!", "zé😀"), ("1.0.0", "1.1.0", "2.0.0", "snapshot")
STATUSES = [{}, {}, {}, {"status": "deprecated", "statusMessage": "moved"}, {"status": "deleted"}]
ORDERS = [
    {"default": SOURCES},
    {"default": SOURCES[:2], "other": SOURCES[::-1]},
    {"default": SOURCES[1::-1], "other": SOURCES[2:]},
    {"other": SOURCES[1:], "default": SOURCES[2:]},
]
LIMITS = (1, 2, 7, 100)
SOME_CLASSES = [
    SHOWN,
    frozenset({ChangeClass.EXECUTION}),
    frozenset({ChangeClass.POPULARITY, ChangeClass.LIFECYCLE}),
    frozenset({ChangeClass.CAPABILITY}),
]


@attrs.define
class World:
    """Sources that change at random, registries over them, and who reads the changes."""

    random: random.Random
    world: SyncWorld
    ports: dict[SourceName, HeldSource]
    marks: dict[str, Mark] = attrs.field(factory=dict)

    @property
    def documents(self) -> Documents:
        """Read anew."""
        return Documents(self.world.storage)

    @property
    def feed(self) -> ChangeFeed:
        """One that was made just now: nothing is remembered from one page to the next."""
        return ChangeFeed(self.world.storage, self.world.registries, self.documents)

    @property
    def diff(self) -> RegistryDiff:
        return RegistryDiff(self.world.storage, self.documents)

    async def step(self) -> None:
        """A source offers something else, the configuration does, or a document is redacted."""
        happens = self.random.random()
        if happens < 0.2:
            await self.world.configure(self.random.choice(ORDERS))
        elif happens < 0.3:
            await self.redact()
        else:
            await self._sync()

    async def redact(self) -> None:
        catalogs = (await stored_catalogs(self.world.storage)).values()
        hashes = sorted({each.document_hash for one in catalogs for each in one.entries()})
        if hashes:
            event = DocumentRedacted(
                document_hash=self.random.choice(hashes), reason="a court", redacted_by="someone"
            )
            await RedactionBook(self.world.storage, self.world.log).redact(event)
            await self.world.projector.catch_up()

    async def _sync(self) -> None:
        configured = sorted(self.world.projector.live.definitions.sources)
        source = self.random.choice(configured)
        self.ports[source].offer(*self._offer())
        self.ports[source].details = {"effective_at": self._long_ago()}
        guards = Guards(allow_empty=True, max_removal=1.0)
        synced = synced_source(self.ports[source], source, guards=guards)
        outcome = await self.world.syncer.sync(synced)
        assert outcome.completed, outcome.failed
        assert not outcome.completed.rejected, outcome.completed.rejected

    def _long_ago(self) -> datetime:
        return START - timedelta(days=self.random.randrange(100))

    def _offer(self) -> Sequence[Mapping[str, Any]]:
        keys = [(name, version) for name in NAMES for version in VERSIONS]
        chosen = self.random.sample(keys, self.random.choice([0, 1, 4, 8]))
        return [self._document(name, version) for name, version in sorted(chosen)]

    def _document(self, name: str, version: str) -> Mapping[str, Any]:
        image = f"ghcr.io/example/{self.random.choice('xy')}:{version}"
        package = {"registryType": "oci", "identifier": image, "transport": {"type": "stdio"}}
        stars = {"stars": self.random.randrange(3)}
        publisher = {"io.modelcontextprotocol.registry/publisher-provided": stars}
        described = self.random.choice(["Does things.", "Does more."])
        document = server(name, version, packages=[package], description=described, _meta=publisher)
        return enveloped(document, **self.random.choice(STATUSES))

    async def read(self, reader: Reader, registry: str) -> bool:
        """Read a page, be killed somewhere in it; True where the end of the log was reached."""
        limit = self.random.choice(LIMITS)
        page = await self.feed.page(registry, self.marks.get(registry, BEGINNING), limit)
        assert len(page.changes) <= limit
        taken = self.random.randint(0, len(page.changes))
        for change in page.changes[:taken]:
            self.marks[registry] = parse_mark(reader.take(told(change)).id)
        if taken < len(page.changes):
            return False
        self.marks[registry] = page.next
        return page.is_last

    async def all_changes(self, registry: str) -> Sequence[ServerChange]:
        page = await self.feed.page(registry, BEGINNING, 10**6)
        assert page.is_last
        return page.changes

    async def entries(self, registry: str, asked: Asked = NOW) -> dict[Key, bytes]:
        """Everything in a registry as its lists have it, deleted versions too."""
        served = await all_entries(await self.world.registries.past(registry, asked))
        bodies = await self.documents.bodies_or_redactions(served)
        return {
            each.entry.key.sort_key: server_response(each, body)
            for each, body in zip(served, bodies, strict=True)
        }

    async def ends(self) -> Sequence[Position]:
        """Where each commit ends."""
        return [commit.last_position for commit in await collect(self.world.storage.commits())]

    async def past(
        self, registry: str, position: Position, effective_at: datetime | None = None
    ) -> PastRegistry:
        asked = Asked(at=AtPosition(position), effective_at=effective_at)
        return await self.world.registries.past(registry, asked)

    async def any_past(self) -> PastRegistry:
        """A registry of any moment that it was there at, in one of both times."""
        while True:
            registry = self.random.choice(["default", "default", "other"])
            effective_at = self.random.choice([None, None, self._long_ago()])
            with suppress(RegistryNotFoundError, NothingInEffectError):
                return await self.past(
                    registry, self.random.choice(await self.ends()), effective_at
                )


@pytest.fixture(params=[(0, False), (1, False), (2, False), (3, True)], ids=str)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A world in which little has happened, out of a seed, in memory or in a file."""
    seed, in_file = request.param
    clock = SteppingClock()
    storage: StoragePort = (
        await SqliteStorage.open(tmp_path / "annals.db", clock) if in_file else MemoryStorage(clock)
    )
    made = World(
        random=random.Random(seed),
        world=await loaded_world(storage),
        ports={source: HeldSource() for source in SOURCES},
    )
    await made.world.configure(ORDERS[1])
    yield made
    await storage.close()


async def grow(world: World) -> None:
    """Let more happen, and both registries be there in the end."""
    for _ in range(STEPS):
        await world.step()
    await world.world.configure(ORDERS[2])
    assert len(await world.all_changes("default")) > STEPS


async def test_a_reader_that_is_killed_and_resumed_has_the_live_registry(world: World) -> None:
    """Byte for byte, whatever page it died in, and while the log grows."""
    readers = {registry: Reader() for registry in ("default", "other")}
    for _ in range(STEPS):
        await world.step()
        for registry, reader in readers.items():
            if registry in world.world.projector.live.definitions.registries:
                await world.read(reader, registry)
    await world.world.configure(ORDERS[1])
    for _ in range(3):
        for registry, reader in readers.items():
            while not await world.read(reader, registry):
                pass
            assert reader.entries == await world.entries(registry)
        await world.redact()


async def test_a_reader_that_stops_has_the_past_registry(world: World) -> None:
    """All changes up to a position, as a change tells it, are the registry at that position."""
    await grow(world)
    for registry in ("default", "other"):
        listed: dict[Position, dict[Key, bytes]] = {}
        for end in await world.ends():
            listed[end] = {}
            with suppress(RegistryNotFoundError):
                listed[end] = await world.entries(registry, Asked(at=AtPosition(end)))
        check_followable(map(told, await world.all_changes(registry)), listed)


async def test_the_feed_up_to_a_position_is_what_it_was_then(world: World) -> None:
    """It ends with that commit, and has the same changes before."""
    await grow(world)
    everything = [told(change) for change in await world.all_changes("default")]
    for end in (await world.ends())[::3]:
        page = await world.feed.page("default", BEGINNING, 10**6, upto=end)
        assert (page.is_last, page.next, page.position) == (True, Mark(end), end)
        assert [told(each) for each in page.changes] == everything[: len(page.changes)]
        assert all(json.loads(each)["position"] > end for each in everything[len(page.changes) :])


def told(change: ServerChange) -> bytes:
    return change_json(change, ALL_CLASSES, with_entries=True)


@pytest.mark.parametrize("limit", LIMITS)
async def test_classes_lose_no_change(world: World, limit: int) -> None:
    """Pages of some classes are the changes of these classes, in order, each once."""
    await grow(world)
    everything = await world.all_changes("default")
    for classes in SOME_CLASSES:
        found, mark, is_last = list[ServerChange](), BEGINNING, False
        while not is_last:
            page = await world.feed.page("default", mark, limit, classes)
            assert len(page.changes) <= limit
            found += page.changes
            mark, is_last = page.next, page.is_last
        assert found == [
            change for change in everything if change.redacted or change.classes & classes
        ]


async def test_a_history_is_the_feed_of_one_name(world: World) -> None:
    """The same changes under the same ids, in pages too."""
    await grow(world)
    for registry in ("default", "other"):
        everything = await world.all_changes(registry)
        for name in {change.name for change in everything}:
            expected = [change for change in everything if change.name == name]
            page = await world.feed.history(registry, name, BEGINNING, 1000)
            assert (page.changes, page.is_last) == (expected, True)
            middle = parse_mark(expected[len(expected) // 2].mark)
            rest = await world.feed.history(registry, name, middle, 1000)
            assert rest.changes == expected[len(expected) // 2 + 1 :]


async def test_the_last_changes_are_the_end_of_the_feed(world: World) -> None:
    """Backwards, as many as are asked for; those of one position in any order."""
    await grow(world)
    for classes in (ALL_CLASSES, SHOWN):
        for end in (await world.ends())[::9]:
            feed = await world.feed.page("default", BEGINNING, 10**6, classes, upto=end)
            for limit in (2, 30):
                latest = await world.feed.latest("default", limit, classes, upto=end)
                assert list(latest) == list(reversed(feed.changes))[:limit]


async def test_a_diff_is_what_a_naive_comparison_finds(world: World) -> None:
    """In both directions and times, between moments and registries, in pages as in one."""
    await grow(world)
    for _ in range(20):
        old, new = await world.any_past(), await world.any_past()
        found = await world.diff.page(old, new, None, 10**6)
        assert found.next is None
        assert [compared(change) for change in found.changes] == await naive_diff(old, new)
        assert await paged(world, old, new) == found.changes
        assert await world.diff.everything(old, new) == found.changes


async def test_the_short_cut_and_the_walk_agree(world: World) -> None:
    """A registry whose definition differs by nothing that matters is walked, and tells the same."""
    await grow(world)
    ends = await world.ends()
    for _ in range(12):
        old, new = [await world.past("default", each) for each in world.random.sample(ends, 2)]
        other_rank = attrs.evolve(new.definition, rank=9)
        walked = attrs.evolve(new, sources=attrs.evolve(new.sources, definition=other_rank))
        short = await world.diff.page(old, new, None, 1000)
        assert await world.diff.page(old, walked, None, 1000) == short


async def paged(world: World, old: PastRegistry, new: PastRegistry) -> Sequence[ServerChange]:
    """All pages, one after the other."""
    found, after, limit = list[ServerChange](), None, world.random.choice(LIMITS)
    while True:
        page = await world.diff.page(old, new, after, limit)
        assert len(page.changes) <= limit
        found += page.changes
        if (after := page.next) is None:
            return found


Compared = tuple[EntryName, list[tuple[EntryKey, RegistryEntry | None, RegistryEntry | None]]]


def compared(change: ServerChange) -> Compared:
    """What a change says about each version."""
    pairs = [(each.comparison.before, each.comparison.after) for each in change.versions]
    return change.name, [((new or old).entry.key, old, new) for old, new in pairs]  # type: ignore[union-attr]


async def naive_diff(old: PastRegistry, new: PastRegistry) -> list[Compared]:
    """Both registries whole, side by side."""
    before, after = [
        {each.entry.key: each for each in await all_entries(registry)} for registry in (old, new)
    ]
    found: dict[EntryName, Any] = {}
    for key in sorted(before.keys() | after.keys(), key=lambda key: key.sort_key):
        if before.get(key) != after.get(key):
            pair = (key, before.get(key), after.get(key))
            found.setdefault(key.entry_name, []).append(pair)
    return list(found.items())
