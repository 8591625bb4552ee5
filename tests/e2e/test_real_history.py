"""The registry of every moment of ToolHive's real history is given back as it was."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from adapters.sources.formats.toolhive_conversion import SECTIONS, to_server_json
from adapters.status.memory import MemoryStatus
from adapters.storage.sqlite import SqliteStorage
from application.moments import resolve_from_log
from application.registry_version import RegistryVersion
from application.replay import render_answer, render_file, replay
from domain.asof import Asked, AtPosition, AtRecorded
from entrypoints.container import Container, formats, opened
from entrypoints.running import prepare
from entrypoints.settings import Settings
from tests.harness.asking_past import servers_in
from tests.harness.clock import MICROSECOND, SteppingClock
from tests.harness.command_line import registry
from tests.harness.real_history import RealHistory
from tests.harness.recorded_history import (
    Moment,
    Recorded,
    client_of,
    cloned,
    record,
    spread,
)

SAMPLED = 30


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(SAMPLED, id="sample"),
        pytest.param(None, id="all", marks=pytest.mark.slow),
    ],
)
def recorded(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Recorded:
    history, settings = cloned(shared, tmp_path_factory.mktemp("history"))
    revisions = history.revisions
    chosen = spread(revisions, request.param) if request.param else revisions

    async def work() -> Sequence[Moment]:
        async with opened(settings.config, settings.data_dir) as container:
            await prepare(container, settings)
            return [await record(container, history, settings, each) for each in chosen]

    return Recorded(history=history, settings=settings, moments=anyio.run(work))


async def registry_at(container: Container, at: datetime) -> RegistryVersion:
    log, asked = container.log(), Asked(at=AtRecorded(at))
    return (await replay(log, await resolve_from_log(asked, log, container.clock()))).registry()


async def file_of(container: Container, found: RegistryVersion, format_name: str) -> Any:
    file = await render_file(found, container.documents(), formats()[format_name])
    return json.loads(b"".join(file))


def sections_of(registry: dict[str, Any]) -> dict[str, Any]:
    """The entries of a ToolHive file; null and absent are empty sections, as in Go."""
    return {section: registry.get(section) or {} for section in SECTIONS}


def converted(registry: dict[str, Any]) -> list[dict[str, Any]]:
    """What each entry of a ToolHive file converts to, in the order of names."""
    documents = [
        to_server_json(section, key, entry)
        for section, entries in sections_of(registry).items()
        for key, entry in entries.items()
    ]
    return sorted(documents, key=lambda document: str(document["name"]))


async def test_each_revision_is_given_back(recorded: Recorded) -> None:
    """As of its sync, the registry has exactly the entries of a revision in ToolHive's format,
    and exactly what each of them converts to as server.json."""
    async with recorded.reopened() as container:
        for moment in recorded.moments:
            revision = recorded.history.registry(moment.revision)
            found = await registry_at(container, moment.recorded_at)
            in_toolhive = await file_of(container, found, "toolhive")
            assert sections_of(in_toolhive) == sections_of(revision)
            upstream = await file_of(container, found, "upstream")
            assert upstream["data"]["servers"] == converted(revision)


async def test_a_microsecond_before_a_revision_the_one_before_is_current(
    recorded: Recorded,
) -> None:
    """A revision begins exactly when it was recorded: not a microsecond earlier."""
    before: dict[str, Any] = {}
    async with recorded.reopened() as container:
        for moment in recorded.moments:
            found = await registry_at(container, moment.recorded_at - MICROSECOND)
            given_back = await file_of(container, found, "toolhive")
            assert sections_of(given_back) == sections_of(before)
            before = recorded.history.registry(moment.revision)


async def test_positions_within_a_sync_are_of_the_time_before_it(recorded: Recorded) -> None:
    """No position shows part of a sync: those inside it are as of the one before."""
    async with recorded.reopened() as container:
        for before, moment in pairwise(recorded.moments):
            inside = AtPosition(moment.position - 1)
            commit = await container.log().resolve(inside, container.clock())
            assert commit.recorded_at == before.recorded_at


async def pages(client: httpx.AsyncClient, limit: int) -> AsyncIterator[bytes]:
    """The bodies of a whole walk over the list of servers."""
    parameters: dict[str, str | int] = {"limit": limit}
    while True:
        response = await client.get("/v0.1/servers", params=parameters)
        assert response.status_code == 200
        yield response.content
        cursor = response.json()["metadata"].get("nextCursor")
        if cursor is None:
            return
        parameters["cursor"] = cursor


@pytest.mark.parametrize("limit", [7, 30, 100])
async def test_the_api_and_the_replay_agree_to_the_byte(recorded: Recorded, limit: int) -> None:
    """At the head, the pages of the API joined are the replay's answer, and its file as well."""
    async with client_of(recorded) as (container, client):
        bodies = [body async for body in pages(client, limit)]
        found = await registry_at(container, recorded.moments[-1].recorded_at)
        answer = b"".join(await render_answer(found, container.documents()))
        assert b",".join(map(servers_in, bodies)) == servers_in(answer)
        file = await file_of(container, found, "upstream")
        servers = [each["server"] for body in bodies for each in json.loads(body)["servers"]]
        assert file["data"]["servers"] == servers
        assert len(servers) == len(found.servers)


