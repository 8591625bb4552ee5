"""Marks name whoever may have a needle, and hardly anyone else."""

from hypothesis import given
from hypothesis import strategies as st

from application.search_marks import (
    ALL_SLOTS,
    EMPTY_MARK,
    SLOTS,
    marked,
    probe,
    rarest_first,
    slots_of,
    slots_with,
)


@given(
    st.dictionaries(st.integers(0, SLOTS - 1), st.lists(st.text(), min_size=1), min_size=1),
    st.lists(st.tuples(st.integers(0, SLOTS - 1), st.lists(st.text()))),
    st.data(),
)
def test_no_part_of_a_text_is_refused(
    texts: dict[int, list[str]], more: list[tuple[int, list[str]]], data: st.DataObject
) -> None:
    """A mark never denies what is there, also when texts were added to it."""
    slot = data.draw(st.sampled_from(sorted(texts)))
    text = data.draw(st.sampled_from(texts[slot]))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    mark = marked(marked(EMPTY_MARK, texts.items()), more)
    wanted = probe(text[start:end])
    assert slot in slots_of(slots_with(mark, wanted))
    assert slots_with(mark, rarest_first(wanted, [mark])) == slots_with(mark, wanted)


@given(st.sets(st.integers(0, SLOTS - 1)))
def test_a_set_of_slots_is_told_in_order(slots: set[int]) -> None:
    """Every slot once, the lowest first."""
    assert list(slots_of(sum(1 << slot for slot in slots))) == sorted(slots)


def test_what_is_not_there_is_refused_from_two_letters_on() -> None:
    """Pairs, longer texts and a letter beyond ASCII are told at once, one ASCII letter is not."""
    mark = marked(EMPTY_MARK, [(0, ["io.example/weather forecasts"])])
    assert not any(slots_with(mark, probe(needle)) for needle in ("zq", "é", "wether", "x/w"))
    assert slots_with(mark, probe("z")) == slots_with(mark, probe("")) == ALL_SLOTS


def test_names_are_told_apart_from_three_letters_on() -> None:
    """Of the names of a mark only those that may have the needle are told."""
    mark = marked(EMPTY_MARK, [(0, ["weather"]), (63, ["forecast", "feather"])])
    assert list(slots_of(slots_with(mark, probe("weather")))) == [0]
    assert list(slots_of(slots_with(mark, probe("feather")))) == [63]
    assert list(slots_of(slots_with(mark, probe("eather")))) == [0, 63]


def test_a_mark_that_is_added_to_stays_as_it_was() -> None:
    """Shelves may share a mark: what comes to one is not found on the other."""
    before = marked(EMPTY_MARK, [(0, ["weather"])])
    marked(before, [(1, ["forecast"])])
    assert not slots_with(before, probe("forecast"))
    assert not any(EMPTY_MARK)


def test_a_pair_of_ascii_letters_is_taken_for_no_other() -> None:
    """The bits of pairs are not shared by letters as texts have them."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-./ "
    pairs = {a + b for a in letters for b in letters}
    mark = marked(EMPTY_MARK, [(0, ["ab"])])
    assert [pair for pair in pairs if slots_with(mark, probe(pair))] == ["ab"]
