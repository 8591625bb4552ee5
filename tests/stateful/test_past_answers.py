"""Registries of any past, in both times, against a model that reads nothing but the log."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.storage.memory import MemoryStorage
from adapters.storage.sqlite import SqliteStorage
from application.moments import resolve_from_log
from application.replay import render_answer, replay
from domain.asof import Asked, AtPosition
from domain.identifiers import DocumentHash
from domain.log import StoredEvent
from domain.ports.storage import StoragePort
from domain.timestamps import to_rfc_3339
from tests.harness.asking_past import Way, servers_in, ways, whole_list
from tests.harness.clock import MICROSECOND, SteppingClock
from tests.harness.naive_past import (
    effective_answer,
    recorded_answer,
    recorded_registries,
)
from tests.harness.new_commits import whole_log
from tests.harness.registry_world import RegistryWorld, registry_world
from tests.harness.sync_world import HeldSource, enveloped, server

SOURCES = ("a", "b", "c")

Document: TypeAlias = tuple[str, str, str, str]


@attrs.frozen
class Offer:
    """A source offers this from now on, and says since how many days."""

    source: int
    documents: Sequence[Document]
    days: int | None


Registries: TypeAlias = Mapping[str, Sequence[str]]

documents = st.lists(
    st.tuples(
        st.sampled_from(["x", "xa", "y", "z"]),
        st.sampled_from(["1.0.0", "1.10.0", "1.9.0", "odd", "odder"]),
        st.sampled_from(["Does things.", "Finds things."]),
        st.sampled_from(["active", "active", "active", "deprecated", "deleted"]),
    ),
    max_size=7,
    unique_by=lambda document: document[:2],
)
offers = st.builds(Offer, st.integers(0, 2), documents, st.none() | st.integers(0, 30))
registries = st.fixed_dictionaries(
    {"default": st.permutations(SOURCES).flatmap(lambda p: st.integers(1, 3).map(lambda n: p[:n]))},
    optional={"other": st.permutations(SOURCES).map(lambda sources: sources[:2])},
)
histories = st.lists(st.one_of(offers, offers, offers, registries), min_size=3, max_size=7)
filters = st.fixed_dictionaries(
    {},
    optional={
        "version": st.sampled_from(["latest", "1.0.0"]),
        "include_deleted": st.just(True),
        "search": st.sampled_from(["FINDS", "xa", "nowhere"]),
    },
)


async def live(world: RegistryWorld, history: Sequence[Offer | Registries]) -> None:
    """Let all that happen."""
    for step in history:
        if not isinstance(step, Offer):
            await world.configure(step)
            continue
        configured = sorted(world.projector.live.definitions.sources)
        port = HeldSource(*[_item(*document) for document in step.documents])
        if step.days is not None:
            port.details["effective_at"] = world.clock.at - timedelta(days=step.days)
        await world.sync_from(port, configured[step.source % len(configured)])


def _item(name: str, version: str, description: str, status: str) -> Any:
    return enveloped(server(name, version, description=description), status=status)


async def told(
    world: RegistryWorld,
) -> tuple[Sequence[StoredEvent], Mapping[DocumentHash, bytes]]:
    """All events, and the documents that they name."""
    _, events = await whole_log(world.storage)
    named = {json.loads(event.data).get("document_hash") for event in events} - {None}
    return events, await world.storage.documents(named)


async def replayed(world: RegistryWorld, asked: Asked, name: str) -> bytes:
    past = await replay(world.log, await resolve_from_log(asked, world.log, world.clock))
    return servers_in(b"".join(await render_answer(past.registry(name), world.documents)))


def in_query(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Filters as a query writes them."""
    since = filters.get("updated_since")
    return {**filters, **({"updated_since": to_rfc_3339(since)} if since else {})}


