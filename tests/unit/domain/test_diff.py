"""What a sync finds out: the events that bring a catalog to an offer."""

import json
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given

from domain.catalog import Catalog, evolve
from domain.change import classify_change
from domain.diff import Offer, revised_hashes
from domain.entry import Entry, Lifecycle, Status, make_entry
from domain.events import (
    CatalogEvent,
    DelistReason,
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
)
from domain.identifiers import EntryKey, EntryKind
from tests.harness.strategies import (
    FIRST_COMMIT,
    commits_of,
    diff,
    histories,
    offered_by,
    parsed_documents,
)

NAME = "io.github.a/fetch"


def _entry(version: str = "1.0.0", description: str = "", **lifecycle: Any) -> Entry:
    document = {"name": NAME, "version": version, "description": description}
    return make_entry(EntryKind.SERVER, document, Lifecycle(**lifecycle))


def _offer(*entries: Entry, **beside: Any) -> Offer:
    return Offer(kept={entry.key: entry for entry in entries}, **beside)


def _catalog(*history: Offer) -> Catalog:
    return evolve(Catalog(), [recorded for commit in commits_of(history) for recorded in commit])


def _events(before: Offer, after: Offer) -> tuple[CatalogEvent, ...]:
    return diff(_catalog(before), after, parsed_documents([before, after]))


def _said(entry: Any) -> tuple[Any, ...]:
    return entry.key, entry.document_hash, entry.title, entry.tags, entry.lifecycle


@given(histories())
def test_folding_the_events_gives_exactly_the_offer(history: Sequence[Offer]) -> None:
    """After every sync the catalog says what the source says, and nothing else."""
    catalog = Catalog()
    for number, commit in enumerate(commits_of(history), 1):
        catalog = evolve(catalog, commit)
        offered = offered_by(history[:number])
        assert {_said(entry) for entry in catalog.entries()} == {
            _said(entry) for entry in offered.values()
        }


@given(histories())
def test_the_same_offer_again_is_no_event(history: Sequence[Offer]) -> None:
    """A source that still says the same has nothing to record."""
    assert diff(_catalog(*history), history[-1], {}) == ()


@given(histories())
def test_the_order_of_an_offer_does_not_matter(history: Sequence[Offer]) -> None:
    """The same events come in the same order, however the entries were read."""
    *before, offer = history
    turned = attrs.evolve(offer, kept=dict(reversed(list(offer.kept.items()))))
    known = parsed_documents(history)
    assert diff(_catalog(*before), turned, known) == diff(_catalog(*before), offer, known)


@given(histories())
def test_only_the_documents_that_differ_are_needed(history: Sequence[Offer]) -> None:
    """`revised_hashes` names the documents that `diff` reads, and no others."""
    *before, offer = history
    catalog = _catalog(*before)
    known = {entry.key: entry for entry in catalog.entries()}
    hashes = revised_hashes(known, offer.kept.values())
    needed = {name: body for name, body in parsed_documents(history).items() if name in hashes}
    events = diff(catalog, offer, needed)
    revised = [event for event in events if isinstance(event, EntryRevised)]
    assert hashes == {
        document_hash
        for event in revised
        for document_hash in (event.document_hash, event.previous_hash)
    }


@given(histories())
def test_what_raises_comes_before_what_lowers_each_by_key(history: Sequence[Offer]) -> None:
    """Listed, revised, status, deleted, delisted: in this order, and by key within each."""
    for commit in commits_of(history):
        places = [(_place(event), event.key.sort_key) for _, _, event in commit]
        assert places == sorted(set(places))


def _place(event: CatalogEvent) -> int:
    if isinstance(event, EntryStatusChanged) and event.lifecycle.status is Status.DELETED:
        return 3
    ordered = [EntryListed, EntryRevised, EntryStatusChanged, None, EntryDelisted]
    return ordered.index(type(event))


def test_a_new_version_is_listed_as_it_is() -> None:
    """The first time, everything that queries need is in the event."""
    entry = _entry(status=Status.DEPRECATED, published_at=FIRST_COMMIT)
    assert _events(_offer(), _offer(entry)) == (
        EntryListed(
            key=entry.key,
            document_hash=entry.document_hash,
            title=entry.title,
            tags=entry.tags,
            lifecycle=entry.lifecycle,
        ),
    )


def test_a_revision_names_both_documents_and_what_changed() -> None:
    """A revised entry carries the hash it had, the hash it has, and the classified change."""
    old, new = _entry(), _entry(description="Fetches.")
    (event,) = _events(_offer(old), _offer(new))
    assert isinstance(event, EntryRevised)
    assert (event.previous_hash, event.document_hash) == (old.document_hash, new.document_hash)
    assert event.change == classify_change(json.loads(old.document), json.loads(new.document))


@pytest.mark.parametrize(
    "said",
    [
        {"status": Status.DEPRECATED},
        {"status": Status.DELETED},
        {"status_message": "moved"},
        {"status_changed_at": FIRST_COMMIT},
        {"published_at": FIRST_COMMIT},
    ],
)
def test_whatever_is_said_beside_the_document_is_a_change_of_status(said: Any) -> None:
    """Any member of the lifecycle is reported without touching the document."""
    entry = _entry(**said)
    assert _events(_offer(_entry()), _offer(entry)) == (
        EntryStatusChanged(key=entry.key, lifecycle=entry.lifecycle),
    )


def test_a_document_and_its_status_change_apart() -> None:
    """When both change, both events come, the document first."""
    after = _entry(description="Fetches.", status=Status.DEPRECATED)
    events = _events(_offer(_entry()), _offer(after))
    assert [type(event) for event in events] == [EntryRevised, EntryStatusChanged]


@pytest.mark.parametrize(
    ("beside", "reason"),
    [
        ({}, DelistReason.WITHDRAWN),
        ({"filtered": frozenset({_entry().key})}, DelistReason.FILTERED),
        ({"doubtful": frozenset({NAME}), "filtered": {_entry().key}}, DelistReason.FILTERED),
        ({"doubtful": frozenset({"io.github.a/other"})}, DelistReason.WITHDRAWN),
    ],
)
def test_what_is_gone_is_delisted_with_its_reason(beside: Any, reason: DelistReason) -> None:
    """A version the filter dropped was filtered, though its name be in doubt; else withdrawn."""
    events = _events(_offer(_entry()), _offer(**beside))
    assert events == (EntryDelisted(key=_entry().key, reason=reason),)


def test_names_in_doubt_stay_with_all_versions() -> None:
    """A name that could not be read this time loses nothing, and may still gain."""
    before = _offer(_entry("1.0.0"), _entry("2.0.0"))
    after = _offer(_entry("3.0.0"), doubtful=frozenset({NAME}))
    assert [(type(event), event.key.version) for event in _events(before, after)] == [
        (EntryListed, "3.0.0")
    ]


@pytest.mark.parametrize("kind", EntryKind)
def test_what_was_never_listed_is_not_delisted(kind: EntryKind) -> None:
    """A key that the filter drops at once leaves no trace."""
    assert _events(_offer(), _offer(filtered=frozenset({EntryKey(kind, NAME, "1.0.0")}))) == ()


def test_a_version_that_comes_back_is_listed_again() -> None:
    """Delisting forgets the document: the next offer of it is a listing, not a revision."""
    entry = _entry()
    catalog = _catalog(_offer(entry), _offer())
    (event,) = diff(catalog, _offer(entry), {})
    assert isinstance(event, EntryListed)
