"""Whatever goes wrong with a source harms nothing that is served, and is over when it is over."""

import inspect
import re
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import attrs
import pytest

from adapters.sources.git import GitSettings
from application.event_log import sync_stream
from application.sync import SyncedSource, SyncOutcome
from domain.events import SyncCompleted, SyncFailed, SyncStage
from domain.identifiers import SourceName
from domain.ports.source import SourcePort
from domain.ports.status import SyncPhase
from tests.harness.certificates import make_certificate
from tests.harness.fault_places import PLACES, Place, Setting, registry_file
from tests.harness.faults import FAULTS, Fault
from tests.harness.git_repository import GitRepository
from tests.harness.git_sources import git_source
from tests.harness.hostile_server import HostileServer, hostile_server, says_nothing
from tests.harness.strikes import MIB, OTHER_HOST, VICTIM, better, good
from tests.harness.sync_world import (
    MAIN,
    HeldSource,
    SyncWorld,
    loaded_world,
    server,
    synced_source,
)

HEALTHY = SourceName("healthy")
IMPATIENT_SECONDS = 0.2
PATIENT_SECONDS = 20.0
CLOCK = "a clock that jumps"

CASES = [
    pytest.param(fault, kind, id="-".join(filter(None, (kind, fault.row, fault.variant))))
    for fault in FAULTS
    for kind in fault.told
]


@attrs.frozen(kw_only=True)
class Scene:
    """A source that was synced while all was well, and a healthy one beside it."""

    world: SyncWorld
    place: Place
    server: HostileServer
    main: SyncedSource
    beside: HeldSource

    async def sync(self) -> SyncOutcome:
        """Sync the source that things happen to."""
        return await self.world.syncer.sync(self.main)

    async def sync_both(self) -> tuple[SyncOutcome, ...]:
        """Sync it while the healthy one has something new: the outcomes as they come."""
        self.beside.offer(server("beside"), server("news"))
        outcomes: list[SyncOutcome] = []

        async def run(source: SyncedSource) -> None:
            outcomes.append(await self.world.syncer.sync(source))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, self.main)
            tasks.start_soon(run, synced_source(self.beside, HEALTHY))
        assert await self.world.offered(HEALTHY) == {"beside@1.0.0", "news@1.0.0"}
        return tuple(outcomes)


@asynccontextmanager
async def scene_of(fault: Fault, kind: str, folder: Path) -> AsyncIterator[Scene]:
    """Both sources are synced, and listed."""
    certificate = make_certificate(folder, "authority") if fault.tls else None
    async with hostile_server(certificate) as hostile:
        setting = Setting(
            folder=folder,
            server=hostile,
            host=fault.host,
            authority=certificate and certificate.file,
            timeout_seconds=IMPATIENT_SECONDS if fault.hangs else PATIENT_SECONDS,
        )
        async with PLACES[kind](setting) as place:
            place.offer(good(place))
            scene = Scene(
                world=await loaded_world(),
                place=place,
                server=hostile,
                main=synced_source(place.open(), location=place.where),
                beside=HeldSource(server("beside")),
            )
            await scene.world.configure({"main": [MAIN], "healthy": [HEALTHY]})
            outcome = await scene.sync()
            assert outcome.completed, outcome.failed
            yield scene


@contextmanager
def bounded(peak_mib: int | None) -> Iterator[None]:
    """What happens within takes no more memory than this."""
    if peak_mib is None:
        yield
        return
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < peak_mib * MIB


@pytest.mark.parametrize(("fault", "kind"), CASES)
async def test_fault(fault: Fault, kind: str, tmp_path: Path) -> None:
    """It is told, nothing served changes, others sync on time, and it passes without a restart."""
    async with scene_of(fault, kind, tmp_path) as scene:
        served = await scene.world.answer("main")
        if fault.stage is SyncStage.FETCH:  # what has not changed would not be asked for
            scene.place.offer(better(scene.place))
        struck = fault.strike(scene.place, scene.server)
        if inspect.isawaitable(struck):
            await struck
        with bounded(fault.peak_mib):
            outcomes = await scene.sync_both()
        assert not fault.hangs or outcomes[0].source == HEALTHY
        await assert_told(scene, fault, fault.told[kind])
        assert await scene.world.answer("main") == served
        await scene.server.behave()
        scene.place.offer(better(scene.place))
        outcome = await scene.sync()
        assert outcome.completed, outcome.failed
        assert outcome.completed.rejected == ()
        assert len(await scene.world.offered()) == len(better(scene.place))
        if fault.host != OTHER_HOST:
            assert_kept_secret(scene)


