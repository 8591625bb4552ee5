"""Where responses lie, and what is read from there."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from application.responses import HeldResponses, joined, runs
from application.shelves import ServedVersion


def lying(*places: tuple[int, int]) -> list[ServedVersion]:
    """Versions of which nothing but the places matters."""
    return [
        ServedVersion(
            name="n",
            version="1",
            document_hash=b"",
            start=start,
            end=end,
            redaction=None,
            updated_us=0,
            published_us=0,
            is_latest=False,
            is_deleted=False,
        )
        for start, end in places
    ]


async def test_what_follows_each_other_is_read_in_one_piece() -> None:
    """Without the comma at its end."""
    held = HeldResponses(b"aa,b,cc,d,")
    assert runs(lying((0, 3), (3, 5), (8, 10))) == [(0, 5), (8, 9)]
    assert await joined(held, lying((0, 3), (3, 5), (8, 10)), b"[", b"]") == b"[aa,b,d]"
    assert await joined(held, lying((8, 10), (0, 3))) == b"d,aa"
    assert await joined(held, [], b"[", b"]") == b"[]"


@given(st.lists(st.text("ab", max_size=3), min_size=1, max_size=6), st.data())
async def test_any_versions_are_read_in_their_order(texts: list[str], data: st.DataObject) -> None:
    """Whatever lies between them."""
    ends = [0]
    for text in texts:
        ends.append(ends[-1] + len(text) + 1)
    places = list(pairwise(ends))
    wanted = data.draw(st.lists(st.sampled_from(range(len(texts))), max_size=6))
    held = HeldResponses("".join(f"{text}," for text in texts).encode())

    found = await joined(held, lying(*(places[at] for at in wanted)))

    assert found == ",".join(texts[at] for at in wanted).encode()