@pytest.fixture
def three_synced(shared: Path, tmp_path: Path) -> tuple[RealHistory, Settings, list[Any]]:
    """Three revisions synced by the command line, and its log of the runs."""
    history, settings = cloned(shared, tmp_path)
    chosen = spread(history.revisions, 3)
    for revision in chosen:
        history.move_to(revision)
        synced = registry("sync", "--config", settings.config_file, cwd=tmp_path)
        assert synced.code == 0, synced.errors
    logged = registry("log", "--json", "--after", 0, "--limit", 100_000, cwd=tmp_path)
    events = [json.loads(line) for line in logged.text.splitlines()]
    runs = [event for event in events if event["type"] == "sync.completed"]
    assert [run["data"]["revision"] for run in runs] == chosen
    return history, settings, runs


def replayed(directory: Path, moment: str) -> Any:
    """What `registry replay` gives back as of *moment*."""
    done = registry("replay", "--format", "toolhive", "--at", moment, cwd=directory)
    assert done.code == 0, done.errors
    return sections_of(done.json)


def test_the_command_line_gives_back_revisions(
    three_synced: tuple[RealHistory, Settings, list[Any]], tmp_path: Path
) -> None:
    """`registry replay` takes the times and the positions that `registry log` shows."""
    history, _, runs = three_synced
    for run in runs:
        wanted = sections_of(history.registry(run["data"]["revision"]))
        assert replayed(tmp_path, run["recorded_at"]) == wanted
        assert replayed(tmp_path, f"@{run['position']}") == wanted


@pytest.fixture
def three_days(shared: Path, tmp_path: Path) -> tuple[RealHistory, Sequence[Moment]]:
    """Three revisions that were recorded at noon of the first three days of 2020."""
    history, settings = cloned(shared, tmp_path)
    chosen = spread(history.revisions, 3)
    clock = SteppingClock(datetime(2020, 1, 1, 12, tzinfo=UTC), step=MICROSECOND)

    async def work() -> Sequence[Moment]:
        moments = []
        storage = await SqliteStorage.open(settings.data_dir / "annals.db", clock)
        try:
            container = Container(
                config=settings.config,
                data_dir=settings.data_dir,
                clock=clock,
                storage=storage,
                status=MemoryStatus(),
            )
            await prepare(container, settings)
            for revision in chosen:
                moments.append(await record(container, history, settings, revision))
                clock.at += timedelta(days=1)
        finally:
            await storage.close()
        return moments

    return history, anyio.run(work)


def test_the_command_line_takes_dates(
    three_days: tuple[RealHistory, Sequence[Moment]], tmp_path: Path
) -> None:
    """A date is its midnight in UTC: what had been recorded the day before."""
    history, moments = three_days
    for moment in moments:
        tomorrow = (moment.recorded_at + timedelta(days=1)).date()
        assert replayed(tmp_path, str(tomorrow)) == sections_of(history.registry(moment.revision))
    too_early = registry("replay", "--at", "2020-01-01", cwd=tmp_path)
    assert too_early.code == 1
    assert "the first commit was recorded at 2020-01-01T12:00:00" in too_early.errors
