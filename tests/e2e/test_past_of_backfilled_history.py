"""A log that one sync filled with ToolHive's real history: every moment of it, in both times."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import anyio
import attrs
import httpx
import pytest

from application.moments import resolve_from_log
from application.replay import render_answer, replay
from domain.asof import Asked, AtRecorded
from domain.identifiers import DocumentHash
from domain.log import StoredEvent
from domain.timestamps import to_rfc_3339
from entrypoints.config import load
from entrypoints.container import Container, opened, synced_sources
from entrypoints.running import prepare
from tests.harness.asking_past import Way, servers_in, ways, whole_list
from tests.harness.clock import MICROSECOND
from tests.harness.naive_past import effective_answer, recorded_answer, recorded_registries
from tests.harness.new_commits import whole_log
from tests.harness.recorded_history import CONFIGURATION, Recorded, client_of, cloned

SAMPLED = 8
Documents = Mapping[DocumentHash, bytes]


@attrs.frozen(kw_only=True)
class Backfilled:
    """A log with all revisions, and at which of its moments to look."""

    recorded: Recorded
    looks: int | None

    def some(self, moments: Sequence[StoredEvent]) -> Iterator[int]:
        """Indexes at even distances, the first and the last among them."""
        last = len(moments) - 1
        looks = min(self.looks or len(moments), len(moments))
        return iter(sorted({round(last * number / (looks - 1)) for number in range(looks)}))


@pytest.fixture(scope="module")
def filled(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    history, settings = cloned(shared, tmp_path_factory.mktemp("backfilled"))
    file = settings.config_file
    assert file is not None
    whole = CONFIGURATION.replace("path: {path}", "path: {path}, history: full")
    (source,) = settings.config.sources
    file.write_text(whole.format(repository=history.repository, path=source.settings.path))
    settings = attrs.evolve(settings, config=load(file))

    async def sync() -> None:
        async with opened(settings.config, settings.data_dir) as container:
            await prepare(container, settings)
            (synced,) = synced_sources(settings.config, settings.data_dir)
            outcome = await container.syncer().sync(synced)
            assert outcome.completed, outcome.failed

    anyio.run(sync)
    return Recorded(history=history, settings=settings, moments=[])


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(SAMPLED, id="sample"),
        pytest.param(None, id="all", marks=pytest.mark.slow),
    ],
)
def backfilled(request: pytest.FixtureRequest, filled: Recorded) -> Backfilled:
    return Backfilled(recorded=filled, looks=request.param)


Asking = tuple[Container, httpx.AsyncClient]


@pytest.fixture
async def asked(backfilled: Backfilled) -> AsyncIterator[Asking]:
    async with client_of(backfilled.recorded) as opened_over:
        yield opened_over


async def log_of(container: Container) -> tuple[list[StoredEvent], Documents]:
    """All events, and the documents that they name."""
    _, events = await whole_log(container.storage())
    named = {json.loads(event.data).get("document_hash") for event in events} - {None}
    return events, await container.storage().documents(named)


async def replayed(container: Container, asked: Asked) -> bytes:
    log = container.log()
    past = await replay(log, await resolve_from_log(asked, log, container.clock()))
    return servers_in(b"".join(await render_answer(past.registry(), container.documents())))


async def test_every_revision_is_a_moment_of_its_own(backfilled: Backfilled, asked: Asking) -> None:
    """At its commit, a microsecond before and one after: query, path, replay and the model."""
    container, client = asked
    events, documents = await log_of(container)
    ends = [list(commit)[-1] for _, commit in groupby(events, key=attrgetter("commit_id"))]
    assert len(ends) > len(backfilled.recorded.history.revisions)
    looked_at = list(backfilled.some(ends))
    chosen = {ends[index].position for index in looked_at}
    just_before = {ends[index - 1].position for index in looked_at if index}
    before: bytes | None = None
    for last, registries in recorded_registries(events):
        if last.position in chosen:
            now = await check_around(container, client, last, before)
            expected = recorded_answer(registries, "default", documents)
            assert json.loads(b"[%b]" % now) == expected
        if last.position in just_before:
            before = await whole_list(client, ways(f"@{last.position}")[0], limit=100)


async def check_around(
    container: Container, client: httpx.AsyncClient, last: StoredEvent, before: bytes | None
) -> bytes:
    """What was served from a commit on, and before it what was served before."""
    at = last.recorded_at
    now = await replayed(container, Asked(at=AtRecorded(at)))
    for moment in (f"@{last.position}", to_rfc_3339(at), to_rfc_3339(at + MICROSECOND)):
        for way in ways(moment):
            assert await whole_list(client, way, limit=100) == now
    for way in ways(to_rfc_3339(at - MICROSECOND)) if before is not None else ():
        assert await whole_list(client, way, limit=100) == before
    return now


async def test_the_times_of_git_are_moments_too(backfilled: Backfilled, asked: Asking) -> None:
    """At the time of a Git commit, a microsecond before and one after: all ways agree."""
    container, client = asked
    events, documents = await log_of(container)
    offered = [event for event in events if event.stream.startswith("catalog-")]
    times = sorted({event.effective_at: event for event in offered}.values(), key=_effective_at)
    for index in backfilled.some(times):
        for shift in (-MICROSECOND, 0 * MICROSECOND, MICROSECOND):
            at = times[index].effective_at + shift
            if at < times[0].effective_at:
                continue
            way = Way(base="", query={"effective_at": to_rfc_3339(at)})
            whole = await whole_list(client, way, limit=100)
            assert whole == await replayed(container, Asked(effective_at=at))
            expected = effective_answer(events, at, "default", documents)
            assert json.loads(b"[%b]" % whole) == expected


def _effective_at(event: StoredEvent) -> datetime:
    return event.effective_at
