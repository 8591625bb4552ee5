"""The registries as they are now."""

import gc
import tempfile
import weakref
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import attrs
import pytest

from adapters.scratch.file import FileScratch
from application.cursor import ListFilters
from application.documents import Documents
from application.redactions import RedactionBook
from application.registries import Registries
from application.responses import joined
from application.served import LiveRegistry
from domain.asof import Asked, AtPosition, AtRecorded
from domain.errors import RegistryNotFoundError, StorageUnavailableError
from domain.events import DocumentRedacted
from domain.identifiers import DocumentHash
from domain.ports.scratch import ScratchFile
from tests.harness.clock import MICROSECOND
from tests.harness.sync_world import HeldSource, SyncWorld, loaded_world, server, synced_source


async def world_of(*registries: str) -> SyncWorld:
    """A world with these registries over one source that offers one server."""
    world = await loaded_world()
    await world.configure({name: ["main"] for name in registries})
    await world.syncer.sync(synced_source(HeldSource(server("a"))))
    return world


async def test_a_registry_is_composed_once_per_change() -> None:
    """The same object answers until something can be seen to have changed."""
    world = await world_of("default")
    source = synced_source(HeldSource(server("a"), server("b")))
    first = await world.registries.asked()
    assert await world.registries.asked("default") is first

    await world.syncer.sync(source)
    second = await world.registries.asked()
    assert second is not first
    assert second.index.server_versions == 2
    assert second.position == world.registries.live.changed_position

    await world.syncer.sync(source)
    assert world.registries.live.position > second.position
    assert await world.registries.asked() is second


async def test_many_who_ask_at_once_get_one() -> None:
    """Who comes while a registry is being composed waits for it."""
    world = await world_of("default")
    found: list[LiveRegistry] = []

    async def ask() -> None:
        found.append(await world.registries.asked())

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
    assert len(found) == 20
    assert all(version is found[0] for version in found)


async def test_a_registry_that_was_retired_is_let_go() -> None:
    """What is configured away does not stay in memory until the next start."""
    world = await world_of("x", "y")
    gone = weakref.ref((await world.registries.asked("x")).definition)
    await world.configure({"y": ["main"]})
    await world.registries.asked("y")
    gc.collect()
    assert gone() is None


async def test_registries_are_kept_apart() -> None:
    """Each name has its own version of the same entries."""
    world = await world_of("x", "y")
    x, y = await world.registries.asked("x"), await world.registries.asked("y")
    assert (x.definition.name, y.definition.name) == ("x", "y")
    assert x.index.server_versions == y.index.server_versions == 1
    assert await world.registries.asked("x") is x


async def test_the_default_registry_follows_the_configuration() -> None:
    """First the first, then the one that is named so; what is retired is gone."""
    world = await world_of("x", "y")
    assert (await world.registries.asked()).definition.name == "x"
    await world.configure({"x": ["main"], "default": ["main"]})
    assert (await world.registries.asked()).definition.name == "default"
    with pytest.raises(RegistryNotFoundError, match="default, x"):
        await world.registries.asked("y")


async def test_before_any_configuration_there_is_no_registry() -> None:
    """Neither a default one nor one of any name."""
    world = await loaded_world()
    for name in (None, "default"):
        with pytest.raises(RegistryNotFoundError, match="none yet"):
            await world.registries.asked(name)


async def test_every_registry_comes_in_the_order_of_the_configuration() -> None:
    """One that is configured away while they are composed is left out, and is no error."""
    world = await world_of("y", "default", "x")
    names = [found.definition.name for found in await world.registries.every()]
    assert names == ["y", "default", "x"]

    await world.syncer.sync(synced_source(HeldSource(server("b"))))
    found: list[LiveRegistry] = []

    async def ask() -> None:
        found.extend(await world.registries.every())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        await world.configure({"y": ["main"]})
    assert "y" in [version.definition.name for version in found]


async def test_a_position_is_resolved_once() -> None:
    """Neither what it stands for nor the configuration of then is ever another one; a time may
    come to be one of a later commit, so it is asked anew."""
    world = await world_of("default", "other")
    end = world.registries.live.position
    for name in (None, "default", "other"):
        for asked in (
            Asked(at=AtPosition(end)),
            Asked(at=AtPosition(end), effective_at=world.clock.at - timedelta(seconds=1)),
        ):
            first = await world.registries.past(name, asked)
            await world.syncer.sync(synced_source(HeldSource(server("b"))))
            assert await world.registries.past(name, asked) is first
            assert first.position == end
    by_time = Asked(at=AtRecorded(first.moment.commit.recorded_at))
    found = [await world.registries.past(None, by_time) for _ in range(2)]
    assert found[0] is not found[1]
    assert found[0].moment == found[1].moment


