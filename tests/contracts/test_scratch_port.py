"""What every place for scratch files must do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.scratch.file import FileScratch
from adapters.scratch.memory import MemoryScratch
from domain.ports.scratch import ScratchFile, ScratchPort


@pytest.fixture(params=["memory", "file"], scope="module")
def scratch(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ScratchPort:
    """One of each kind."""
    if request.param == "memory":
        return MemoryScratch()
    return FileScratch(tmp_path_factory.mktemp("scratch"))


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8), st.data())
def test_what_was_written_is_at_its_place(
    scratch: ScratchPort, contents: list[bytes], data: st.DataObject
) -> None:
    """Whatever was written before and after it, each alone or several in one piece."""
    file = scratch.open()
    places = [(start := file.append(content), start + len(content)) for content in contents]
    wanted = data.draw(st.lists(st.sampled_from(places), max_size=5))
    expected = [b"".join(contents)[start:end] for start, end in wanted]

    assert file.size == sum(map(len, contents))
    assert file.read([(0, file.size)]) == [b"".join(contents)]
    assert file.read(wanted) == expected
    assert at_hand(file, wanted) in (None, b"<" + b"".join(expected) + b">")


def at_hand(file: ScratchFile, spans: list[tuple[int, int]]) -> bytes | None:
    """What is there at once, between brackets."""
    return file.at_hand(b"<", spans, b">")


def test_files_are_apart(scratch: ScratchPort) -> None:
    """What is written to one is in no other."""
    one, other = scratch.open(), scratch.open()
    one.append(b"one")
    other.append(b"other")

    assert (one.read([(0, 3)]), other.read([(0, 5)])) == ([b"one"], [b"other"])
    assert at_hand(one, []) == b"<>"