async def check_recorded(world: RegistryWorld, asking: Mapping[str, Any]) -> None:
    """After each commit, every registry is what the model says, in every way to ask for it."""
    events, bodies = await told(world)
    since = events[0].recorded_at
    for last, model in recorded_registries(events):
        moments = (f"@{last.position}", to_rfc_3339(last.recorded_at))
        for name in model.sources:
            told_so = recorded_answer(model, name, bodies)
            past = await replayed(world, Asked(at=AtPosition(last.position)), name)
            assert json.loads(b"[%b]" % past) == told_so
            first, *others = [way for moment in moments for way in ways(moment, name)]
            assert await whole_list(world.client, first, limit=3) == past
            for way in others:
                assert await whole_list(world.client, way, limit=100) == past
            filtered = {**asking, "updated_since": since} if len(events) % 2 else asking
            whole = await whole_list(world.client, first, limit=4, **in_query(filtered))
            expected = recorded_answer(model, name, bodies, **filtered)
            assert json.loads(b"[%b]" % whole) == expected
        for name in {"default", "other"} - model.sources.keys():
            answer = await world.client.get(f"/registry/{name}@{last.position}/v0.1/servers")
            assert answer.status_code == 404
        since = last.recorded_at


async def check_effective(world: RegistryWorld, asking: Mapping[str, Any]) -> None:
    """Around effective times, by now and as far as was known half way, likewise."""
    events, bodies = await told(world)
    commits = [*dict.fromkeys(event.commit_id for event in events)]
    known = [event for event in events if event.commit_id in commits[: len(commits) // 2 + 1]]
    times = sorted({event.effective_at for event in events})
    for upto in (events, known):
        for number, at in enumerate(times):
            await check_in_effect(world, upto, bodies, at - number % 2 * MICROSECOND, asking)


async def check_in_effect(
    world: RegistryWorld,
    events: Sequence[StoredEvent],
    bodies: Mapping[DocumentHash, bytes],
    effective_at: datetime,
    asking: Mapping[str, Any],
) -> None:
    """What of these events had taken effect by then."""
    *_, (last, model) = recorded_registries(events)
    query = {"effective_at": to_rfc_3339(effective_at)}
    asked = Asked(at=AtPosition(last.position), effective_at=effective_at)
    for name, sources in model.sources.items():
        way = Way(base=f"/registry/{name}@{last.position}", query=query)
        if not has_begun(events, effective_at, sources):
            answer = await world.client.get(f"{way.base}/v0.1/servers", params=query)
            assert answer.status_code == 404
            continue
        whole = await whole_list(world.client, way, limit=3)
        assert whole == await replayed(world, asked, name)
        assert json.loads(b"[%b]" % whole) == effective_answer(events, effective_at, name, bodies)
        filtered = await whole_list(world.client, way, limit=100, **asking)
        expected = effective_answer(events, effective_at, name, bodies, **asking)
        assert json.loads(b"[%b]" % filtered) == expected


def has_begun(
    events: Sequence[StoredEvent], effective_at: datetime, sources: Sequence[str]
) -> bool:
    """Whether any of the sources is known to have offered anything by then."""
    streams = {f"catalog-{source}" for source in sources}
    return any(e.stream in streams and e.effective_at <= effective_at for e in events)


async def open_memory(_path: Path, clock: SteppingClock) -> StoragePort:
    return MemoryStorage(clock)


@pytest.mark.parametrize("opener", [open_memory, SqliteStorage.open])
@pytest.mark.parametrize("check", [check_recorded, check_effective])
@settings(max_examples=12)
@given(history=histories, asking=filters)
async def test_the_past_is_what_a_model_says(
    opener: Any, check: Any, history: Sequence[Offer | Registries], asking: dict[str, Any]
) -> None:
    """Names that other sources shadow, sources that retire, registries that change, versions
    that come back: byte for byte as replayed, and as an independent reading of the log has it."""
    with TemporaryDirectory() as directory:
        clock = SteppingClock()
        storage = await opener(Path(directory) / "log.db", clock)
        try:
            async with registry_world({"default": ("a", "b")}, storage, clock) as world:
                await live(world, history)
                await check(world, asking)
        finally:
            await storage.close()
