"""The configuration is changed while Annals runs. No test here waits for time to pass."""

import itertools
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from domain.errors import StorageUnavailableError
from domain.ports.lease import LeasePort
from entrypoints.config import Config, ServerConfig, StorageConfig, load
from entrypoints.container import Container, configured_webhooks, opened, synced_sources
from entrypoints.reload import LOOK_SECONDS, LiveConfiguration, restart_keys
from entrypoints.running import prepare
from entrypoints.settings import Settings

BOTH = """
sources:
  - {name: a, file: {path: a.json}}
  - {name: b, file: {path: b.json}}
storage: {type: memory}
"""
ONLY_A = BOTH.replace("  - {name: b, file: {path: b.json}}\n", "")


@attrs.define
class World:
    """Annals at work over a configuration file. `look` lets it look at the file once more."""

    container: Container
    configuration: LiveConfiguration
    file: Path
    sleeps: list[float]
    look: Callable[[], Awaitable[None]]

    @property
    def sources(self) -> dict[str, Any]:
        """The sources that are synced, by name."""
        return {**self.container.scheduler().sources}

    @property
    def recorded(self) -> set[str]:
        """The sources that are configured, as the log has it."""
        return {**self.container.projector().live.definitions.sources}.keys()


@asynccontextmanager
async def at_work(
    directory: Path, written: str | None = BOTH, lease: LeasePort | None = None
) -> AsyncIterator[World]:
    """Annals over this configuration, or over the example; nothing sleeps longer than told.

    It holds the lease, unless it is to wait for that one.
    """
    for name in ("a", "b", "c"):
        server = {"name": f"io.example/{name}", "version": "1.0.0", "description": "Does things."}
        (directory / f"{name}.json").write_text(json.dumps([server]))
    file = directory / "annals.yaml"
    file.write_text(written or ONLY_A)
    settings = Settings(
        config=load(file), config_file=file if written else None, data_dir=directory / "data"
    )
    wake, sleeps = anyio.Semaphore(0), list[float]()

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        await wake.acquire()

    async def look() -> None:
        before = len(sleeps)
        wake.release()
        await until(lambda: len(sleeps) > before)

    async with opened(settings.config, settings.data_dir) as container:
        await prepare(container, settings)
        configuration = LiveConfiguration(container, settings, sleep=sleep)
        async with anyio.create_task_group() as tasks:
            sources = synced_sources(settings.config, settings.data_dir)
            await tasks.start(container.scheduler().run, sources)
            webhooks = configured_webhooks(settings.config, container.clock())
            await tasks.start(container.webhooks().run, webhooks)
            await tasks.start(configuration.follow)
            tasks.start_soon(container.duty().run, lease or container.lease(), configuration.begin)
            if not lease:
                await container.duty().begun()
            if written:
                await until(lambda: sleeps)
            yield World(container, configuration, file, sleeps, look)
            tasks.cancel_scope.cancel()


async def until(happens: Callable[[], object]) -> None:
    """Let all others go on until it is so."""
    with anyio.fail_after(10):
        while not happens():  # noqa: ASYNC110  # a thread may have to go on
            await anyio.sleep(0.001)


class TakenLease:
    """A lease that somebody else has until it is `free`."""

    def __init__(self) -> None:
        self.free = anyio.Event()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        await self.free.wait()
        yield


async def test_what_has_changed_is_recorded_by_the_process_that_syncs(tmp_path: Path) -> None:
    """The others know it too, and record it when they are the ones that sync."""
    lease = TakenLease()
    async with at_work(tmp_path, lease=lease) as world:
        world.file.write_text(ONLY_A)
        assert await world.configuration.reload()
        assert (world.sources.keys(), world.recorded) == ({"a"}, {"a", "b"})
        lease.free.set()
        await world.container.duty().begun()
        assert world.sources.keys() == {"a"} == world.recorded


