"""The feed: its marks, its pages, and where it ends. What it tells: see tests/stateful."""

from collections.abc import AsyncIterator

import pytest

from application import change_feed
from application.change_details import SHOWN
from application.change_feed import BEGINNING, Mark, parse_mark
from application.redactions import RedactionBook
from domain.change import ChangeClass
from domain.comparison import Outcome
from domain.errors import InvalidCursorError, RegistryNotFoundError, ServerNotFoundError
from domain.events import DocumentRedacted
from domain.identifiers import EntryKind, EntryName
from domain.redaction import Redaction
from tests.harness.registry_world import RegistryWorld, registry_world, server

INPUTS = frozenset({ChangeClass.INPUTS})


def named(name: str) -> EntryName:
    return EntryName(EntryKind.SERVER, f"com.example/{name}")


@pytest.fixture
async def world() -> AsyncIterator[RegistryWorld]:
    """A registry with one server."""
    async with registry_world() as world:
        await world.sync("main", servers("one"))
        yield world


def servers(*names: str, version: str = "1.0.0"):
    return [server(f"com.example/{name}", version) for name in names]


@pytest.mark.parametrize("text", ["0", "4711", "4711:server:a:b/c", "7:skill:é"])
def test_a_mark_is_read_as_it_is_written(text: str):
    """Kind and name follow where a position has several changes."""
    assert str(parse_mark(text)) == text


@pytest.mark.parametrize("text", ["", "x", "-1", "4.7", "@4", "1:", "1:server:", "1:x:y", "9" * 19])
def test_another_mark_is_refused(text: str):
    """With what one looks like."""
    with pytest.raises(InvalidCursorError, match="expected the `id` of a change"):
        parse_mark(text)


async def test_a_registry_that_comes_to_be_made_of_something_else_turns():
    """All that shows is told under the position of that event, name by name."""
    async with registry_world({"default": ("one", "two")}) as world:
        await world.sync("one", servers("a", "b"))
        await world.sync("two", servers("b", "c", version="2.0.0"))
        before = (await world.storage.head()).position
        await world.configure({"default": ("two",)})

        page = await world.services.feed.page(None, Mark(before), 100)
        told = [(change.name, change.outcome) for change in page.changes]
        assert told[:2] == [(named("a"), Outcome.REMOVED), (named("b"), Outcome.CHANGED)]
        assert [parse_mark(change.mark).name for change in page.changes[:2]] == [
            named("a"),
            named("b"),
        ]

        # who has the first half of a turn gets the other one, in the feed and in the history
        rest = await world.services.feed.page(None, parse_mark(page.changes[0].mark), 100)
        assert rest.changes == page.changes[1:]
        history = await world.services.feed.history(None, named("b"), Mark(before), 100)
        assert [change.mark for change in history.changes] == [
            change.mark for change in page.changes if change.name == named("b")
        ]


async def test_a_redaction_is_told(world: RegistryWorld):
    """Of every server that showed the document: who keeps a copy hears that it is gone."""
    same = [server("com.example/two", "1.0.0", title="Same"), *servers("one")]
    await world.sync("main", same)
    (served,) = await (await world.registries.asked()).named(named("two"))
    event = DocumentRedacted(
        document_hash=served.entry.document_hash, reason="a court", redacted_by="someone"
    )
    await RedactionBook(world.storage, world.log).redact(event)
    position = (await world.projector.catch_up()).position

    feed = world.services.feed
    for page in (
        await feed.page(None, Mark(position - 1), 10, INPUTS),
        await feed.history(None, named("two"), Mark(position - 1), 10, INPUTS),
    ):
        (change,) = page.changes
        assert (change.name, change.outcome) == (named("two"), Outcome.CHANGED)
        assert change.redacted
        assert change.mark == f"{position}:server:com.example/two"
        (version,) = change.versions
        assert isinstance(version.body, Redaction)
        assert not version.differences
    told = await feed.latest(None, 1, SHOWN, upto=position)
    assert [change.mark for change in told] == [change.mark]
    assert not (await feed.page(None, parse_mark(change.mark), 10)).changes
    assert not (await feed.history(None, named("one"), Mark(position - 1), 10)).changes


async def test_nobody_is_sent_back(world: RegistryWorld):
    """Another process may know more than this one: its reader waits here at its own mark."""
    ahead = Mark(world.registries.live.position + 10)
    page = await world.services.feed.page(None, ahead, 10)
    assert (page.changes, page.next, page.is_last) == ([], ahead, True)
    assert page.position == world.registries.live.position


async def test_a_page_looks_at_so_many_names_only(monkeypatch: pytest.MonkeyPatch):
    """It may be empty and not the last; who goes on comes to the end."""
    monkeypatch.setattr(change_feed, "_MOST_LOOKED_AT", 3)
    async with registry_world() as world:
        await world.sync("main", servers(*"abcdefgh"))
        mark, pages = BEGINNING, []
        while not pages or not pages[-1].is_last:
            pages.append(await world.services.feed.page(None, mark, 3, INPUTS))
            mark = pages[-1].next
        assert len(pages) > 2
        assert not any(page.changes for page in pages)
        assert mark == Mark(world.registries.live.position)


async def test_what_never_was_has_no_history(world: RegistryWorld):
    """Neither a server nor a registry; one that is gone has."""
    feed = world.services.feed
    with pytest.raises(ServerNotFoundError, match="never had"):
        await feed.history(None, named("none"), BEGINNING, 10)
    with pytest.raises(RegistryNotFoundError):
        await feed.history("none", named("one"), BEGINNING, 10)
    with pytest.raises(RegistryNotFoundError):
        await feed.page("none", BEGINNING, 10)
    await world.sync("main", [])
    history = await feed.history(None, named("one"), BEGINNING, 10)
    assert [change.outcome for change in history.changes] == [Outcome.ADDED, Outcome.REMOVED]


async def test_a_server_that_was_not_yet_there_has_no_history_then(world: RegistryWorld):
    """Up to a position before it came."""
    with pytest.raises(ServerNotFoundError):
        await world.services.feed.history(None, named("one"), BEGINNING, 10, upto=2)


async def test_the_last_changes_are_found_from_the_end_on(monkeypatch: pytest.MonkeyPatch):
    """However long the stretches are that nothing happened in, and however full the others."""
    monkeypatch.setattr(change_feed, "_STRETCH", 4)
    async with registry_world({"default": ("main",), "other": ("main",)}) as world:
        await world.sync("main", servers(*"abcdefgh"))
        for _ in range(20):
            await world.sync("main", servers(*"abcdefgh"))
        await world.sync("main", servers(*"abcdefg"))
        end = world.registries.live.position
        latest = await world.services.feed.latest(None, 5, SHOWN, upto=end)
        assert [change.name.name[-1] for change in latest] == list("hhgfe")
        everything = await world.services.feed.page(None, BEGINNING, 100, SHOWN)
        assert list(latest) == list(reversed(everything.changes))[:5]


async def test_the_last_changes_are_sought_so_far_only(monkeypatch: pytest.MonkeyPatch):
    """Where all lately is of other classes there may be none."""
    monkeypatch.setattr(change_feed, "_STRETCH", 2)
    monkeypatch.setattr(change_feed, "_MOST_STRETCHES", 3)
    async with registry_world() as world:
        await world.sync("main", servers(*"abcdefgh"))
        end = world.registries.live.position
        assert not await world.services.feed.latest(None, 5, INPUTS, upto=end)
        assert 2 <= len(await world.services.feed.latest(None, 5, SHOWN, upto=end)) <= 5
