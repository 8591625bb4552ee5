"""Pages, rendered in process, without a network."""

import itertools

import httpx
import pytest

from adapters.clock import SystemClock
from adapters.storage.sqlite import SqliteStorage
from application.event_log import EventLog
from application.projector import Projector
from tests.benchmarks.conftest import served


@pytest.fixture(scope="module")
def client(bench, data_dir):
    """A client of the application, in this process."""
    storage = bench.run(SqliteStorage.open, data_dir / "annals.db", SystemClock())
    projector = Projector(storage, EventLog(storage))
    bench.run(projector.load)
    transport = httpx.ASGITransport(app=served(storage, projector))
    yield httpx.AsyncClient(transport=transport, base_url="http://bench")
    bench.run(storage.close)


PAGES = {
    "list": "/v0.1/servers?limit=30",
    "latest": "/v0.1/servers?version=latest&limit=50",
    "search": "/v0.1/servers?search=postgres&version=latest",
    "search-miss": "/v0.1/servers?search=nothing-like-it",
}


@pytest.mark.parametrize("name", PAGES)
def test_page(benchmark, bench, client, name):
    """The same page again and again."""
    answer = benchmark.pedantic(bench.run, (client.get, PAGES[name]), rounds=50, warmup_rounds=2)
    assert answer.status_code == 200


def test_walk(benchmark, bench, client):
    """Page after page through the whole list."""
    cursors = itertools.chain([None])

    def turn():
        nonlocal cursors
        cursor = next(cursors)
        url = "/v0.1/servers?limit=100" + (f"&cursor={cursor}" if cursor else "")
        answer = bench.run(client.get, url)
        cursors = itertools.chain([answer.json()["metadata"].get("nextCursor")])
        return answer

    answer = benchmark.pedantic(turn, rounds=200)
    assert len(answer.json()["servers"]) == 100