async def test_only_so_many_positions_are_remembered() -> None:
    """The oldest is forgotten first."""
    world = await world_of("default")
    end, at = world.registries.live.position, world.clock.at
    world.clock.at += timedelta(days=1)
    moments = [
        Asked(at=AtPosition(end), effective_at=at + number * MICROSECOND) for number in range(257)
    ]
    found = [await world.registries.past(None, asked) for asked in moments]
    assert await world.registries.past(None, moments[-1]) is found[-1]
    assert await world.registries.past(None, moments[1]) is found[1]
    assert await world.registries.past(None, moments[0]) is not found[0]


class CountedScratch:
    """ScratchPort that knows which of its files are still there."""

    def __init__(self) -> None:
        self.files = weakref.WeakSet[ScratchFile]()
        self.is_full = False

    def open(self) -> ScratchFile:
        if self.is_full:
            raise StorageUnavailableError("no room")
        file = FileScratch(Path(tempfile.gettempdir())).open()
        self.files.add(file)
        return file

    @property
    def kept(self) -> Sequence[ScratchFile]:
        """Those that somebody may still read."""
        gc.collect()
        return list(self.files)


def counted(world: SyncWorld) -> tuple[Registries, CountedScratch]:
    """The registries of a world with files of their own."""
    scratch = CountedScratch()
    documents = Documents(world.storage, lambda: world.projector.live.redactions)
    registries = Registries(world.projector, world.storage, documents, world.clock, scratch)
    return registries, scratch


async def test_what_was_redacted_is_in_no_file() -> None:
    """Neither the registry as it is now nor one of the past keeps a file that has the text."""
    world = await world_of("default")
    await world.syncer.sync(synced_source(HeldSource(server("a", description="hunter2"))))
    registries, scratch = counted(world)
    at = Asked(at=AtPosition(world.registries.live.position))
    past = await registries.past(None, at)
    await past.whole()
    await (await registries.asked()).whole()
    [served] = (await past.versions("io.example/a")).servers
    assert len(scratch.kept) == 2
    assert all(b"hunter2" in whole_file(file) for file in scratch.kept)

    redacted = DocumentRedacted(
        document_hash=DocumentHash(served.document_hash.hex()), reason="leak", redacted_by="ann"
    )
    await RedactionBook(world.storage, world.log).redact(redacted)
    await world.projector.catch_up()
    await (await registries.asked()).whole()
    await past.whole()
    assert len(scratch.kept) == 2
    assert not any(b"hunter2" in whole_file(file) for file in scratch.kept)


def whole_file(file: ScratchFile) -> bytes:
    """All that was ever appended."""
    return b"".join(file.read([(0, file.size)]))


async def test_a_file_is_left_when_most_of_it_is_served_no_longer() -> None:
    """Changes are appended, and yet no more than some times what is served takes room."""
    world = await world_of("default")
    registries, scratch = counted(world)
    for change in range(10):
        long = server("a", description=f"{change}" * 1_000_000)
        await world.syncer.sync(synced_source(HeldSource(long)))
        served = await (await registries.asked()).whole()
        assert len(scratch.kept) == 1
        assert served.response_bytes > 1_000_000
        assert served.responses.size < 24_000_000


async def test_a_registry_is_served_as_soon_as_there_is_room_for_it() -> None:
    """Without any change, and without a start."""
    registries, scratch = counted(await world_of("default"))
    scratch.is_full = True
    with pytest.raises(StorageUnavailableError):
        await registries.asked()
    scratch.is_full = False
    assert (await registries.asked()).index.server_versions == 1


async def test_an_outline_answers_as_the_whole_does() -> None:
    """Pages of a registry that is not laid down yet, and what changes while it is."""
    world = await world_of("default")
    outline = await world.registries.asked()
    whole = attrs.evolve(outline, index=await outline.whole(), is_whole=True)
    assert not outline.is_whole
    for page_of in (pages, versions):
        assert await page_of(outline) == await page_of(whole)


async def pages(registry: LiveRegistry) -> Sequence[bytes]:
    """What some lists say."""
    asked = (ListFilters(), ListFilters(version="latest"), ListFilters(search="a"))
    found = [await registry.page(filters, None, 1) for filters in asked]
    return [await joined(page.responses, page.servers) for page in found]


async def versions(registry: LiveRegistry) -> bytes:
    """What is said of one server."""
    page = await registry.versions("io.example/a")
    return await joined(page.responses, page.servers)


async def test_a_registry_that_changes_while_it_is_laid_down_goes_on_from_there() -> None:
    """What was made of the one before is not made again."""
    world = await world_of("default")
    registries = world.registries
    outline = await registries.asked()
    await world.syncer.sync(synced_source(HeldSource(server("a"), server("b"))))
    await registries.asked()
    index = await outline.whole()
    by_now = await registries.asked()
    assert by_now.is_whole
    assert by_now.index.responses is index.responses
    assert (index.server_versions, by_now.index.server_versions) == (1, 2)