async def assert_told(scene: Scene, fault: Fault, told: str) -> None:
    """The log and the status say what happened, and where."""
    events = await scene.world.events()
    last = next(e.event for e in reversed(events) if e.stream == sync_stream(MAIN))
    status = (await scene.world.status.load())[MAIN]
    if fault.stage is None:
        assert isinstance(last, SyncCompleted), last
        assert status.phase is SyncPhase.COMPLETE
        reasons = {r.name.rpartition("/")[2]: r.reason for r in last.rejected}
        assert reasons.keys() == ({VICTIM} if fault.rejects else set())
        said = " ".join((*reasons.values(), *last.notes))
    else:
        assert isinstance(last, SyncFailed), last
        assert last.stage is fault.stage
        assert (status.phase, status.message) == (SyncPhase.FAILED, last.reason)
        said = last.reason
        assert fault.stage is SyncStage.GUARD or scene.place.where in said
    assert re.search(told, said), said


def assert_kept_secret(scene: Scene) -> None:
    """Nobody else was told the credentials."""
    elsewhere = [r for r in scene.server.requests if r.headers["host"].startswith(OTHER_HOST)]
    assert not any("authorization" in request.headers for request in elsewhere)


async def test_many_that_hang_delay_nobody(tmp_path: Path) -> None:
    """However many sources wait for their servers at once, others are synced meanwhile."""
    names = [SourceName(f"git-{number}") for number in range(20)]
    world = await loaded_world()
    await world.configure({"main": [*names, HEALTHY]})
    ended: list[SourceName] = []

    async def run(name: SourceName, port: SourcePort) -> None:
        ended.append((await world.syncer.sync(synced_source(port, name))).source)

    async with hostile_server() as hostile:
        setting = Setting(folder=tmp_path, server=hostile, timeout_seconds=PATIENT_SECONDS)
        async with PLACES["git"](setting) as place, anyio.create_task_group() as tasks:
            hostile.misbehave(says_nothing)
            beside = GitRepository(tmp_path / "beside")
            beside.commit({"registry.json": registry_file(good(place))})
            healthy = git_source(beside.path, tmp_path / "cache")
            for name in names:
                there = attrs.evolve(place.open().settings, repository=hostile.url(f"/{name}"))
                tasks.start_soon(run, name, attrs.evolve(place.open(), settings=there, attempts=1))
            with anyio.fail_after(PATIENT_SECONDS / 2):
                await hostile.until_asked(len(names))
                await run(HEALTHY, healthy)
            tasks.cancel_scope.cancel()
    assert ended == [HEALTHY]


CLOCKS = {"back": timedelta(days=-400), "ahead": timedelta(days=400)}


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("jump", CLOCKS)
async def test_clock_that_jumps(kind: str, jump: str, tmp_path: Path) -> None:
    """Whatever the clock says, changes are found, and the log's times never go back."""
    async with scene_of(Fault(row=CLOCK, strike=better, told={}), kind, tmp_path) as scene:
        offer = good(scene.place)
        for name, moved in {"there": CLOCKS[jump], "back": -CLOCKS[jump]}.items():
            scene.world.clock.at += moved
            offer = [*offer, (name, scene.place.entry(name))]
            scene.place.offer(offer)
            outcome = await scene.sync()
            assert outcome.completed, outcome.failed
            assert len(await scene.world.offered()) == len(offer)
        times = [event.recorded_at for event in await scene.world.events()]
        assert times == sorted(times)


@pytest.mark.parametrize("path", ["../registry.json", "/etc/passwd", "a/../../b", "."])
def test_path_that_leaves_the_repository(path: str) -> None:
    """It is refused when the configuration is read, so nothing that runs changes."""
    with pytest.raises(ValueError, match="expected a path from the top of the repository"):
        GitSettings(repository="https://git.example/catalog.git", path=path)


def test_every_fault_is_documented() -> None:
    """The table of docs/sources.md has the rows that are tested, with their sources and stages."""
    page = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
    table = page.partition("\n## Faults\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|([^|]*)\|", table, re.M)[1:]
    documented = {row: {*kinds.split(", "), *_stages_in(text)} for row, kinds, text in rows}
    tested = {CLOCK: {*map(_documented, PLACES)}, "a path that leaves the repository": {"git"}}
    for fault in FAULTS:
        marks = {*map(_documented, fault.told), *_stages_in(fault.stage or "")}
        tested.setdefault(fault.row, set()).update(marks)
    assert documented == tested


def _documented(kind: str) -> str:
    """What the table calls a kind of source."""
    return "URL" if kind == "file by URL" else kind.partition(" ")[0]


def _stages_in(text: str) -> set[str]:
    return {f"stage {stage}" for stage in SyncStage if stage in text}
