"""Marks name whoever may have a needle, and hardly anyone else."""

from collections.abc import Mapping

import attrs
from hypothesis import given
from hypothesis import strategies as st

from application.search_marks import (
    ALL_SLOTS,
    NO_MARKS,
    SLOTS,
    Marks,
    marked,
    moved,
    slots_of,
    slots_with,
)

SHELVES = 3

numbered = st.dictionaries(st.integers(0, SHELVES * SLOTS - 1), st.lists(st.text(), min_size=1))


def found_in(marks: Marks, needle: str, shelves: int = SHELVES) -> list[int]:
    """The numbers of the names that may have it."""
    return [
        at * SLOTS + slot
        for at, found in enumerate(slots_with(marks, shelves, needle))
        for slot in sorted(slots_of(found))
    ]


@given(numbered.filter(bool), numbered, st.data())
def test_no_part_of_a_text_is_refused(
    texts: Mapping[int, list[str]], more: Mapping[int, list[str]], data: st.DataObject
) -> None:
    """Marks never deny what is there, also when texts were added to them."""
    number = data.draw(st.sampled_from(sorted(texts)))
    text = data.draw(st.sampled_from(texts[number]))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    marks = marked(marked(NO_MARKS, SHELVES, texts.items()), SHELVES, more.items())
    assert number in found_in(marks, text[start:end])


@given(
    st.dictionaries(st.integers(0, SHELVES * SLOTS - 1), st.lists(st.text(max_size=4))),
    st.dictionaries(st.integers(0, SHELVES - 1), st.integers(0, 3)),
    st.text(max_size=3).filter(lambda needle: len(needle.encode()) > 1),
)
def test_shelves_that_give_way_take_along_what_was_on_them_and_nothing_else(
    texts: Mapping[int, list[str]], laid: Mapping[int, int], needle: str
) -> None:
    """The marks are as if they had been made for the shelves that stayed, where they are now."""
    before = range(SHELVES)
    shelves = sum(laid.get(at, 1) for at in before)
    places = {at: sum(laid.get(each, 1) for each in range(at)) for at in before if at not in laid}
    stayed = {
        places[number // SLOTS] * SLOTS + number % SLOTS: held
        for number, held in texts.items()
        if number // SLOTS in places
    }
    now = moved(marked(NO_MARKS, SHELVES, texts.items()), SHELVES, laid)
    expected = marked(NO_MARKS, shelves, stayed.items())
    assert found_in(now, needle, shelves) == found_in(expected, needle, shelves)


@given(st.sets(st.integers(0, SLOTS - 1)))
def test_a_set_of_slots_is_told(slots: set[int]) -> None:
    """Every slot once."""
    assert sorted(slots_of(sum(1 << slot for slot in slots))) == sorted(slots)


def test_what_is_not_there_is_refused_from_two_letters_on() -> None:
    """Pairs, longer texts and a letter beyond ASCII are told at once, one ASCII letter is not."""
    marks = marked(NO_MARKS, SHELVES, [(0, ["io.example/weather forecasts"])])
    assert not any(found_in(marks, needle) for needle in ("zq", "é", "wether", "x/w"))
    assert list(slots_with(marks, SHELVES, "z")) == [ALL_SLOTS] * SHELVES
    assert list(slots_with(marks, SHELVES, "")) == [ALL_SLOTS] * SHELVES


def test_names_are_told_apart_from_three_letters_on() -> None:
    """Of the names of all shelves only those that may have the needle are told."""
    marks = marked(NO_MARKS, SHELVES, [(0, ["weather"]), (191, ["forecast", "feather"])])
    assert found_in(marks, "weather") == [0]
    assert found_in(marks, "feather") == [191]
    assert found_in(marks, "eather") == [0, 191]


def test_two_letters_tell_eight_names_apart_from_all_others() -> None:
    """So many share a bit for each pair of letters."""
    marks = marked(NO_MARKS, SHELVES, [(70, ["ab"])])
    assert found_in(marks, "ab") == list(range(64, 72))


def test_marks_that_are_added_to_stay_as_they_were() -> None:
    """An index may be served while another is made of it."""
    before = marked(NO_MARKS, SHELVES, [(0, ["weather"])])
    kept = attrs.evolve(before, triples=dict(before.triples), pairs=dict(before.pairs))
    marked(before, SHELVES, [(1, ["forecast"])])
    moved(before, SHELVES, {0: 2})
    assert before == kept
    assert Marks({}, {}) == NO_MARKS


def test_a_pair_of_letters_is_taken_for_no_other() -> None:
    """Pairs share no bits."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-./ "
    pairs = [*(a + b for a in letters for b in letters), *"éèñøłданمس"]
    for held in ("ab", "é"):
        marks = marked(NO_MARKS, SHELVES, [(0, [held])])
        assert [pair for pair in pairs if found_in(marks, pair)] == [held]