async def test_a_changed_file_is_taken_over_when_it_has_settled(tmp_path: Path) -> None:
    """Not at the first look that shows the change: it may be half written. What has not changed
    is the same source as before."""
    async with at_work(tmp_path) as world:
        await world.look()
        await world.look()
        before = world.sources
        world.file.write_text(
            ONLY_A.replace("a.json}}", "a.json}}\n  - {name: c, file: {path: c.json}}")
        )
        await world.look()
        assert world.sources == before
        await world.look()
        assert world.sources.keys() == {"a", "c"} == world.recorded
        assert world.sources["a"] is before["a"]
        assert set(world.sleeps) == {LOOK_SECONDS}


async def test_a_file_that_changed_before_the_first_look_is_taken_over(tmp_path: Path) -> None:
    """Between its first reading and the first look there may be a long start."""
    async with at_work(tmp_path) as world:
        world.file.write_text(ONLY_A)
        await world.look()
        await world.look()
        assert world.sources.keys() == {"a"} == world.recorded


async def test_a_mount_of_kubernetes_is_followed(tmp_path: Path) -> None:
    """There a file is a link to a file in a directory that is a link that is replaced."""
    for number, written in enumerate((BOTH, ONLY_A)):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "annals.yaml").write_text(written)
    async with at_work(tmp_path) as world:
        (tmp_path / "..data").symlink_to("..0")
        world.file.unlink()
        world.file.symlink_to("..data/annals.yaml")
        await world.look()
        await world.look()
        before = world.sources
        (tmp_path / "..new").symlink_to("..1")
        (tmp_path / "..new").rename(tmp_path / "..data")
        await world.look()
        await world.look()
        assert before.keys() == {"a", "b"}
        assert world.sources.keys() == {"a"}


@pytest.mark.parametrize(
    "change", ["filter: {names: {exclude: [x]}}", "syncPolicy: {interval: 1h}"]
)
async def test_a_source_with_other_settings_begins_anew(tmp_path: Path, change: str) -> None:
    """It has another filter or interval; its neighbour has not noticed."""
    async with at_work(tmp_path) as world:
        before = world.sources
        world.file.write_text(BOTH.replace("{path: a.json}", "{path: a.json}, " + change))
        assert await world.configuration.reload()
        assert world.sources["a"] != before["a"]
        assert world.sources["b"] is before["b"]


@pytest.mark.parametrize("broken", ["sources: [", "", "sources: []\nstorge: {}\n", None])
async def test_a_broken_file_changes_nothing_and_is_told(
    tmp_path: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """All its problems are logged and reported until it is mended, also that it is gone."""
    async with at_work(tmp_path) as world:
        before, report = world.sources, world.configuration.report
        if broken is None:
            world.file.unlink()
        else:
            world.file.write_text(broken)
        await world.look()
        await world.look()
        problem = world.configuration.report.problem
        assert problem
        assert "annals.yaml" in problem
        assert problem in caplog.text
        assert (world.sources, world.recorded) == (before, {"a", "b"})
        assert world.configuration.report.loaded_at == report.loaded_at
        told = len(caplog.records)
        await world.look()
        assert len(caplog.records) == told
        world.file.write_text(ONLY_A)
        await world.look()
        await world.look()
        assert world.configuration.report.problem is None
        assert world.configuration.report.loaded_at > report.loaded_at
        assert world.recorded == {"a"}


async def test_what_cannot_be_recorded_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while; until then the sources are those they were."""
    async with at_work(tmp_path) as world:
        storage, before = world.container.storage(), world.sources

        async def append(*_: Any) -> Any:
            raise StorageUnavailableError("the disk is full")

        world.file.write_text(ONLY_A)
        with monkeypatch.context() as patch:
            patch.setattr(storage, "append", append)
            await world.look()
            await world.look()
            problem = world.configuration.report.problem
            assert problem == "it could not be recorded: the disk is full"
            assert world.sources == before
            assert world.recorded == {"a", "b"}
            assert world.sleeps[-1] > LOOK_SECONDS
        await world.look()
        await world.look()
        assert world.configuration.report.problem is None
        assert world.sources.keys() == {"a"} == world.recorded


async def test_a_defect_does_not_end_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told as what it is."""
    async with at_work(tmp_path) as world:
        monkeypatch.setattr("entrypoints.reload.synced_source", lambda *_: 1 / 0)
        world.file.write_text(BOTH.replace("path: a.json", "path: c.json"))
        assert await world.configuration.reload()
        assert "please report it" in str(world.configuration.report.problem)
        assert "ZeroDivisionError" in caplog.text
        assert world.recorded == {"a", "b"}


async def test_a_retired_source_has_no_status(tmp_path: Path) -> None:
    """Its sync has ended before, so it has none afterwards either."""
    async with at_work(tmp_path) as world:
        await until(lambda: not world.container.scheduler().unattempted())
        assert (await world.container.status().load()).keys() == {"a", "b"}
        world.file.write_text(ONLY_A)
        await world.configuration.reload()
        assert (await world.container.status().load()).keys() == {"a"}


async def test_a_signal_reloads_at_once(tmp_path: Path) -> None:
    """SIGHUP does not wait for a look at the file."""
    async with at_work(tmp_path) as world:
        world.file.write_text(ONLY_A)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: world.recorded == {"a"})
        assert len(world.sleeps) == 1


