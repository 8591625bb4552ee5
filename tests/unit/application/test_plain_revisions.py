"""What is read from the bytes of a revision is what decoding reads."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.codec import decode, encode
from application.plain_revisions import revised_document
from domain.change import Change
from domain.errors import CorruptLogError
from domain.events import EntryDelisted, EntryRevised
from domain.identifiers import DocumentHash, EntryKey
from domain.log import NewEvent, StoredEvent
from tests.harness.new_commits import stored

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'))
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
revisions = st.builds(
    EntryRevised,
    key=st.builds(EntryKey, name=texts, version=texts),
    document_hash=hashes,
    previous_hash=hashes,
    title=st.none() | texts,
    tags=st.lists(texts).map(tuple),
    change=st.builds(
        Change, paths=st.lists(texts).map(tuple), more_paths=st.integers(0, 10**15 - 1)
    ),
)


def told_of(event: StoredEvent) -> DocumentHash | None:
    """The document that can be told of a payload without decoding it."""
    return revised_document(event.type, event.schema_version, event.data)


@given(revisions)
def test_plain_revisions_need_no_decoding(event: EntryRevised) -> None:
    """Whatever they say, as long as it is ASCII that needs no escapes."""
    assert told_of(stored(encode(event))) == event.document_hash


@given(revisions, st.data())
def test_what_is_told_of_any_bytes_is_what_they_decode_to(
    event: EntryRevised, data: st.DataObject
) -> None:
    """Nothing is told of a payload that is damaged."""
    payload = bytearray(encode(event).data)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(payload) - 1))
        payload[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    damaged = stored(NewEvent("entry.revised", 1, bytes(payload)))
    told = told_of(damaged)
    if told is not None:
        read = decode(damaged)
        assert isinstance(read, EntryRevised)
        assert told == read.document_hash


@given(st.builds(EntryRevised, change=st.builds(Change, more_paths=st.integers(0, 2**53))))
def test_texts_that_are_not_plain_are_left_to_decoding(event: EntryRevised) -> None:
    """Texts may hold anything: what is told of them is never wrong."""
    told = told_of(stored(encode(event)))
    assert told in (None, event.document_hash)


@given(st.builds(EntryDelisted))
def test_nothing_is_told_of_other_events(event: EntryDelisted) -> None:
    """Nor of a revision that a newer release wrote."""
    assert told_of(stored(encode(event))) is None


@given(revisions)
def test_nothing_is_told_of_a_newer_release(event: EntryRevised) -> None:
    """Its payloads may mean something else."""
    newer = attrs.evolve(stored(encode(event)), schema_version=2)
    assert told_of(newer) is None


def test_a_class_that_is_not_known_is_left_to_decoding() -> None:
    """Which says what is wrong."""
    payload = (
        b'{"change":{"classes":["fate"],"more_paths":0,"paths":[]},"document_hash":"%b",'
        b'"key":{"kind":"server","name":"a","version":"1"},"previous_hash":"%b","tags":[],'
        b'"title":null}' % (b"a" * 64, b"b" * 64)
    )
    unknown = stored(NewEvent("entry.revised", 1, payload))
    assert told_of(unknown) is None
    with pytest.raises(CorruptLogError, match="fate"):
        decode(unknown)
