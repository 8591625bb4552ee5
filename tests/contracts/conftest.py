"""A storage of each kind, opened on nothing, over a clock that the test winds."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from adapters.storage.memory import MemoryStorage
from adapters.storage.sqlite import SqliteStorage
from domain.ports.storage import StoragePort
from tests.harness.clock import SteppingClock


async def open_memory(folder: Path, clock: SteppingClock) -> StoragePort:
    return MemoryStorage(clock)


async def open_sqlite(folder: Path, clock: SteppingClock) -> StoragePort:
    return await SqliteStorage.open(folder / "log.db", clock)


Opener = Callable[[Path, SteppingClock], Awaitable[StoragePort]]
OPENERS: dict[str, Opener] = {"memory": open_memory, "sqlite": open_sqlite}


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture(params=OPENERS.values(), ids=OPENERS.keys())
async def storage(
    request: pytest.FixtureRequest, tmp_path: Path, clock: SteppingClock
) -> AsyncIterator[StoragePort]:
    opened = await request.param(tmp_path, clock)
    yield opened
    await opened.close()
