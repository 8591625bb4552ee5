"""Every moment of ToolHive's real history is answered as it was, in every way to ask for it."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import attrs
import httpx
import pytest

from application.moments import resolve_from_log
from application.replay import render_answer, replay
from domain.asof import Asked, parse_as_of
from domain.identifiers import DocumentHash
from domain.log import StoredEvent
from domain.timestamps import to_rfc_3339
from entrypoints.container import Container, opened
from entrypoints.running import prepare
from tests.harness.asking_past import Way, servers_in, ways, whole_list
from tests.harness.clock import MICROSECOND
from tests.harness.command_line import registry
from tests.harness.live_view import live_version
from tests.harness.naive_past import (
    effective_answer,
    recorded_answer,
    recorded_registries,
)
from tests.harness.new_commits import whole_log
from tests.harness.recorded_history import (
    Moment,
    Recorded,
    client_of,
    cloned,
    record,
    spread,
)

SAMPLED = 25
NEVER_THERE = "io.github.stacklok/never-there"


@attrs.frozen(kw_only=True)
class Remembered:
    """A log of real revisions, and what was answered live after each of them."""

    recorded: Recorded
    answers: Sequence[bytes]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(SAMPLED, id="sample"),
        pytest.param(None, id="all", marks=pytest.mark.slow),
    ],
)
def remembered(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Remembered:
    history, settings = cloned(shared, tmp_path_factory.mktemp("past"))
    chosen = spread(history.revisions, request.param) if request.param else history.revisions
    moments: list[Moment] = []
    answers: list[bytes] = []

    async def work() -> None:
        async with opened(settings.config, settings.data_dir) as container:
            await prepare(container, settings)
            for revision in chosen:
                moments.append(await record(container, history, settings, revision))
                answers.append(await live_answer(container))

    anyio.run(work)
    recorded = Recorded(history=history, settings=settings, moments=moments)
    return Remembered(recorded=recorded, answers=answers)


async def live_answer(container: Container) -> bytes:
    version = await live_version(container.projector(), container.storage())
    return b"".join(await render_answer(version, container.documents()))


async def replayed(
    container: Container, moment: str, effective_at: datetime | None = None
) -> bytes:
    log, asked = container.log(), Asked(at=parse_as_of(moment), effective_at=effective_at)
    past = await replay(log, await resolve_from_log(asked, log, container.clock()))
    return b"".join(await render_answer(past.registry(), container.documents()))


@pytest.fixture
async def asked(remembered: Remembered) -> AsyncIterator[tuple[Container, httpx.AsyncClient]]:
    async with client_of(remembered.recorded) as opened_over:
        yield opened_over


Asking = tuple[Container, httpx.AsyncClient]


async def test_at_its_commit_every_way_gives_a_revision(
    remembered: Remembered, asked: Asking
) -> None:
    """Time, position, query, path and replay give the bytes that were answered live then."""
    container, client = asked
    for moment, answer in zip(remembered.recorded.moments, remembered.answers, strict=True):
        time, position = to_rfc_3339(moment.recorded_at), f"@{moment.position}"
        for way in (*ways(time), *ways(position)):
            assert await whole_list(client, way, limit=100) == servers_in(answer)
        assert await replayed(container, time) == await replayed(container, position) == answer


async def test_a_microsecond_earlier_it_is_the_revision_before(
    remembered: Remembered, asked: Asking
) -> None:
    """In every way; and a microsecond later still the same."""
    container, client = asked
    before = b'{"servers":[],"metadata":{"count":0}}'
    for moment, answer in zip(remembered.recorded.moments, remembered.answers, strict=True):
        for at, expected in (
            (moment.recorded_at - MICROSECOND, before),
            (moment.recorded_at + MICROSECOND, answer),
        ):
            time = to_rfc_3339(at)
            for way in ways(time)[:2]:
                assert await whole_list(client, way, limit=97) == servers_in(expected)
            assert await replayed(container, time) == expected
        inside = ways(f"@{moment.position - 1}")[1]
        assert await whole_list(client, inside, limit=97) == servers_in(before)
        before = answer


async def log_of(container: Container) -> tuple[list[StoredEvent], Mapping[DocumentHash, bytes]]:
    """All events, and the documents that they name."""
    _, events = await whole_log(container.storage())
    named = {json.loads(event.data).get("document_hash") for event in events} - {None}
    return events, await container.storage().documents(named)


async def test_an_independent_model_agrees_about_every_commit(
    remembered: Remembered, asked: Asking
) -> None:
    """Also with every version, the latest alone, deleted ones, and what changed since before."""
    container, client = asked
    events, documents = await log_of(container)
    since = remembered.recorded.moments[0].recorded_at
    filters: Sequence[dict[str, Any]] = (
        {},
        {"version": "latest"},
        {"include_deleted": True},
        {"search": "git"},
        {"updated_since": since},
    )
    for last, registries in recorded_registries(events):
        (way, *_) = ways(f"@{last.position}")
        for asking in filters:
            body = await whole_list(client, way, limit=100, **in_query(asking))
            expected = recorded_answer(registries, "default", documents, **asking)
            assert json.loads(b"[%b]" % body) == expected
        since = last.recorded_at - MICROSECOND
        filters = (*filters[:-1], {"updated_since": since})


async def test_effective_times_agree_with_an_independent_model(
    remembered: Remembered, asked: Asking
) -> None:
    """At a few times of Git commits, a microsecond before, and half way as far as was known."""
    container, client = asked
    events, documents = await log_of(container)
    times = sorted({event.effective_at for event in events if event.stream.startswith("catalog-")})
    chosen = times[1 :: max(1, len(times) // 5)]
    middle = remembered.recorded.moments[len(remembered.recorded.moments) // 2].position
    assert chosen[0] < remembered.recorded.moments[0].recorded_at
    for number, at in enumerate(chosen):
        upto = middle if number % 2 else events[-1].position
        for effective_at in (at - MICROSECOND, at):
            query = {"effective_at": to_rfc_3339(effective_at), "at": f"@{upto}"}
            whole = await whole_list(client, Way(base="", query=query), limit=100)
            past = await replayed(container, f"@{upto}", effective_at)
            assert whole == servers_in(past)
            known = events[:upto]
            expected = effective_answer(known, effective_at, "default", documents)
            assert json.loads(b"[%b]" % whole) == expected


def in_query(filters: dict[str, Any]) -> dict[str, Any]:
    """Filters as a query writes them."""
    if since := filters.get("updated_since"):
        return {**filters, "updated_since": to_rfc_3339(since)}
    return filters


async def test_single_servers_are_as_the_list_has_them(
    remembered: Remembered, asked: Asking
) -> None:
    """Every way finds the same versions, and those of the list of that moment."""
    _, client = asked
    every = {entry["server"]["name"] for body in remembered.answers for entry in entries_in(body)}
    for number, moment in enumerate(remembered.recorded.moments):
        listed = {
            entry["server"]["name"]: entry for entry in entries_in(remembered.answers[number])
        }
        names = sorted(every)[number % 7 :: max(1, len(every) // 3)]
        for name in (*names, NEVER_THERE):
            found = [
                await server_by(client, way, name)
                for way in (*ways(to_rfc_3339(moment.recorded_at)), *ways(f"@{moment.position}"))
            ]
            assert all(each == found[0] for each in found)
            entry = listed.get(name)
            expected = [entry, {"servers": [entry], "metadata": {"count": 1}}, entry]
            assert [json.loads(b) for b in found[0]] == (expected if entry else [None] * 3)


def entries_in(body: bytes) -> list[dict[str, Any]]:
    return list(json.loads(body)["servers"])


async def server_by(client: httpx.AsyncClient, way: Way, name: str) -> Sequence[bytes]:
    """The latest version, all versions, and one version of a server; `null` for what is not."""
    base = f"{way.base}/v0.1/servers/{quote(name, safe='')}/versions"
    latest = await client.get(f"{base}/latest", params=way.query)
    version = latest.json()["server"]["version"] if latest.status_code == 200 else "1.0.0"
    answers = [
        latest,
        await client.get(base, params=way.query),
        await client.get(f"{base}/{version}", params=way.query),
    ]
    assert {answer.status_code for answer in answers} <= {200, 404}
    return [answer.content if answer.status_code == 200 else b"null" for answer in answers]


async def test_toolhives_own_api_is_as_it_was(remembered: Remembered, asked: Asking) -> None:
    """Its lists and single servers, in every way, out of the revision as it was committed."""
    _, client = asked
    for number, moment in enumerate(remembered.recorded.moments):
        expected = [entry["server"] for entry in entries_in(remembered.answers[number])]
        time, position = to_rfc_3339(moment.recorded_at), f"@{moment.position}"
        for path, more in (("info", {}), ("servers", {}), ("servers", {"format": "upstream"})):
            bodies = {
                (await client.get(f"{way.base}/api/v0/{path}", params=way.query | more)).content
                for way in (*ways(time), *ways(position))
            }
            assert len(bodies) == 1
        (body,) = bodies
        assert json.loads(body) == {"servers": expected, "total": len(expected)}
        name = expected[number % len(expected)]["name"]
        short = name.rpartition("/")[2]
        singles = {
            (await client.get(f"{way.base}/api/v0/servers/{asked_for}", params=way.query)).content
            for way in (*ways(time), *ways(position))
            for asked_for in (name, short)
        }
        assert len(singles) == 1
        assert json.loads(singles.pop())["name"] == short


def test_the_command_line_gives_the_same(remembered: Remembered) -> None:
    """`registry replay --format api` of a few moments, by time and by position."""
    directory = remembered.recorded.settings.data_dir.parent
    chosen = range(0, len(remembered.answers), max(1, len(remembered.answers) // 3))
    for number in chosen:
        moment = remembered.recorded.moments[number]
        for at in (to_rfc_3339(moment.recorded_at), f"@{moment.position}"):
            done = registry("replay", "--format", "api", "--at", at, cwd=directory)
            assert (done.code, done.output) == (0, remembered.answers[number] + b"\n")