async def test_without_a_file_a_signal_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The embedded example is always the same."""
    caplog.set_level("INFO")
    async with at_work(tmp_path, None) as world:
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "no configuration file was named" in caplog.text)
        assert world.sleeps == []
        assert world.configuration.report.file is None


def test_beside_the_main_thread_only_the_file_is_followed(tmp_path: Path) -> None:
    """Signals cannot be taken there."""
    done: list[set[str]] = []

    async def work() -> None:
        async with at_work(tmp_path) as world:
            world.file.write_text(ONLY_A)
            await world.look()
            await world.look()
            done.append(set(world.recorded))

    thread = threading.Thread(target=lambda: anyio.run(work))
    thread.start()
    thread.join(10)
    assert done == [{"a"}]


async def test_webhooks_are_taken_over(tmp_path: Path) -> None:
    """New ones begin, those that are gone end, and one that is as it was is not touched."""
    hook = "  - {name: NAME, url: 'http://127.0.0.1:9/', secretFile: secret}\n"
    async with at_work(tmp_path, ONLY_A) as world:
        await until(lambda: not world.container.scheduler().unattempted())  # nothing more to tell
        webhooks = world.container.webhooks()
        seen = []
        for names in ("xy", "yz", ""):
            listed = "".join(hook.replace("NAME", name) for name in names)
            world.file.write_text(ONLY_A + ("webhooks:\n" + listed if names else ""))
            assert await world.configuration.reload()
            seen.append({one.webhook.name: one for one in await webhooks.overviews()})
        assert [list(overviews) for overviews in seen] == [["x", "y"], ["y", "z"], []]
        assert seen[0]["y"].progress is seen[1]["y"].progress


async def test_what_needs_a_restart_keeps_its_value_and_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The rest of the file is taken over; as long as it differs it is named at each reload."""
    async with at_work(tmp_path) as world:
        world.file.write_text(ONLY_A + "server: {address: ':9', drain: 1m}\n")
        for _ in range(2):
            caplog.clear()
            assert await world.configuration.reload()
            assert "server.address, server.drain keep their values until a restart" in caplog.text
        assert world.recorded == {"a"}


def test_keys_that_need_a_restart() -> None:
    """All but sources, registries and webhooks, each by its name."""
    before = Config(sources=(), registries=())
    others = {
        "storage.path": attrs.evolve(before, storage=StorageConfig(path="x")),
        "server.grace": attrs.evolve(before, server=ServerConfig(grace_seconds=1)),
    }
    assert restart_keys(before, before) == []
    for (key, after), (other_key, _) in itertools.permutations(others.items(), 2):
        assert restart_keys(before, after) == [key] != [other_key]
