"""The real history of ToolHive's registry, synced into a log revision by revision."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import attrs
import httpx

from entrypoints.asgi import make_app
from entrypoints.config import load
from entrypoints.container import Container, opened, synced_sources
from entrypoints.reload import LiveConfiguration
from entrypoints.running import Readiness, Running, prepare
from entrypoints.settings import Settings
from tests.harness.real_history import REGISTRY_PATH, RealHistory

BUNDLE = Path("data", "toolhive-registry-history.bundle")
CONFIGURATION = """
sources:
  - name: history
    format: toolhive
    maxRemoval: 1
    git: {{repository: {repository}, branch: main, path: {path}}}
"""


@attrs.frozen
class Moment:
    """When a revision had been recorded."""

    revision: str
    recorded_at: datetime
    position: int


@attrs.frozen(kw_only=True)
class Recorded:
    """A log that some revisions were synced into, one after the other."""

    history: RealHistory
    settings: Settings
    moments: Sequence[Moment]

    @asynccontextmanager
    async def reopened(self) -> AsyncIterator[Container]:
        """Everything over the log, as a process that starts later has it."""
        async with opened(
            self.settings.config, self.settings.data_dir, must_exist=True
        ) as reopened:
            await prepare(reopened, self.settings)
            yield reopened


def spread(revisions: Sequence[str], count: int) -> Sequence[str]:
    """That many of *revisions* at even distances, the first and the last among them."""
    last = len(revisions) - 1
    return [revisions[round(last * number / (count - 1))] for number in range(count)]


def cloned(shared: Path, directory: Path) -> tuple[RealHistory, Settings]:
    """The history, and a configuration whose only source it is."""
    history = RealHistory(shared / BUNDLE, directory)
    file = directory / "annals.yaml"
    file.write_text(CONFIGURATION.format(repository=history.repository, path=REGISTRY_PATH))
    return history, Settings(config=load(file), config_file=file, data_dir=directory / "data")


async def record(
    container: Container, history: RealHistory, settings: Settings, revision: str
) -> Moment:
    """Move the branch, sync, and remember when that was recorded."""
    (source,) = synced_sources(settings.config, settings.data_dir)
    history.move_to(revision)
    outcome = await container.syncer().sync(source)
    assert outcome.completed, outcome.failed
    assert not outcome.completed.rejected
    head = await container.storage().head()
    assert head.recorded_at
    return Moment(revision, head.recorded_at, head.position)


@asynccontextmanager
async def client_of(recorded: Recorded) -> AsyncIterator[tuple[Container, httpx.AsyncClient]]:
    """The API over a log, with what it is made of."""
    async with recorded.reopened() as container:
        readiness = Readiness(container.projector(), container.scheduler())
        configuration = LiveConfiguration(container, recorded.settings)
        app = make_app(Running(container, readiness, configuration))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://annals.test") as client:
            yield container, client
