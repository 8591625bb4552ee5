"""The bytes of answers."""

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.rendering import LIST_OPENING, list_closing, search_text, server_response
from application.responses import document_in
from domain.canonical_json import canonical_json
from domain.catalog import CatalogEntry
from domain.composition import RegistryEntry
from domain.entry import OFFICIAL_META, Lifecycle, Status
from domain.identifiers import DocumentHash, EntryKey, EntryKind, SourceName
from tests.harness.clock import MICROSECOND, START
from tests.harness.strategies import instants, json_objects, unicode_text


def served(
    lifecycle: Lifecycle, updated_at: datetime = START, *, is_latest: bool = True
) -> RegistryEntry:
    """An entry that was first recorded at START."""
    entry = CatalogEntry(
        key=EntryKey(EntryKind.SERVER, "io.example/a", "1.0.0"),
        document_hash=DocumentHash("ab"),
        document_position=1,
        title=None,
        tags=(),
        lifecycle=lifecycle,
        first_recorded_at=START,
        status_recorded_at=START + timedelta(seconds=1),
        changed_at=START,
        is_latest=is_latest,
    )
    return RegistryEntry(entry=entry, source=SourceName("main"), updated_at=updated_at)


lifecycles = st.builds(
    Lifecycle,
    status=...,
    status_message=st.none() | unicode_text,
    status_changed_at=st.none() | instants,
    published_at=st.none() | instants,
)


lookalikes = st.sampled_from(
    [f'"}},"_meta":{{"{OFFICIAL_META}":', "_meta", OFFICIAL_META, "\\", '"']
)


@given(lookalikes, lookalikes, lookalikes)
def test_a_document_is_told_from_what_is_said_of_it(name: str, text: str, message: str) -> None:
    """Also where both have what stands between them."""
    document = canonical_json({name: {text: {OFFICIAL_META: {}}}, "_meta": {OFFICIAL_META: text}})
    response = server_response(served(Lifecycle(status_message=message)), document)
    assert document_in(response) == document


@given(json_objects.map(canonical_json), lifecycles, instants, st.booleans())
def test_a_response_is_json_around_the_very_document(
    document: bytes, lifecycle: Lifecycle, updated_at: datetime, is_latest: bool
) -> None:
    """Whatever is in it: the members of the official API, and the bytes that were hashed."""
    response = server_response(served(lifecycle, updated_at, is_latest=is_latest), document)
    assert response.startswith(b'{"server":' + document + b',"_meta":')
    assert document_in(response) == document
    answer = json.loads(response)
    assert answer.keys() == {"server", "_meta"}
    assert answer["_meta"].keys() == {OFFICIAL_META}
    official = answer["_meta"][OFFICIAL_META]
    message = official.pop("statusMessage", None)
    assert message == lifecycle.status_message
    assert [official.pop("status"), official.pop("isLatest")] == [lifecycle.status, is_latest]
    assert {member: datetime.fromisoformat(text) for member, text in official.items()} == {
        "statusChangedAt": lifecycle.status_changed_at or START + timedelta(seconds=1),
        "publishedAt": lifecycle.published_at or START,
        "updatedAt": updated_at,
    }


def test_a_response_byte_by_byte() -> None:
    """Times are RFC 3339 in UTC, an absent message has no member, an empty one has."""
    plain = server_response(served(Lifecycle(), START + MICROSECOND), b"{}")
    assert plain.decode() == (
        '{"server":{},"_meta":{"io.modelcontextprotocol.registry/official":{"status":"active",'
        '"statusChangedAt":"2026-11-22T09:30:01Z","publishedAt":"2026-11-22T09:30:00Z",'
        '"updatedAt":"2026-11-22T09:30:00.000001Z","isLatest":true}}}'
    )
    moved = Lifecycle(status=Status.DEPRECATED, status_message='say "é"\n')
    assert r'"status":"deprecated","statusMessage":"say \"é\"\n",'.encode() in server_response(
        served(moved), b"{}"
    )
    assert b'"statusMessage":"",' in server_response(served(Lifecycle(status_message="")), b"{}")


@pytest.mark.parametrize(
    ("responses", "cursor", "expected"),
    [
        ([], None, b'{"servers":[],"metadata":{"count":0}}'),
        ([b"{}"], "abc", b'{"servers":[{}],"metadata":{"count":1,"nextCursor":"abc"}}'),
        ([b'{"a":1}', b"{}"], None, b'{"servers":[{"a":1},{}],"metadata":{"count":2}}'),
    ],
)
def test_a_list_holds_its_responses_as_they_are(
    responses: list[bytes], cursor: str | None, expected: bytes
) -> None:
    """Beside them their count, and the cursor where there is a next page."""
    closing = list_closing(len(responses), cursor)
    assert LIST_OPENING + b",".join(responses) + closing == expected


def test_a_search_looks_into_texts_only() -> None:
    """In lower case, one beside the other; what is absent or no text is left out."""
    assert search_text("A/B", ("Größe", None, 7, "X")) == "a/b\ngröße\nx"
