"""The catalogs as rows of a view."""

from collections.abc import Sequence

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from application.event_log import LoggedEvent, catalog_stream
from application.projections import CATALOGS
from application.projections.catalogs import Catalogs, fold_catalogs
from domain.catalog import Catalog, Recorded, evolve
from domain.diff import Offer
from domain.entry import Lifecycle
from domain.identifiers import CommitId, EntryKey, EntryKind, SourceName
from domain.ports.storage import ViewChange
from tests.harness.live_view import sized_catalogs
from tests.harness.strategies import commits_of, entry_of, histories

KEY = EntryKey(EntryKind.SERVER, "io.example/a", "1.0.0")
OFFERED = Offer(
    kept={KEY: entry_of(KEY, 0, Lifecycle())}, filtered=frozenset(), doubtful=frozenset()
)
NOTHING = attrs.evolve(OFFERED, kept={})
SOURCES = (SourceName("a"), SourceName("b-c"))


def logged(source: SourceName, commit: Sequence[Recorded]) -> list[LoggedEvent]:
    """A commit as it comes out of the log."""
    return [
        LoggedEvent(
            position=position,
            commit_id=CommitId("c"),
            recorded_at=at,
            effective_at=at,
            stream=catalog_stream(source),
            event=event,
        )
        for at, position, event in commit
    ]


def commits_by_source(both: Sequence[Sequence[Offer]]) -> list[list[LoggedEvent]]:
    """The commits of two sources, one after the other, without those that have no events."""
    return [
        logged(source, commit)
        for source, history in zip(SOURCES, both, strict=True)
        for commit in commits_of(history)
        if commit
    ]


def step(rows: dict[str, bytes], events: Sequence[LoggedEvent]) -> Sequence[ViewChange]:
    """A step over the rows that it asks for alone, which are changed by it."""
    known = [
        (key, rows[key])
        for start, stop in CATALOGS.ranges(events)
        for key in sorted(rows)
        if start <= key < stop
    ]
    changes = CATALOGS.changes(known, events)
    for change in changes:
        rows.update(change.puts)
    return changes


@given(st.tuples(histories(), histories()))
def test_rows_are_the_state_after_every_step(both: Sequence[Sequence[Offer]]) -> None:
    """What the steps put is all there is to know, and what they delete is nothing."""
    state: Catalogs = {}
    rows: dict[str, bytes] = {}
    for commit in commits_by_source(both):
        for change in step(rows, commit):
            assert change.deletes == frozenset()
        state = fold_catalogs(state, commit)
        assert sized_catalogs(rows.items()) == state


@given(st.tuples(histories(), histories()))
def test_only_rows_that_changed_are_put(both: Sequence[Sequence[Offer]]) -> None:
    """A step writes no row that the view has already."""
    rows: dict[str, bytes] = {}
    for commit in commits_by_source(both):
        before = dict(rows)
        for change in step(rows, commit):
            assert all(before.get(key) != row for key, row in change.puts.items())


@example([OFFERED, NOTHING, OFFERED, NOTHING], 2)
@given(histories(), st.integers(0, 6))
def test_the_rows_of_many_commits_are_the_state(history: Sequence[Offer], split: int) -> None:
    """Also where a version comes and goes again within one step."""
    rows: dict[str, bytes] = {}
    commits = commits_of(history)
    for part in (commits[:split], commits[split:]):
        step(rows, logged(SOURCES[0], [event for one in part for event in one]))
    events = [event for commit in commits for event in commit]
    told = {SOURCES[0]: evolve(Catalog(), events)} if events else {}
    assert sized_catalogs(rows.items()) == told


@given(histories())
def test_commits_may_be_folded_together(history: Sequence[Offer]) -> None:
    """Many commits at once are the same as one by one, and as the fold of the domain."""
    commits = commits_of(history)
    events = [event for commit in commits for event in commit]
    one_by_one: Catalogs = {}
    for commit in commits:
        one_by_one = fold_catalogs(one_by_one, logged(SOURCES[0], commit))
    assert one_by_one == fold_catalogs({}, logged(SOURCES[0], events))
    assert one_by_one == ({SOURCES[0]: evolve(Catalog(), events)} if events else {})
