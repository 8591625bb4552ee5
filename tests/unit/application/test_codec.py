"""Events as they are stored, and back."""

import json
from typing import Any, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.codec import EVENT_TYPES, decode, encode, name_of, payload_of
from domain.canonical_json import canonical_json
from domain.change import Change, ChangeClass
from domain.entry import Lifecycle
from domain.errors import CorruptLogError, InvalidDocumentError, UnknownEventTypeError
from domain.events import (
    DelistReason,
    DocumentRedacted,
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
    Event,
    HistoryCompleted,
    PinRemoved,
    PinSet,
    RegistryDefined,
    RegistryRetired,
    RevisionRecorded,
    SourceDefined,
    SourceRetired,
    SyncCompleted,
    SyncCounts,
    SyncFailed,
    SyncStage,
)
from domain.identifiers import DocumentHash, EntryKey, EntryKind
from tests.harness.clock import START
from tests.harness.new_commits import stored
from tests.harness.strategies import instants

naturals = st.integers(0, 2**53 - 1)
lifecycles = st.builds(
    Lifecycle,
    status=...,
    status_message=...,
    status_changed_at=st.none() | instants,
    published_at=st.none() | instants,
)
changes = st.builds(Change, more_paths=naturals)
counts = st.builds(SyncCounts, **{field.name: naturals for field in attrs.fields(SyncCounts)})
BY_CLASS: dict[type, st.SearchStrategy[Event]] = {
    EntryListed: st.builds(EntryListed, lifecycle=lifecycles),
    EntryRevised: st.builds(EntryRevised, change=changes),
    EntryStatusChanged: st.builds(EntryStatusChanged, lifecycle=lifecycles),
    EntryDelisted: st.builds(EntryDelisted),
    SyncCompleted: st.builds(SyncCompleted, counts=counts),
    SyncFailed: st.builds(SyncFailed),
    RevisionRecorded: st.builds(RevisionRecorded, number=naturals, counts=counts),
    HistoryCompleted: st.builds(HistoryCompleted),
    SourceDefined: st.builds(SourceDefined),
    SourceRetired: st.builds(SourceRetired),
    RegistryDefined: st.builds(RegistryDefined, rank=naturals),
    RegistryRetired: st.builds(RegistryRetired),
    PinSet: st.builds(PinSet, position=naturals, effective_at=st.none() | instants),
    PinRemoved: st.builds(PinRemoved),
    DocumentRedacted: st.builds(DocumentRedacted),
}
DELISTED = EntryDelisted(
    key=EntryKey(EntryKind.SERVER, "io.example/a", "1.0.0"), reason=DelistReason.WITHDRAWN
)


def test_every_event_has_exactly_one_name() -> None:
    """The events of the domain are those that can be stored, each under a name of its own."""
    classes = [event_type.cls for event_type in EVENT_TYPES.values()]
    assert set(classes) == set(get_args(Event)) == BY_CLASS.keys()
    assert len(classes) == len(set(classes))


@pytest.mark.parametrize("cls", BY_CLASS)
@given(data=st.data())
def test_what_was_encoded_decodes_to_itself(cls: type, data: st.DataObject) -> None:
    """Whatever texts, times and absent members an event holds, nothing of it is lost."""
    event = data.draw(BY_CLASS[cls])
    new = encode(event)
    assert decode(stored(new)) == event
    assert new.data == canonical_json(payload_of(event))
    assert EVENT_TYPES[new.type].cls is cls
    assert (new.type, new.schema_version) == (name_of(event), EVENT_TYPES[new.type].schema_version)


def test_nulls_and_unicode_are_in_the_payload() -> None:
    """A payload is canonical JSON: sorted members, absent ones as null, text as it is."""
    listed = EntryListed(
        key=EntryKey(EntryKind.SKILL, "z/é😀", "1"),
        document_hash=DocumentHash("ab"),
        title=None,
        tags=("ß",),
        lifecycle=Lifecycle(published_at=START),
    )
    assert encode(listed).data.decode() == (
        '{"document_hash":"ab","key":{"kind":"skill","name":"z/é😀","version":"1"},'
        '"lifecycle":{"published_at":"2026-11-22T09:30:00Z","status":"active",'
        '"status_changed_at":null,"status_message":null},"tags":["ß"],"title":null}'
    )


def test_text_that_is_not_unicode_is_refused() -> None:
    """A payload is UTF-8, which has no lone surrogates."""
    with pytest.raises(InvalidDocumentError, match="surrogate"):
        encode(SyncFailed(stage=SyncStage.FETCH, reason="\udc80"))


def test_classes_of_a_change_are_read_as_such() -> None:
    """Enumerations inside tuples come back as members, not as texts."""
    change = Change(paths=("/a",), classes=(ChangeClass.EXECUTION,))
    event = EntryRevised(
        key=DELISTED.key,
        document_hash=DocumentHash("b"),
        previous_hash=DocumentHash("a"),
        title="t",
        tags=(),
        change=change,
    )
    decoded = decode(stored(encode(event)))
    assert isinstance(decoded, EntryRevised)
    assert decoded.change.classes[0] is ChangeClass.EXECUTION


@pytest.mark.parametrize("changed", [{"type": "entry.moved"}, {"schema_version": 2}])
def test_an_event_of_a_newer_release_is_told_from_a_broken_one(changed: dict[str, Any]) -> None:
    """The error names the position, and that an upgrade helps."""
    with pytest.raises(UnknownEventTypeError, match=r"position 7: .*upgrade"):
        decode(stored(encode(DELISTED), **changed))


GOOD = json.loads(encode(DELISTED).data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"{",
        b"null",
        b"[]",
        b"{}",
        json.dumps({**GOOD, "more": 1}).encode(),
        json.dumps({**GOOD, "reason": "bored"}).encode(),
        json.dumps({**GOOD, "key": "io.example/a"}).encode(),
        json.dumps({**GOOD, "key": {**GOOD["key"], "more": 1}}).encode(),
        json.dumps(GOOD).encode(),
        encode(DELISTED).data + b" ",
        encode(DELISTED).data.replace(b"{", b'{"reason":"withdrawn",', 1),
    ],
)
def test_a_broken_payload_is_named(data: bytes) -> None:
    """No payload but those that `encode` writes is taken, and the error names the position."""
    with pytest.raises(CorruptLogError, match=r"position 7: .* entry\.delisted") as caught:
        decode(stored(encode(DELISTED), data=data))
    assert not isinstance(caught.value, UnknownEventTypeError)


def test_a_version_that_no_upcaster_takes_is_named() -> None:
    """An older payload without a way to the present is not guessed at."""
    with pytest.raises(CorruptLogError, match="position 7"):
        decode(stored(encode(DELISTED), schema_version=0))
