"""Pages of the past, in process and without a network: 100,000 live entries, 1,000,000 events."""

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import attrs
import pytest

from adapters.clock import SystemClock
from adapters.storage.sqlite import SqliteStorage
from application.event_log import EventLog, Write, catalog_stream
from application.projector import Projector
from domain.change import Change, ChangeClass
from domain.entry import Entry
from domain.events import EntryRevised
from domain.identifiers import CommitId
from domain.log import AnyVersion
from tests.benchmarks.conftest import SOURCE, VERSIONS, Bench, append, define, served

EVENTS = 1_000_000
_COMMIT = 1_000
_TO_FOLD = 50_000  # events between two steps of the projector, which holds them all
_ROUNDS = 60
_CHANGE = Change(paths=("/description",), classes=(ChangeClass.DOCUMENTATION,))


@attrs.frozen
class LongLog:
    """A data directory, and the names and positions that can be asked for."""

    directory: Path
    names: Sequence[str]
    end: int


@pytest.fixture(scope="module")
def long_log(
    request: pytest.FixtureRequest,
    bench: Bench,
    listed: list[Entry],
    tmp_path_factory: pytest.TempPathFactory,
) -> LongLog:
    """Every version listed once, then revised by turns until there are enough events."""
    if not request.config.getoption("benchmark_only"):
        pytest.skip("takes minutes: only with --benchmark-only")
    directory = tmp_path_factory.mktemp("long")
    end = bench.run(_fill, directory, listed)
    return LongLog(directory, sorted({entry.key.name for entry in listed}), end)


async def _fill(directory: Path, listed: list[Entry]) -> int:
    storage = await SqliteStorage.open(directory / "annals.db", SystemClock())
    try:
        log = EventLog(storage)
        projector = Projector(storage, log)
        await projector.load()
        await define(log)
        for start in range(0, VERSIONS, _COMMIT):
            await append(storage, log, listed[start : start + _COMMIT], f"list-{start}")
        for start in range(0, EVENTS - VERSIONS, _COMMIT):
            await log.append(CommitId(f"revise-{start}"), [_revisions(listed, start)])
            if start % _TO_FOLD == 0:
                await projector.catch_up()
        return (await projector.catch_up()).position
    finally:
        await storage.close()


def _revisions(listed: Sequence[Entry], start: int) -> Write:
    """Each version takes the document of the one after it, then of the one after that."""
    turn = start // VERSIONS
    chosen = (listed[number % VERSIONS] for number in range(start, start + _COMMIT))
    events = [
        EntryRevised(
            key=entry.key,
            document_hash=listed[(number + turn + 1) % VERSIONS].document_hash,
            previous_hash=listed[(number + turn) % VERSIONS].document_hash,
            title=entry.title,
            tags=entry.tags,
            change=_CHANGE,
        )
        for number, entry in enumerate(chosen, start)
    ]
    return Write(catalog_stream(SOURCE), AnyVersion(), events)


@pytest.fixture(scope="module")
def get(bench: Bench, long_log: LongLog) -> Iterator[Callable[[str], bytes]]:
    """The body of an answer, out of the application itself."""
    storage = bench.run(SqliteStorage.open, long_log.directory / "annals.db", SystemClock())
    projector = Projector(storage, EventLog(storage))
    bench.run(projector.load)
    app = served(storage, projector)
    yield lambda target: bench.run(_call, app, target)
    bench.run(storage.close)


async def _call(app, target):
    """One request of the ASGI specification, without a client that takes its own time."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [],
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] == 200, sent
    return b"".join(message.get("body", b"") for message in sent[1:])


PAGES = {
    "list": "/v0.1/servers?limit=30&cursor={name}:",
    "latest": "/v0.1/servers?version=latest&limit=50&cursor={name}:",
    "one": "/v0.1/servers/{name}/versions/latest?",
}


@pytest.fixture
def asking(long_log: LongLog) -> Callable[[str, int | None], str]:
    """A page somewhere in the registry, as of a moment or as of one that nobody asked for yet."""
    chance = random.Random(time.time_ns())

    def ask(page: str, position: int | None = None) -> str:
        at = position or chance.randrange(VERSIONS + 2, long_log.end)
        name = chance.choice(long_log.names)
        return PAGES[page].format(name=quote(name)) + f"&at=@{at}"

    return ask


@pytest.mark.parametrize("page", PAGES)
def test_never_asked_before(benchmark, get, asking, page):
    """Each time another page of another moment."""
    setup = lambda: ((asking(page),), {})  # noqa: E731
    benchmark.pedantic(get, setup=setup, rounds=_ROUNDS, warmup_rounds=3)


@pytest.mark.parametrize("page", PAGES)
def test_moment_asked_before(benchmark, get, asking, long_log, page):
    """Each time another page of one moment."""
    get(asking(page, long_log.end // 2))
    setup = lambda: ((asking(page, long_log.end // 2),), {})  # noqa: E731
    benchmark.pedantic(get, setup=setup, rounds=_ROUNDS, warmup_rounds=3)


@pytest.mark.parametrize("page", PAGES)
def test_page_asked_before(benchmark, get, asking, long_log, page):
    """The same page of one moment again and again."""
    target = asking(page, long_log.end // 2)
    benchmark.pedantic(get, (target,), rounds=_ROUNDS, warmup_rounds=3)


def test_search_never_asked_before(benchmark, get, long_log):
    """A page that needs the whole registry of a moment, made for it."""
    moments = itertools.count(long_log.end * 3 // 4, 50_000)
    setup = lambda: ((f"/v0.1/servers?search=postgres&at=@{next(moments)}",), {})  # noqa: E731
    benchmark.pedantic(get, setup=setup, rounds=3)
