"""Entries: how a document gets its key, its hash, its title and its tags."""

import hashlib
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from domain.entry import (
    PUBLISHER_META,
    TOOLHIVE_META,
    Entry,
    Lifecycle,
    Status,
    document_hash,
    full_name,
    make_entry,
    tags_of,
    toolhive_extensions,
)
from domain.errors import InvalidDocumentError
from domain.identifiers import EntryKey, EntryKind
from tests.harness.strategies import entries, json_objects

SERVER = {"name": "io.github.a/fetch", "version": "1.0.0"}


def _with_extensions(extensions: object) -> dict[str, Any]:
    return {**SERVER, "_meta": {PUBLISHER_META: {TOOLHIVE_META: extensions}}}


@given(json_objects)
def test_anyone_can_recompute_the_hash(members: dict[str, Any]) -> None:
    """The hash is SHA-256 of the document as another implementation of RFC 8785 writes it."""
    document = {**members, **SERVER}
    entry = make_entry(EntryKind.SERVER, document)
    assert entry.document_hash == hashlib.sha256(rfc8785.dumps(document)).hexdigest()


@given(entries())
def test_an_entry_of_its_own_document_is_the_same(entry: Entry) -> None:
    """Reading the stored document gives the entry again, with its hash."""
    again = make_entry(entry.key.kind, json.loads(entry.document), entry.lifecycle)
    assert again == entry
    assert document_hash(again.document) == entry.document_hash


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (EntryKind.SERVER, "fetch"),
        (EntryKind.SKILL, "io.github.a/fetch"),
        (EntryKind.PLUGIN, "io.github.a/fetch"),
    ],
)
def test_skills_and_plugins_keep_their_namespace_apart(kind: EntryKind, name: str) -> None:
    """A server's name has its namespace already; the others get theirs in front."""
    document = {"name": "fetch", "namespace": "io.github.a", "version": "1"}
    assert full_name(kind, document) == name
    assert make_entry(kind, document).key == EntryKey(kind, name, "1")


def test_a_source_that_says_nothing_offers_active_versions() -> None:
    """Without a lifecycle a version is active, and nothing is known of its times."""
    entry = make_entry(EntryKind.SERVER, SERVER)
    assert entry.lifecycle == Lifecycle()
    assert entry.lifecycle.status is Status.ACTIVE
    assert entry.lifecycle.published_at is None


@pytest.mark.parametrize(
    ("members", "title"), [({"title": "Fetch"}, "Fetch"), ({"title": 7}, None), ({}, None)]
)
def test_a_title_is_text(members: dict[str, Any], title: str | None) -> None:
    """A title that is not text is none."""
    assert make_entry(EntryKind.SERVER, {**SERVER, **members}).title == title


def test_a_document_without_canonical_form_makes_no_entry() -> None:
    """What cannot be hashed for everyone alike is refused."""
    with pytest.raises(InvalidDocumentError):
        make_entry(EntryKind.SERVER, {**SERVER, "title": "\ud800"})


@pytest.mark.parametrize(
    ("extensions", "tags"),
    [
        ({}, ()),
        ({"image": {}}, ()),
        ({"image": {"tags": ["b", "a", "b"]}}, ("b", "a")),
        ({"image": {"tags": ["a"]}, "other": {"tags": ["c", "a"]}}, ("a", "c")),
        ({"image": {"tags": ["a", 1, None, ["x"]]}}, ("a",)),
        ({"image": {"tags": "a"}}, ()),
        ({"image": ["tags"]}, ()),
        (["image"], ()),
    ],
)
def test_tags_of_all_images_in_the_order_of_the_document(
    extensions: object, tags: tuple[str, ...]
) -> None:
    """Tags are taken from every ToolHive extension, each once; what is no tag is passed over."""
    document = _with_extensions(extensions)
    assert tags_of(document) == tags
    assert make_entry(EntryKind.SERVER, document).tags == tags


def test_extensions_are_found_by_image() -> None:
    """What ToolHive says comes by image; members that are no object say nothing."""
    document = _with_extensions({"image": {"tier": "Official"}, "other": 1})
    assert toolhive_extensions(document) == {"image": {"tier": "Official"}}


@given(json_objects | st.just({"_meta": None}) | st.just({"_meta": {PUBLISHER_META: []}}))
def test_a_document_without_extensions_has_no_tags(document: dict[str, Any]) -> None:
    """Whatever else stands in a document, no extension means no tags, and no error."""
    assert toolhive_extensions(document) == {}
    assert tags_of(document) == ()
