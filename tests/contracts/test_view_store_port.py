"""What ViewStorePort promises, on every adapter."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import anyio
import pytest

from domain.identifiers import Position
from domain.ports.storage import RowVersion, StoragePort, View, ViewChange
from tests.harness.new_commits import collect

ROWS = 2500  # more than comes in one batch
VIEW = View("catalog", 1)
PAST = View("past", 1, keeps_past=True)
BOTH = pytest.mark.parametrize("view", [VIEW, PAST], ids=["present", "past"])
KEYS = ["", "\0", "a", "a\0", "a b", "é", "\uffff", "😀", "'", "%"]
END = chr(0x10FFFF)


def change(since: Position, *deletes: str, **puts: str) -> ViewChange:
    """Rows put and deleted at a position."""
    rows = {key: value.encode() for key, value in puts.items()}
    return ViewChange(since=since, puts=rows, deletes=frozenset(deletes))


CHANGES = (
    change(2, a="1", b="1"),
    change(3, a="2"),
    change(5, "b", c="1"),
    change(6, "a", "c", "unknown"),
    change(9, b="2", a="3"),
    change(10, "a", a="4"),
)
"""Rows that come, are replaced, go and come back, the last one deleted and put at once."""


def told(changes: Sequence[ViewChange]) -> Mapping[Position, Mapping[str, bytes]]:
    """The rows after each change, by its position."""
    rows: dict[str, bytes] = {}
    after: dict[Position, Mapping[str, bytes]] = {0: {}}
    for one in changes:
        kept = {key: value for key, value in rows.items() if key not in one.deletes}
        rows = {**kept, **one.puts}
        after[one.since] = rows
    return after


async def advance_all(storage: StoragePort, view: View, at_once: int = 1) -> None:
    """Apply CHANGES, some at a time."""
    for start in range(0, len(CHANGES), at_once):
        some = CHANGES[start : start + at_once]
        after = await storage.checkpoint(view)
        assert await storage.advance(view, some, after=after, upto=some[-1].since)


async def read(storage: StoragePort, view: View, at: Position) -> Mapping[str, bytes]:
    """All rows as of a position."""
    return dict(await storage.rows_at(view, at, start="", stop=END, limit=ROWS * 2))


async def history(storage: StoragePort, view: View) -> list[tuple[str, Position, Position | None]]:
    """From when to when each row held something."""
    versions = await storage.row_history(view, start="", stop=END)
    return [(row.key, row.since, row.until) for row in versions]


@BOTH
async def test_a_view_advances_from_its_checkpoint_only(storage: StoragePort, view: View) -> None:
    """A step from anywhere else returns False, and changes nothing, of now or of the past."""
    put = change(2, b="1", a="2")
    assert await storage.checkpoint(view) == 0
    assert not await storage.advance(view, [put], after=1, upto=2)
    assert await storage.checkpoint(view) == 0
    assert await storage.advance(view, [put], after=0, upto=3)
    later = change(4, "a", "unknown", b="", c="3")
    for elsewhere in (0, 2, 4):
        assert not await storage.advance(view, [later], after=elsewhere, upto=9)
        assert await collect(storage.rows(view)) == [("a", b"2"), ("b", b"1")]
        assert await history(storage, view) == [("a", 2, None), ("b", 2, None)]
    assert await storage.advance(view, [later], after=3, upto=4)
    assert await collect(storage.rows(view)) == [("b", b""), ("c", b"3")]
    assert await storage.checkpoint(view) == 4


@BOTH
async def test_one_of_many_steps_wins(storage: StoragePort, view: View) -> None:
    """Of steps from the same checkpoint, at once, exactly one is taken, wholly."""
    taken: list[str] = []

    async def step(name: str) -> None:
        puts = {name: b"", "winner": name.encode()}
        if await storage.advance(view, [ViewChange(since=1, puts=puts)], after=0, upto=1):
            taken.append(name)

    async with anyio.create_task_group() as group:
        for name in "abcde":
            group.start_soon(step, name)
    (winner,) = taken
    assert await collect(storage.rows(view)) == [(winner, b""), ("winner", winner.encode())]


@BOTH
@pytest.mark.parametrize("at_once", [1, 2, len(CHANGES)])
async def test_changes_are_made_in_their_order(
    storage: StoragePort, view: View, at_once: int
) -> None:
    """However many come in one step, and deletes of a change before its puts."""
    await advance_all(storage, view, at_once)
    assert await collect(storage.rows(view)) == [("a", b"4"), ("b", b"2")]
    assert await storage.checkpoint(view) == CHANGES[-1].since


@BOTH
async def test_rows_come_in_the_order_of_keys(storage: StoragePort, view: View) -> None:
    """Over more than one batch, whatever the keys: they order by code points."""
    puts = {key: key.encode() for key in [*KEYS, *map(str, range(ROWS))]}
    await storage.advance(view, [ViewChange(since=1, puts=puts)], after=0, upto=1)
    assert await collect(storage.rows(view)) == sorted(puts.items())
    found = await storage.rows_at(view, 1, start="", stop=END, limit=ROWS * 2)
    assert list(found) == sorted(puts.items())


@pytest.mark.parametrize("at_once", [1, 2, len(CHANGES)])
async def test_the_past_is_as_it_was_at_every_position(storage: StoragePort, at_once: int) -> None:
    """A row holds from the position it was put at, up to the one before it was replaced or went."""
    await advance_all(storage, PAST, at_once)
    after = told(CHANGES)
    for position in range(CHANGES[-1].since + 2):
        last = max(since for since in after if since <= position)
        assert await read(storage, PAST, position) == after[last], position


async def test_all_that_a_row_ever_held_is_told(storage: StoragePort) -> None:
    """By key, then position; where it was deleted there is a gap."""
    await advance_all(storage, PAST)
    assert await storage.row_history(PAST, start="a", stop="b") == [
        RowVersion(key="a", since=2, until=3, value=b"1"),
        RowVersion(key="a", since=3, until=6, value=b"2"),
        RowVersion(key="a", since=9, until=10, value=b"3"),
        RowVersion(key="a", since=10, until=None, value=b"4"),
    ]
    others = [("b", 2, 5), ("b", 9, None), ("c", 5, 6)]
    assert (await history(storage, PAST))[4:] == others
    assert await storage.row_history(PAST, start="b", stop="b") == []


@BOTH
async def test_a_range_begins_with_its_start_and_ends_before_its_stop(
    storage: StoragePort, view: View
) -> None:
    """For all pairs of keys, and those just beside them; a limit takes the first ones."""
    changes = [
        ViewChange(since=1, puts=dict.fromkeys(KEYS, b"old")),
        ViewChange(since=2, puts=dict.fromkeys(KEYS[::2], b"new")),
    ]
    await storage.advance(view, changes, after=0, upto=2)
    rows = await collect(storage.rows(view))
    bounds = sorted({*KEYS, *(key + "\0" for key in KEYS), END})
    for start in bounds:
        for stop in bounds:
            wanted = [(key, value) for key, value in rows if start <= key < stop]
            for limit in (1, 3, len(KEYS)):
                found = await storage.rows_at(view, 2, start=start, stop=stop, limit=limit)
                assert list(found) == wanted[:limit]
            versions = await storage.row_history(view, start=start, stop=stop)
            assert [v.key for v in versions if v.until is None] == [key for key, _ in wanted]


@BOTH
async def test_many_ranges_are_read_at_once(storage: StoragePort, view: View) -> None:
    """By range in the order given, then by key; rows of ranges that overlap come again."""
    changes = [
        ViewChange(since=1, puts=dict.fromkeys([*KEYS, "gone"], b"old")),
        ViewChange(since=2, puts=dict.fromkeys(KEYS[::2], b"new"), deletes=frozenset(["gone"])),
    ]
    await storage.advance(view, changes, after=0, upto=2)
    rows = await collect(storage.rows(view))
    bounds = sorted({*KEYS, *(key + "\0" for key in KEYS), END})
    ranges = [(start, stop) for start in reversed(bounds) for stop in bounds]
    found = await storage.rows_within(view, ranges)
    assert list(found) == [row for a, b in ranges for row in rows if a <= row[0] < b]
    assert list(await storage.rows_within(view, [])) == []
    assert list(await storage.rows_within(View("unknown", 1), ranges)) == []


async def test_pages_of_the_past_join_to_one_read(storage: StoragePort) -> None:
    """Each begins beyond the last key of the one before, over rows of now and of the past."""
    changes = [
        ViewChange(since=at, puts={key: str(at).encode() for key in KEYS[at % 3 :: 2]})
        for at in range(1, 7)
    ]
    await storage.advance(PAST, changes, after=0, upto=6)
    for position in range(7):
        whole = await storage.rows_at(PAST, position, start="", stop=END, limit=ROWS)
        for limit in (1, 2, 3):
            joined: list[tuple[str, bytes]] = []
            start = ""
            while page := await storage.rows_at(PAST, position, start=start, stop=END, limit=limit):
                joined += page
                start = page[-1][0] + "\0"
            assert joined == list(whole)


async def test_changes_are_told_where_rows_were_put(storage: StoragePort) -> None:
    """Each put once, in the order of positions and keys, also where the row went since."""
    await advance_all(storage, PAST)
    puts = sorted((one.since, key) for one in CHANGES for key in one.puts)
    afters = [(0, ""), *((at, key + more) for at, key in puts for more in ("", "\0")), (5, END)]
    for after in afters:
        for upto in range(CHANGES[-1].since + 2):
            wanted = [put for put in puts if after < put and put[0] <= upto]
            for limit in (1, 2, len(puts)):
                found = await storage.row_changes(PAST, after=after, upto=upto, limit=limit)
                assert list(found) == wanted[:limit], (after, upto, limit)


async def test_pages_of_changes_join_to_one_read(storage: StoragePort) -> None:
    """Whatever the size of a page, also within the rows of one position."""
    puts = [ViewChange(since=at, puts=dict.fromkeys(KEYS[at:], b"")) for at in range(1, 4)]
    await storage.advance(PAST, puts, after=0, upto=3)
    whole = await storage.row_changes(PAST, after=(0, ""), upto=3, limit=ROWS)
    assert [place for place in pairwise(whole) if place[0] >= place[1]] == []
    for limit in (1, 2, 5):
        joined: list[tuple[Position, str]] = []
        after = (0, "")
        while page := await storage.row_changes(PAST, after=after, upto=3, limit=limit):
            joined += page
            after = page[-1]
        assert joined == list(whole)


async def test_a_view_without_a_past_keeps_none(storage: StoragePort) -> None:
    """It knows what holds now and since when, and nothing else."""
    await advance_all(storage, VIEW)
    assert await history(storage, VIEW) == [("a", 10, None), ("b", 9, None)]
    assert await read(storage, VIEW, 9) == {"b": b"2"}
    assert await read(storage, VIEW, 8) == {}
    found = await storage.row_changes(VIEW, after=(0, ""), upto=99, limit=99)
    assert list(found) == [(9, "b"), (10, "a")]


@BOTH
async def test_a_dropped_view_can_be_made_anew(storage: StoragePort, view: View) -> None:
    """Nothing of it is left, and what is made from the same changes is the same."""
    await advance_all(storage, view)
    before = (await collect(storage.rows(view)), await history(storage, view))
    await storage.drop(view)
    assert await storage.checkpoint(view) == 0
    assert (await collect(storage.rows(view)), await history(storage, view)) == ([], [])
    assert list(await storage.row_changes(view, after=(0, ""), upto=99, limit=99)) == []
    await advance_all(storage, view)
    assert (await collect(storage.rows(view)), await history(storage, view)) == before


async def test_views_do_not_touch_each_other(storage: StoragePort) -> None:
    """Versions stand beside each other with their past, and dropping one leaves the others."""
    views = [PAST, View("past", 2, keeps_past=True), View("servers", 1, keeps_past=True)]
    for number, view in enumerate(views, 1):
        rows = [change(1, a="old"), change(number + 1, a=str(number))]
        assert await storage.advance(view, rows, after=0, upto=number + 1)
    await storage.drop(PAST)
    await storage.drop(View("unknown", 1))
    found = [(await storage.checkpoint(v), await collect(storage.rows(v))) for v in views]
    assert found == [(0, []), (3, [("a", b"2")]), (4, [("a", b"3")])]
    assert [await read(storage, view, 1) for view in views] == [{}, {"a": b"old"}, {"a": b"old"}]
    assert await storage.advance(PAST, [], after=0, upto=7)
    assert (await storage.checkpoint(PAST), await collect(storage.rows(PAST))) == (7, [])
