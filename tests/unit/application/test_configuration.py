"""What of a configuration comes into the log."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from adapters.storage.memory import MemoryStorage
from domain.errors import WrongExpectedVersionError
from domain.events import (
    DelistReason,
    EntryDelisted,
    RegistryDefined,
    RegistryRetired,
    SourceDefined,
    SourceRetired,
)
from domain.identifiers import RegistryName, SourceName
from domain.log import Appended, NewCommit
from tests.harness.clock import SteppingClock
from tests.harness.sync_world import (
    MAIN,
    HeldSource,
    SyncWorld,
    desired,
    loaded_world,
    server,
    synced_source,
)

OTHER = SourceName("other")
DEFAULT = RegistryName("default")


class OvertakenStorage:
    """A storage that lets others append first."""

    def __init__(self, *others: Callable[[], Awaitable[Any]]) -> None:
        self.storage = MemoryStorage(SteppingClock())
        self.others = [*others]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    async def append(self, commit: NewCommit) -> Appended:
        if self.others:
            await self.others.pop(0)()
        return await self.storage.append(commit)


async def _definitions(world: SyncWorld) -> tuple[set[str], set[str]]:
    definitions = (await world.projector.catch_up()).definitions
    return set(definitions.sources), set(definitions.registries)


async def test_a_first_configuration_defines_everything() -> None:
    """Sources and registries are recorded in one commit, sources first."""
    world = await loaded_world()
    wanted = desired({"default": ("main", "other"), "second": ("other",)})
    events = await world.configure({"default": ("main", "other"), "second": ("other",)})
    logged = await world.events()
    assert [event.event for event in logged] == [*events] == [*wanted.sources, *wanted.registries]
    assert len({event.commit_id for event in logged}) == 1
    assert await _definitions(world) == ({"main", "other"}, {"default", "second"})


@pytest.mark.parametrize("process", ["the same process", "a new process"])
async def test_the_same_configuration_again_records_nothing(process: str) -> None:
    """A restart with the same file leaves no trace."""
    world = await loaded_world()
    await world.configure({"default": ("main",)})
    before = await world.events()
    if process == "a new process":
        world = await loaded_world(world.storage)
    assert await world.configure({"default": ("main",)}) == ()
    assert await world.events() == before


async def test_an_empty_configuration_of_an_empty_log_records_nothing() -> None:
    """There is nothing to define and nothing to retire."""
    world = await loaded_world()
    assert await world.configure({}) == ()
    assert await world.events() == []


async def test_only_what_changed_is_redefined() -> None:
    """Other settings redefine their source, other sources their registry, nothing else."""
    world = await loaded_world()
    await world.configure({"default": ("main", "other")})
    (source,) = await world.configure({"default": ("main", "other")}, main="moved")
    assert isinstance(source, SourceDefined)
    assert (source.name, source.settings_hash) == (MAIN, "moved")
    (registry,) = await world.configure({"default": ("other", "main")}, main="moved")
    assert registry == RegistryDefined(name=DEFAULT, sources=(OTHER, MAIN), rank=0)


async def test_a_redefined_source_keeps_its_catalog() -> None:
    """What a source offered stands until a sync finds out something else."""
    world = await loaded_world()
    await world.configure({"default": ("main",)})
    await world.syncer.sync(synced_source(HeldSource(server("a"))))
    await world.configure({"default": ("main",)}, main="moved")
    assert await world.offered() == {"a@1.0.0"}


async def test_a_retired_source_delists_all_it_offered() -> None:
    """The commit that retires a source also says why its entries are gone, in order of keys."""
    world = await loaded_world()
    await world.configure({"default": ("main", "other")})
    for offered in (["b"], ["b", "a"]):
        await world.syncer.sync(synced_source(HeldSource(*map(server, offered))))
    synced = await world.syncer.sync(synced_source(HeldSource(server("c")), OTHER))
    await world.configure({"default": ("other",)})
    logged = await world.events(after=synced.position)
    assert len({event.commit_id for event in logged}) == 1
    retired, _, *delisted = [event.event for event in logged]
    assert retired == SourceRetired(name=MAIN)
    assert [
        (event.key.name, event.reason) for event in delisted if isinstance(event, EntryDelisted)
    ] == [(f"io.example/{name}", DelistReason.SOURCE_RETIRED) for name in "ab"]
    assert len(delisted) == 2
    assert (await world.offered(), await world.offered(OTHER)) == (set(), {"c@1.0.0"})


async def test_registries_retire_before_their_sources() -> None:
    """No registry is ever of a source that is gone."""
    world = await loaded_world()
    await world.configure({"default": ("main",)})
    assert await world.configure({}) == (RegistryRetired(name=DEFAULT), SourceRetired(name=MAIN))
    assert await _definitions(world) == (set(), set())


async def test_a_source_that_comes_back_is_read_anew() -> None:
    """Nothing of the syncs before it was retired says that it need not be read."""
    world, port = await loaded_world(), HeldSource(server("a"))
    await world.configure({"default": ("main",)})
    await world.syncer.sync(synced_source(port))
    await world.configure({})
    await world.configure({"default": ("main",)})
    await world.syncer.sync(synced_source(port))
    assert port.asked == [None, None]
    assert await world.offered() == {"a@1.0.0"}


@pytest.mark.parametrize("settings_hash", ["as before", "other"])
async def test_a_source_that_retires_while_it_is_synced_is_read_anew_too(
    settings_hash: str,
) -> None:
    """A sync that found nothing new, and comes too late, does not keep the source empty."""
    storage = OvertakenStorage()
    world, rival = await loaded_world(storage), await loaded_world(storage.storage)
    port = HeldSource(server("a"))
    await world.configure({"default": ("main",)})
    await world.syncer.sync(synced_source(port, settings_hash="as before"))
    storage.others = [lambda: rival.configure({})]
    await world.syncer.sync(synced_source(port, settings_hash=settings_hash))
    assert storage.others == []
    await world.configure({"default": ("main",)})
    await world.syncer.sync(synced_source(port, settings_hash=settings_hash))
    assert await world.offered() == {"a@1.0.0"}


async def test_a_configuration_that_was_overtaken_is_compared_again() -> None:
    """Where another process configured meanwhile, the difference is to what that left."""
    storage = OvertakenStorage()
    world, rival = await loaded_world(storage), await loaded_world(storage.storage)
    storage.others = [lambda: rival.configure({"default": ("main",)})]
    (source, registry) = await world.configure({"default": ("main", "other")})
    assert isinstance(source, SourceDefined)
    assert source.name == OTHER
    assert registry == RegistryDefined(name=DEFAULT, sources=(MAIN, OTHER), rank=0)


async def test_a_source_that_is_synced_while_it_retires_leaves_nothing() -> None:
    """Entries that another process listed at the last moment are delisted too."""
    storage = OvertakenStorage()
    world, rival = await loaded_world(storage), await loaded_world(storage.storage)
    port = HeldSource(server("a"))
    await world.configure({"default": ("main",)})
    await world.syncer.sync(synced_source(port))
    port.offer(server("a"), server("b"))
    storage.others = [lambda: rival.syncer.sync(synced_source(port))]
    await world.configure({})
    assert await world.offered() == set()


async def test_a_configuration_that_is_overtaken_again_and_again_is_an_error() -> None:
    """Two programs that configure the same log differently do not fight for ever."""
    storage = OvertakenStorage()
    world, rival = await loaded_world(storage), await loaded_world(storage.storage)
    storage.others = [
        lambda name=name: rival.configure({name: ("main",)}) for name in ("a", "b", "c")
    ]
    with pytest.raises(WrongExpectedVersionError):
        await world.configure({"default": ("main",)})
    assert await _definitions(world) == ({"main"}, {"c"})
