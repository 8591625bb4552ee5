"""How far a walk has come: nothing is missed afterwards, and little comes twice."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.api_mark import PAGE, mark_after, trusted_until

SECOND = 10**6
MINUTE = 60 * SECOND
moments = st.integers(10**9, 10**9 + 3 * MINUTE)


@given(updated=st.lists(moments, max_size=300), until=moments)
def test_nothing_beyond_what_can_be_trusted_is_taken_for_seen(
    updated: list[int], until: int
) -> None:
    """Everything later than the trusted time is asked for again."""
    mark = mark_after(updated, until, None)
    assert mark is None or mark <= until


@given(updated=st.lists(moments, min_size=1, max_size=300), until=moments)
def test_less_than_a_page_of_what_is_known_comes_again(updated: list[int], until: int) -> None:
    """The overlap ends where it would cost another request."""
    mark = mark_after(updated, until, None)
    assert mark is None or sum(mark < moment <= until for moment in updated) < PAGE


@given(updated=st.lists(moments, min_size=1, max_size=300), known=moments)
def test_mark_stays_while_nothing_is_newer(updated: list[int], known: int) -> None:
    """What comes again for the overlap's sake does not move the mark, so the question stays."""
    until = max(updated)
    mark = mark_after([moment for moment in updated if moment > known], until, known)
    assert mark is not None
    again = [moment for moment in updated if moment > mark]
    assert mark_after(again, until, mark) == mark


def test_overlap_is_a_minute() -> None:
    """An update that shows within a minute of its stamp is not lost."""
    assert mark_after([5 * MINUTE, 7 * MINUTE], 10 * MINUTE, None) == 6 * MINUTE


def test_entries_that_were_updated_at_once_do_not_come_again() -> None:
    """A registry that was filled in one stroke is not read twice."""
    assert mark_after([MINUTE] * 100_000, MINUTE, None) == MINUTE


def test_walk_that_saw_nothing_final_has_no_mark_of_its_own() -> None:
    """What is newer than the server's clock is simply read again."""
    assert mark_after([2 * MINUTE], MINUTE, None) is None
    assert mark_after([2 * MINUTE], MINUTE, 7) == 7


@given(st.data(), st.integers(1, 12))
def test_no_update_is_missed_whatever_happens_during_a_walk(
    data: st.DataObject, servers: int
) -> None:
    """After a full walk and some for updates, the last update of everything has been seen.

    Entries are updated before, between and after the pages. The server's clock goes on, but need
    not; `Date` has whole seconds or is not sent, stamps may have whole seconds too. A page has
    one entry here, which may stand for a hundred that are updated together.
    """
    steps = st.integers(0, 2 * SECOND) | st.integers(0, 2 * MINUTE)
    has_date, weight = data.draw(st.booleans()), data.draw(st.sampled_from([1, PAGE]))
    resolution = data.draw(st.sampled_from([1, SECOND]))
    clock, updates = 10**9, 0
    updated: dict[int, tuple[int, int]] = {}
    seen: dict[int, tuple[int, int]] = {}

    def let_time_pass(most: int) -> None:
        nonlocal clock, updates
        for _ in range(data.draw(st.integers(0, most))):
            clock += data.draw(steps)
            updates += 1
            stamp = clock // resolution * resolution
            updated[data.draw(st.integers(0, servers - 1))] = stamp, updates

    def walk(since: int | None, most: int) -> int | None:
        """Page by page, with the server going on between them; the mark afterwards."""
        date = clock // SECOND * SECOND if has_date else None
        began, shown = clock, []
        for name in range(servers):
            if name in updated and (since is None or updated[name][0] > since):
                seen[name] = updated[name]
                shown += [updated[name][0]] * weight
            let_time_pass(most)
        if not shown:
            return since
        until = trusted_until(max(shown), date, clock - began, is_snapshot=False, is_late=False)
        return mark_after(shown, until, since)

    let_time_pass(servers)
    mark = walk(None, 2)
    for most in (*data.draw(st.lists(st.just(2), max_size=2)), 0):
        mark = walk(mark, most)
    assert seen == updated


def test_snapshot_is_final_up_to_its_newest_update() -> None:
    """Where no page could differ from another, the second that the clock is in counts too."""
    newest = 100 * SECOND + 7
    assert trusted_until(newest, 100 * SECOND, 0, is_snapshot=True, is_late=False) > newest
    assert trusted_until(newest, None, 5, is_snapshot=True, is_late=False) == newest


def test_update_from_the_future_is_not_trusted() -> None:
    """One entry with a wrong year does not hide all updates until then."""
    until = trusted_until(10**15, MINUTE, 0, is_snapshot=True, is_late=False)
    assert mark_after([10**15, MINUTE], until, None) == 0


def test_server_that_shows_updates_late_is_given_time() -> None:
    """A registry that tells that it changed during the walk may have stamped that before it."""
    late = trusted_until(10 * MINUTE, 9 * MINUTE, 0, is_snapshot=False, is_late=True)
    assert 8 * MINUTE - SECOND <= late < 8 * MINUTE
