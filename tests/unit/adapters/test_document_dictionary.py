"""What a dictionary of documents learns, and what it must never hold."""

import json
from itertools import permutations

import zstandard

from adapters.storage.document_dictionary import FEWEST, Sample, train
from domain.canonical_json import canonical_json
from tests.benchmarks.catalogue import documents

SECRETS = ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "correcthorsebatterystaplecorrecthorse")
ORDERS = list(permutations("alpha bravo charlie delta echo foxtrot".split()))


def bodies(count: int) -> list[bytes]:
    """One document of each of many names."""
    return [canonical_json(document) for document in documents(4 * count)][::4]


def told(body: bytes, **members: str) -> bytes:
    """A document that says more."""
    return canonical_json({**json.loads(body), **members})


def content_of(some: list[bytes]) -> bytes:
    content = train(some)
    assert content is not None
    return content


def test_documents_to_come_shrink_three_and_a_half_times() -> None:
    """Those of names that it has not learned from, of about 2 KB each."""
    known, unknown = bodies(250)[:125], bodies(250)[125:]
    compressor = zstandard.ZstdCompressor(
        level=3, dict_data=zstandard.ZstdCompressionDict(content_of(known))
    )
    packed = sum(len(compressor.compress(body)) for body in unknown)
    assert sum(map(len, unknown)) / packed > 3.5


def test_what_one_document_says_is_not_learned() -> None:
    """Neither its words, nor an order of words that are common themselves."""
    said = [" ".join(ORDERS[number * 7]) for number in range(100)]
    some = [told(body, title=text) for body, text in zip(bodies(100), said, strict=True)]
    some[3] = told(some[3], description="An unmistakable indiscretion")
    content = content_of(some)
    assert [text for text in said if text.encode() in content] == []
    assert b"unmistakable" not in content
    assert b"foxtrot" in content


def test_what_looks_like_a_secret_is_not_learned_wherever_it_stands() -> None:
    """A key that every server of a publisher has is in no dictionary, nor is half of it."""
    some = [told(body, title=" ".join(SECRETS)) for body in bodies(100)]
    content = content_of(some)
    for secret in SECRETS:
        assert secret[-16:].encode() not in content


def test_the_same_documents_make_the_same_dictionary() -> None:
    """Nothing of chance is in it."""
    assert train(bodies(100)) == train(bodies(100))


def test_documents_that_share_nothing_make_none() -> None:
    """There is no dictionary then."""
    assert train([b"%d" % number for number in range(100)]) is None


def test_a_sample_has_one_document_of_each_name() -> None:
    """It is enough with a hundred names, has no large ones, and does not grow for ever."""
    sample = Sample()
    for number in range(FEWEST - 1):
        sample.add([b'{"name":"%d"}' % number, b'{"name":"%d","version":"2"}' % number])
    sample.add(
        [b"[]", b"", b"\xff", b'{"name":1}', b'{"name":"large","title":"%s"}' % (b"a" * 20_000)]
    )
    assert sample.bodies() == []
    sample.add([b'{"name":"last"}'])
    assert len(sample.bodies()) == FEWEST
    sample.add(b'{"name":"more %d"}' % number for number in range(1000))
    assert len(sample.bodies()) == 250
