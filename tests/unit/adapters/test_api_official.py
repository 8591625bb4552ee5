"""Following a registry of the official API: full walks, updates only, and when which."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import attrs
import pytest
from anyio import fail_after, sleep

from domain.errors import SourceContentError, SourceError, SourceLimitError
from domain.ports.source import Fetched, Unchanged
from tests.harness.api_mirror import Mirror, api_source
from tests.harness.hostile_server import Answer, HostileServer, Request, answers
from tests.harness.paging_server import NEW_YEAR, PagingRegistry, paging_server


@attrs.define
class Followed:
    """A registry, its server, and a mirror of it on a clock of its own."""

    registry: PagingRegistry
    server: HostileServer
    mirror: Mirror
    now: datetime = NEW_YEAR

    async def sync(self) -> list[Request]:
        """Let the mirror follow; the requests that it took."""
        before = len(self.server.requests)
        await self.mirror.sync()
        assert self.mirror.names == sorted(self.registry.entries)
        return self.server.requests[before:]

    def restart(self, **options: int) -> None:
        """Let the mirror know no more than its revision."""
        self.mirror.source = api_source(self.server.url(), now=lambda: self.now, **options)


@pytest.fixture
async def followed() -> AsyncIterator[Followed]:
    """A registry of 250 servers, one a second, that the mirror has not yet seen."""
    registry = PagingRegistry()
    for number in range(250):
        registry.pass_time(1)
        registry.put(f"s{number:03}")
    registry.pass_time(1)
    async with paging_server(registry) as server:
        followed = Followed(registry, server, Mirror(api_source(server.url())))
        followed.restart()
        yield followed


def queries(requests: list[Request]) -> list[dict[str, str]]:
    return [request.query for request in requests]


async def test_full_walk_takes_pages_of_a_hundred(followed: Followed) -> None:
    """Besides the question what is there, each page is one request, deleted servers included."""
    question, *pages = queries(await followed.sync())
    assert question == {"limit": "1"}
    assert [page.pop("cursor", None) for page in pages] == [None, "s099", "s199"]
    assert pages == [{"limit": "100", "include_deleted": "true"}] * 3


async def test_pages_pass_as_they_came(followed: Followed) -> None:
    """What an upstream says about a server is not touched."""
    followed.registry.put("s000", status="deprecated", statusMessage="é", x_unknown=[1])
    await followed.sync()
    entries = followed.mirror.entries.values()
    assert list(entries) == [followed.registry.entries[name] for name in followed.mirror.names]


async def test_revision_tells_people_where_the_walk_has_come_to(followed: Followed) -> None:
    """It is text, and all that is known after a restart."""
    followed.registry.withdrawals = "w7"
    await followed.sync()
    assert followed.mirror.revision == (
        "official /v0.1 since 2026-01-01T00:03:10Z full 2026-01-01T00:00:00Z withdrawals w7"
    )


async def test_afterwards_only_updates_are_asked_for(followed: Followed) -> None:
    """A hundred changes and the overlap take two requests, in a process that was started anew."""
    await followed.sync()
    followed.restart()
    followed.registry.pass_time(3600)
    followed.registry.put(*(f"t{number:03}" for number in range(100)))
    requests = await followed.sync()
    assert queries(requests)[0] == {
        "limit": "100",
        "include_deleted": "true",
        "updated_since": "2026-01-01T00:03:10Z",
    }
    assert len(requests) == 2


async def test_deletion_comes_with_the_updates(followed: Followed) -> None:
    """A version that is deleted is updated, and shows as deleted."""
    await followed.sync()
    followed.registry.pass_time(1)
    followed.registry.put("s100", status="deleted")
    assert len(await followed.sync()) == 1
    assert followed.registry.entries["s100"] in followed.mirror.entries.values()


async def test_updates_are_told_from_a_whole_list(followed: Followed) -> None:
    """Whoever syncs must not take what did not change for withdrawn."""
    first = await followed.mirror.sync()
    followed.registry.put("new")
    second = await followed.mirror.sync()
    assert isinstance(first, Fetched)
    assert isinstance(second, Fetched)
    assert (first.complete, second.complete) == (True, False)


async def test_nothing_new_is_unchanged_once_the_overlap_was_read(followed: Followed) -> None:
    """The overlap comes again once; its answer is known then, also to a new process."""
    results = [await followed.mirror.sync() for _ in range(3)]
    followed.restart()
    results.append(await followed.mirror.sync())
    assert [isinstance(result, Unchanged) for result in results] == [False, False, True, True]


async def test_known_answer_is_not_even_sent(followed: Followed) -> None:
    """The entity tag of the last question goes with the next."""
    followed.registry.has_tags = True
    for _ in range(2):
        await followed.sync()
    (request,) = await followed.sync()
    assert "if-none-match" in request.headers
    assert await followed.mirror.sync() == Unchanged()


async def test_answer_that_did_not_reach_the_log_is_asked_for_again(followed: Followed) -> None:
    """A sync that fails after its fetch leaves the old revision, and no tag may hide the rest."""
    followed.registry.has_tags = True
    for _ in range(3):
        await followed.sync()
    followed.registry.put("s000", status="deleted")
    revision, entries = followed.mirror.revision, dict(followed.mirror.entries)
    await followed.sync()
    followed.mirror.revision, followed.mirror.entries = revision, entries
    await followed.sync()
    assert followed.registry.entries["s000"] in followed.mirror.entries.values()


async def test_servers_that_were_updated_at_once_do_not_come_again() -> None:
    """A registry that was filled in one stroke has no overlap: nothing new is an empty list."""
    registry = PagingRegistry(has_tags=True)
    registry.put(*(f"s{number:03}" for number in range(250)))
    registry.pass_time(1)
    async with paging_server(registry) as server:
        mirror = Mirror(api_source(server.url(), now=lambda: NEW_YEAR))
        await mirror.sync()
        assert [await mirror.sync() for _ in range(2)] == [Unchanged(), Unchanged()]
        assert "if-none-match" in server.requests[-1].headers


@pytest.mark.parametrize("has_date", [True, False])
async def test_no_update_during_a_walk_is_missed(followed: Followed, has_date: bool) -> None:
    """Servers change before and behind the walk; the next one has it all."""
    followed.registry.has_date = has_date
    changing = iter(["s000", "s249", "a", "s101", "z", "s001"])

    def go_on() -> None:
        followed.registry.pass_time(0.4)
        if name := next(changing, None):
            followed.registry.put(name, status="deprecated")

    followed.registry.before_answer = go_on
    await followed.mirror.sync()
    followed.registry.before_answer = lambda: None
    await followed.mirror.sync()
    entries = followed.mirror.entries.values()
    assert {str(e) for e in entries} == {str(e) for e in followed.registry.entries.values()}


async def test_everything_is_compared_when_a_day_is_over(followed: Followed) -> None:
    """What left without a trace is gone after `fullSyncInterval`."""
    await followed.sync()
    del followed.registry.entries["s100"]
    await followed.mirror.sync()
    assert "s100" in followed.mirror.names
    followed.now += timedelta(hours=24)
    assert len(await followed.sync()) == 3
    assert len(await followed.sync()) == 1


async def test_everything_is_compared_when_the_clock_went_back(followed: Followed) -> None:
    """Nobody knows then how long ago the last comparison was."""
    await followed.sync()
    followed.now -= timedelta(seconds=1)
    assert len(await followed.sync()) == 3


async def test_everything_is_compared_when_the_registry_says_so(followed: Followed) -> None:
    """`Registry-Withdrawals` is another whenever something left without a trace."""
    followed.registry.withdrawals = "1"
    await followed.sync()
    del followed.registry.entries["s100"]
    followed.registry.withdrawals = "2"
    assert len(await followed.sync()) == 4
    assert len(await followed.sync()) == 1


async def test_registry_that_ignores_the_question_is_always_read(followed: Followed) -> None:
    """It answers with what is older than was asked for; the revision says so."""
    followed.registry.honours_since = False
    await followed.sync()
    del followed.registry.entries["s100"]
    assert len(await followed.sync()) == 4
    followed.restart()
    del followed.registry.entries["s101"]
    assert len(await followed.sync()) == 3
    assert " since ignored " in (followed.mirror.revision or "")


@pytest.mark.parametrize("status", [400, 422])
async def test_registry_that_refuses_the_question_is_always_read(
    followed: Followed, status: int
) -> None:
    """Not every registry knows `updated_since`."""
    await followed.sync()
    followed.server.misbehave(answers(status), lambda request: "updated_since" in request.query)
    assert len(await followed.sync()) == 4
    assert len(await followed.sync()) == 3


async def test_registry_that_did_not_move_during_the_walk_is_believed(followed: Followed) -> None:
    """Its position tells; otherwise what was stamped shortly before may still show."""
    followed.registry.position = "7"
    followed.registry.put(*followed.registry.entries)
    await followed.sync()
    assert len(await followed.sync()) == 1
    followed.registry.before_answer = lambda: setattr(
        followed.registry, "position", str(len(followed.server.requests))
    )
    followed.registry.pass_time(30)
    followed.registry.put(*followed.registry.entries)
    await followed.sync()
    assert len(await followed.sync()) == 3


@pytest.mark.parametrize("updated_at", [None, 7, "yesterday", "0001-01-01T00:00:00Z"])
async def test_registry_without_times_is_always_read(followed: Followed, updated_at) -> None:
    """Of a server without a usable time of update nobody could tell that it changed."""
    followed.registry.put("s100", updatedAt="2026-01-01T00:00:00Z")
    followed.registry.entries["s100"]["_meta"] = {
        key: {"updatedAt": updated_at} for key in followed.registry.entries["s100"]["_meta"]
    }
    await followed.sync()
    del followed.registry.entries["s099"]
    assert len(await followed.sync()) == 3


async def test_unreadable_revision_means_a_full_walk(followed: Followed) -> None:
    """Whatever an earlier release wrote."""
    followed.mirror.revision = "official /v0.1 since yesterday"
    assert len(await followed.sync()) == 4


async def test_failure_on_a_later_page_fails_the_sync(followed: Followed) -> None:
    """Half a list is no list."""
    followed.server.misbehave(answers(403), lambda request: "cursor" in request.query)
    result = await followed.mirror.source.fetch(None)
    assert isinstance(result, Fetched)
    with pytest.raises(SourceError, match="403"):
        [payload async for payload in result.payloads]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"servers": {}}', b'{"servers": []}', b'{"servers":' + b"[" * 10**5],
)
async def test_page_that_is_none_names_its_address(followed: Followed, body: bytes) -> None:
    """A login page in the middle of a walk is no end of it."""
    page = answers(200, body, Content_Type="application/json")
    followed.server.misbehave(page, lambda request: request.query.get("cursor") == "s199")
    with pytest.raises(SourceContentError, match=r"/v0.1/servers.*: expected "):
        await followed.mirror.sync()


def goes_on(
    server: HostileServer, servers: list[object], next_cursor: Callable[[int], str]
) -> None:
    """Let the list have the same page for ever; the cursor counts pages unless told otherwise."""

    async def answer(request: Request) -> Answer:
        cursor = next_cursor(int(request.query.get("cursor", 0)))
        page = {"servers": servers, "metadata": {"count": 1, "nextCursor": cursor}}
        return Answer(body=json.dumps(page).encode())

    server.answer = answer


async def read(followed: Followed) -> int:
    """Read to the end; how many pages there were."""
    result = await followed.mirror.source.fetch(None)
    assert isinstance(result, Fetched)
    return len([payload async for payload in result.payloads])


async def test_cursor_that_repeats_is_an_error(followed: Followed) -> None:
    """A list that goes in a circle would never end."""
    goes_on(followed.server, [{}], lambda page: str((page + 1) % 3))
    with pytest.raises(SourceContentError, match="gives a cursor that was given before"):
        await read(followed)


async def test_list_without_end_is_an_error(followed: Followed) -> None:
    """So would one whose cursors are always new, with servers or without."""
    goes_on(followed.server, [{}], lambda page: str(page + 1))
    followed.restart(max_pages=5)
    with pytest.raises(SourceLimitError, match="more than 5 pages"):
        await read(followed)
    followed.restart(max_bytes=200)
    with pytest.raises(SourceLimitError, match="more than 200 bytes"):
        await read(followed)
    followed.restart()
    goes_on(followed.server, [], lambda page: str(page + 1))
    with pytest.raises(SourceContentError, match="10th page in a row without a server"):
        await read(followed)


async def test_list_at_the_limit_is_read(followed: Followed) -> None:
    """The limit is the largest size that is still taken."""
    followed.restart(max_pages=3)
    assert await read(followed) == 3


async def test_cursor_is_quoted(followed: Followed) -> None:
    """The official registry's cursors have a slash, a colon and whatever a version has."""
    names = ["a&limit=1", "b+c d", "é/:1.0.0+build#x?", "z%2F"]
    followed.registry.entries.clear()
    for name in names:
        followed.registry.put(*(f"{name} {number:03}" for number in range(60)))
    assert len(await followed.sync()) == 4


async def test_bad_entry_sinks_no_page(followed: Followed) -> None:
    """What spoils an entry is for the format to tell; paging and times are still read."""
    for spoiled in ("\ud800", float("nan")):
        followed.registry.entries["s001"]["server"]["x"] = spoiled
        assert await read(followed) == 3


async def test_everything_is_hung_up_in_the_end(followed: Followed) -> None:
    """However much of the payloads is read, no connection stays."""
    source = followed.mirror.source
    unread = await source.fetch(None)
    begun = await source.fetch(None)
    assert isinstance(begun, Fetched)
    for _ in range(2):
        await anext(begun.payloads)
    await begun.payloads.aclose()
    assert await read(followed) == 3
    followed.server.misbehave(answers(403), lambda request: "cursor" in request.query)
    with pytest.raises(SourceError):
        await read(followed)
    assert isinstance(unread, Fetched)
    with fail_after(5):
        while followed.server._connections:  # noqa: ASYNC110 - nobody tells when one ends
            await sleep(0.001)
