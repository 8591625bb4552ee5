"""How frames become bodies again."""

import pytest

from adapters.storage import document_dictionary
from adapters.storage.document_body import Packing, dictionary_row
from domain.canonical_json import canonical_json
from domain.errors import CorruptLogError
from tests.benchmarks.catalogue import documents
from tests.harness.new_commits import documents_of

BODIES = documents_of(canonical_json(document) for document in documents(800))


@pytest.fixture(scope="module")
def packing() -> Packing:
    """One that has a dictionary."""
    content = document_dictionary.train(list(BODIES.values()))
    assert content is not None
    packing = Packing()
    packing.learn([dictionary_row(content)])
    return packing


@pytest.mark.parametrize("count", [0, 1, 50, 51, len(BODIES)])
def test_many_frames_are_unpacked_as_each_is_alone(packing: Packing, count: int) -> None:
    """In their order, whether they were packed with the dictionary or before there was one."""
    some = dict(list(BODIES.items())[:count])
    for packer in (packing, Packing()):
        frames = [frame for _, frame, _ in packer.pack(some)]
        assert packing.unpack(frames) == list(some.values())


@pytest.mark.parametrize("count", [1, len(BODIES)])
def test_a_frame_that_is_none_is_told(packing: Packing, count: int) -> None:
    """Among many as well."""
    frames = [frame for _, frame, _ in packing.pack(BODIES)][:count]
    with pytest.raises(CorruptLogError, match="cannot be unpacked"):
        packing.unpack([*frames[:-1], b"no frame"])
