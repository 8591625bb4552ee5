"""What views say of the past, however they came to be: a property over random histories."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.storage.memory import MemoryStorage
from adapters.storage.sqlite import SqliteStorage
from application.event_log import CONFIG_STREAM, EventLog, Write, catalog_stream, sync_stream
from application.projector import Projector
from domain.diff import Offer
from domain.events import SyncFailed, SyncStage
from domain.identifiers import CommitId, SourceName
from domain.log import AnyVersion
from domain.ports.storage import StoragePort
from tests.harness.checkers import check_past_views, view_rows
from tests.harness.clock import SteppingClock
from tests.harness.other_storages import DiedError, Mortal, SmallBatches
from tests.harness.strategies import commits_of, histories
from tests.harness.sync_world import desired

SOURCES = (SourceName("a"), SourceName("b-c"))
FAILED = SyncFailed(stage=SyncStage.FETCH, reason="no route")


def commits(several: Sequence[Sequence[Offer]]) -> Iterator[list[Write]]:
    """Syncs of several sources by turns, with configurations before and between them."""
    for number, turn in enumerate(zip_longest(*map(commits_of, several), fillvalue=())):
        names = SOURCES[: 1 + number % 2]
        config = desired({"default": names, f"other-{number}": names})
        yield [Write(CONFIG_STREAM, AnyVersion(), [*config.sources, *config.registries])]
        for source, recorded in zip(SOURCES, turn, strict=True):
            yield [
                Write(catalog_stream(source), AnyVersion(), [event for _, _, event in recorded]),
                Write(sync_stream(source), AnyVersion(), [FAILED]),
            ]


async def fill(storage: StoragePort, several: Sequence[Sequence[Offer]]) -> None:
    """Append a history, and fold it into the views commit by commit."""
    log = EventLog(storage)
    projector = Projector(storage, log)
    await projector.load()
    for number, writes in enumerate(commits(several)):
        await log.append(CommitId(str(number)), writes)
        await projector.catch_up()


async def rebuild(storage: StoragePort) -> None:
    """Drop the views and fold the log again."""
    await Projector(storage, EventLog(storage)).rebuild()


async def check(
    storage: StoragePort, several: Sequence[Sequence[Offer]], batch: int, death: int
) -> None:
    """Fold a history in every way there is: the views are the same, and agree with the log."""
    await fill(storage, several)
    rows = await view_rows(storage)
    await check_past_views(storage)
    await rebuild(storage)
    assert await view_rows(storage) == rows
    await rebuild(SmallBatches(storage, batch))
    assert await view_rows(storage) == rows
    for after_writing in (False, True):
        with suppress(DiedError):
            small = SmallBatches(storage, batch)
            await rebuild(Mortal(small, death, after_writing=after_writing))
        await Projector(storage, EventLog(storage)).load()
        assert await view_rows(storage) == rows


several_histories = st.tuples(*[histories()] * len(SOURCES))
batches, deaths = st.integers(1, 20), st.integers(0, 12)


@given(several_histories, batches, deaths)
async def test_the_past_in_memory_is_that_of_the_log(
    several: Sequence[Sequence[Offer]], batch: int, death: int
) -> None:
    """At the end of every commit, and between each two, however the views came to be."""
    await check(MemoryStorage(SteppingClock()), several, batch, death)


@settings(max_examples=15)
@given(several_histories, batches, deaths)
async def test_the_past_in_sqlite_is_that_of_the_log(
    several: Sequence[Sequence[Offer]], batch: int, death: int
) -> None:
    """At the end of every commit, and between each two, however the views came to be."""
    with TemporaryDirectory() as folder:
        storage = await SqliteStorage.open(Path(folder) / "log.db", SteppingClock())
        try:
            await check(storage, several, batch, death)
        finally:
            await storage.close()
