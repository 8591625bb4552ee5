"""What the changes of ToolHive's real history say is what its file says, revision by revision."""

import json
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import attrs
import httpx
import pytest

from adapters.sources.formats.toolhive_conversion import SECTIONS, to_server_json
from domain.canonical_json import canonical_json
from domain.change import ChangeClass, Difference
from entrypoints.container import opened
from entrypoints.running import prepare
from tests.harness.applied_differences import applied
from tests.harness.asking_past import Way, whole_list
from tests.harness.recorded_history import Recorded, client_of, cloned, record, spread

SAMPLED = 10
ALL = {"class": "all"}
BASE = "/v0.1/x/dev.annals"
BESIDE_THE_DOCUMENT = "/_meta/io.modelcontextprotocol.registry~1official/"
Documents = Mapping[str, dict[str, Any]]


@attrs.frozen(kw_only=True)
class Followed:
    """A log of real revisions, what the file held at each of them, and who asks."""

    recorded: Recorded
    documents: Mapping[int, Documents]
    client: httpx.AsyncClient

    async def got(self, path: str, **query: Any) -> Any:
        answer = await self.client.get(BASE + path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def feed(self, limit: int = 1000) -> list[dict[str, Any]]:
        """All changes, page by page."""
        found, after, is_last = list[dict[str, Any]](), "0", False
        while not is_last:
            page = await self.got("/changes", after=after, limit=limit)
            found += page["changes"]
            after, is_last = page["metadata"]["next"], page["metadata"]["isLast"]
        return found


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
    history, settings = cloned(shared, tmp_path_factory.mktemp("changes"))
    chosen = spread(history.revisions, request.param) if request.param else history.revisions

    async def work() -> Recorded:
        async with opened(settings.config, settings.data_dir) as container:
            await prepare(container, settings)
            moments = [await record(container, history, settings, each) for each in chosen]
        return Recorded(history=history, settings=settings, moments=moments)

    return anyio.run(work)


@pytest.fixture(scope="module")
def documents(recorded: Recorded) -> Mapping[int, Documents]:
    """By the position at which a revision had been recorded: its documents by their names."""
    return {
        moment.position: dict(documents_of(recorded.history.registry(moment.revision)))
        for moment in recorded.moments
    }


def documents_of(registry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for section in SECTIONS:
        for name, entry in (registry.get(section) or {}).items():
            document = to_server_json(section, name, entry)
            yield document["name"], document


@pytest.fixture
async def followed(
    recorded: Recorded, documents: Mapping[int, Documents]
) -> AsyncIterator[Followed]:
    async with client_of(recorded) as (_, client):
        yield Followed(recorded=recorded, documents=documents, client=client)


def told(change: dict[str, Any], before: Documents, after: Documents) -> str:
    """What became of a server, once what is said to differ was found to be all that does."""
    name = change["name"]
    if change["change"] == "changed":
        old, new = before[name], after[name]
        (version,) = [each for each in change["versions"] if each["after"]]
        assert version["comparedTo"] == (
            None if old["version"] == new["version"] else old["version"]
        )
        found = [
            difference(each)
            for each in version["differences"]
            if not each["path"].startswith(BESIDE_THE_DOCUMENT)
        ]
        assert applied({**old, "version": new["version"]}, found) == new
    return str(change["change"])


def difference(member: dict[str, Any]) -> Difference:
    return Difference(
        path=member["path"],
        operation=member["op"],
        change_class=ChangeClass(member["class"]),
        old=member.get("old"),
        new=member.get("new"),
        origin=member.get("from"),
    )


def naive(before: Documents, after: Documents) -> dict[str, str]:
    """What became of every server that is not as it was."""
    return {
        name: "changed" if name in before and name in after else came_or_went(name in after)
        for name in before.keys() | after.keys()
        if canonical_json(before.get(name)) != canonical_json(after.get(name))
    }


def came_or_went(came: bool) -> str:
    return "added" if came else "removed"


async def test_the_feed_is_the_difference_of_each_revision(followed: Followed):
    """From one recorded revision to the next, nothing more and nothing less."""
    by_position: dict[int, list[dict[str, Any]]] = {}
    for change in await followed.feed(limit=97):
        by_position.setdefault(change["position"], []).append(change)
    moments = [(0, dict[str, dict[str, Any]]()), *followed.documents.items()]
    for (_, before), (position, after) in pairwise(moments):
        changes = by_position.pop(position, [])
        assert {each["name"]: told(each, before, after) for each in changes} == naive(before, after)
    assert not by_position


async def test_a_reader_has_what_is_listed(followed: Followed):
    """The live registry in the end."""
    entries: dict[tuple[str, str], Any] = {}
    for change in await followed.feed():
        for version in change["versions"]:
            entries.pop((change["name"], version["version"]), None)
            if version["entry"]:
                entries[change["name"], version["version"]] = version["entry"]
    everything = Way(base="", query={"include_deleted": "true"})
    listed = await whole_list(followed.client, everything, limit=100)
    assert [entries[key] for key in sorted(entries)] == json.loads(b"[%b]" % listed)


async def test_a_diff_is_the_difference_of_two_revisions(followed: Followed):
    """Of any two, in both directions. What was as it is had other times at the most."""
    chosen = random.Random(4)
    for _ in range(12):
        old, new = chosen.sample(list(followed.documents), 2)
        before, after = followed.documents[old], followed.documents[new]
        query = {"from": f"@{old}", "to": f"@{new}", "limit": 1000, **ALL}
        changes = (await followed.got("/diff", **query))["changes"]
        differing = [change for change in changes if change["classes"]]
        assert {each["name"]: told(each, before, after) for each in differing} == naive(
            before, after
        )


async def test_a_history_tells_of_one_server(followed: Followed):
    """The same changes as the feed, for some of the servers."""
    feed = await followed.feed()
    names = sorted({change["name"] for change in feed})
    for name in random.Random(4).sample(names, 12):
        history = (await followed.got(f"/servers/{name}/history", limit=1000, **ALL))["changes"]
        assert [change["id"] for change in history] == [
            change["id"] for change in feed if change["name"] == name
        ]


async def test_an_image_that_moves_on_is_one_change(followed: Followed):
    """ToolHive's versions are tags of images: the old and the new one are told by each other."""
    moved = [
        change["versions"]
        for change in await followed.feed()
        if {version["change"] for version in change["versions"]} == {"added", "removed"}
    ]
    assert moved
    for versions in moved:
        (came,) = [version for version in versions if version["change"] == "added"]
        (left,) = [version for version in versions if version["change"] == "removed"]
        assert (came["comparedTo"], left["comparedTo"]) == (left["version"], came["version"])
        assert came["differences"] == left["differences"]
        assert not came["versionReused"]
