"""Marks let pass whatever is in their texts, and refuse most of what is not."""

from hypothesis import given
from hypothesis import strategies as st

from application.search_marks import EMPTY_MARK, marked, may_hold, probes


@given(st.lists(st.text(), min_size=1), st.lists(st.text()), st.data())
def test_no_part_of_a_text_is_refused(
    texts: list[str], more: list[str], data: st.DataObject
) -> None:
    """A mark never denies what is there, also when texts were added to it."""
    text = data.draw(st.sampled_from(texts))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    mark = marked(marked(EMPTY_MARK, texts), more)
    assert may_hold(mark, probes(text[start:end]))


def test_what_is_not_there_is_refused_from_two_letters_on() -> None:
    """Pairs, longer texts and a letter beyond ASCII are told at once, one ASCII letter is not."""
    mark = marked(EMPTY_MARK, ["io.example/weather forecasts"])
    assert not any(may_hold(mark, probes(needle)) for needle in ("zq", "é", "wether", "x/w"))
    assert not probes("z")
    assert not probes("")


def test_a_pair_of_ascii_letters_is_taken_for_no_other() -> None:
    """The bits of pairs are not shared by letters as texts have them."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-./ "
    pairs = {a + b for a in letters for b in letters}
    mark = marked(EMPTY_MARK, ["ab"])
    assert [pair for pair in pairs if may_hold(mark, probes(pair))] == ["ab"]
