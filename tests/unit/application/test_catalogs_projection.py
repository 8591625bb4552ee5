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


@given(st.tuples(histories(), histories()))
def test_rows_restore_the_state_after_every_step(both: Sequence[Sequence[Offer]]) -> None:
    """What the steps put is all there is to know, and what they delete is nothing."""
    state: Catalogs = {}
    rows: dict[str, bytes] = {}
    for commit in commits_by_source(both):
        step = CATALOGS.step(state, commit)
        for change in step.changes:
            assert change.deletes == frozenset()
            rows.update(change.puts)
        state = step.state
        assert CATALOGS.restore(sorted(rows.items())) == state


@given(st.tuples(histories(), histories()))
def test_only_rows_that_changed_are_put(both: Sequence[Sequence[Offer]]) -> None:
    """A step writes no row that the view has already."""
    state: Catalogs = {}
    rows: dict[str, bytes] = {}
    for commit in commits_by_source(both):
        step = CATALOGS.step(state, commit)
        for change in step.changes:
            assert all(rows.get(key) != row for key, row in change.puts.items())
            rows.update(change.puts)
        state = step.state


@example([OFFERED, NOTHING, OFFERED, NOTHING], 2)
@given(histories(), st.integers(0, 6))
def test_the_rows_of_many_commits_restore_the_state(history: Sequence[Offer], split: int) -> None:
    """Also where a version comes and goes again within one step."""
    state: Catalogs = {}
    rows: dict[str, bytes] = {}
    commits = commits_of(history)
    for part in (commits[:split], commits[split:]):
        step = CATALOGS.step(state, logged(SOURCES[0], [event for one in part for event in one]))
        for change in step.changes:
            rows.update(change.puts)
        state = step.state
    assert CATALOGS.restore(sorted(rows.items())) == state


@given(histories())
def test_commits_may_come_together(history: Sequence[Offer]) -> None:
    """Many commits in one step are the same as one by one, and as the fold of the domain."""
    commits = commits_of(history)
    events = [event for commit in commits for event in commit]
    together = CATALOGS.step({}, logged(SOURCES[0], events)).state
    one_by_one: Catalogs = {}
    for commit in commits:
        one_by_one = fold_catalogs(one_by_one, logged(SOURCES[0], commit))
    assert together == one_by_one == ({SOURCES[0]: evolve(Catalog(), events)} if events else {})


@given(histories())
def test_a_step_leaves_the_state_before_it(history: Sequence[Offer]) -> None:
    """The old state can still be answered from."""
    state: Catalogs = {}
    for commit in commits_of(history):
        before = {source: Catalog(dict(catalog.names)) for source, catalog in state.items()}
        after = CATALOGS.step(state, logged(SOURCES[0], commit)).state
        assert state == before
        state = after
