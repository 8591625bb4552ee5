"""The catalog of a source: equal to an independent model, whatever the source did."""

import copy
import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from domain.catalog import Catalog, CatalogEntry, Departed, evolve
from domain.diff import Offer
from domain.entry import Entry, Lifecycle, Status, make_entry
from domain.events import EntryListed, EntryRevised
from domain.identifiers import EntryKey, EntryKind, EntryName
from domain.versions import latest
from tests.harness.strategies import (
    FIRST_COMMIT,
    commit_times,
    commits_of,
    histories,
    offered_after,
)

NAME = EntryName(EntryKind.SERVER, "io.github.a/fetch")


def _fold(history: Sequence[Offer]) -> Catalog:
    return evolve(Catalog(), itertools.chain.from_iterable(commits_of(history)))


def _entry(version: str, description: str = "", **lifecycle: Any) -> Entry:
    document = {"name": NAME.name, "version": version, "description": description}
    return make_entry(EntryKind.SERVER, document, Lifecycle(**lifecycle))


def _offer(*entries: Entry) -> Offer:
    return Offer(kept={entry.key: entry for entry in entries})


def _versions(*history: Offer) -> Mapping[str, CatalogEntry]:
    """The listed versions of the one name after those syncs, which are a minute apart."""
    return _fold(history).names[NAME].listed


def _minute(number: int) -> datetime:
    return FIRST_COMMIT + timedelta(minutes=number)


def _expected(history: Sequence[Offer]) -> Mapping[EntryKey, CatalogEntry]:
    """What the catalog must say, told from the offers alone."""
    offered: Mapping[EntryKey, Entry] = {}
    known: Mapping[EntryKey, CatalogEntry] = {}
    first: dict[EntryKey, datetime] = {}
    for at, offer in zip(commit_times(len(history)), history, strict=True):
        offered = offered_after(offered, offer)
        first = {**dict.fromkeys(offered, at), **first}
        entries = [_recorded(entry, known.get(entry.key), at) for entry in offered.values()]
        known = {
            entry.key: _dated(
                attrs.evolve(
                    entry, first_recorded_at=first[entry.key], is_latest=_is_latest(entry, entries)
                ),
                known.get(entry.key),
                at,
            )
            for entry in entries
        }
    return known


def _recorded(entry: Entry, before: CatalogEntry | None, at: datetime) -> CatalogEntry:
    return CatalogEntry(
        key=entry.key,
        document_hash=entry.document_hash,
        document_position=0,
        title=entry.title,
        tags=entry.tags,
        lifecycle=entry.lifecycle,
        first_recorded_at=before.first_recorded_at if before else at,
        status_recorded_at=(
            before.status_recorded_at
            if before and _spoken_status(before.lifecycle) == _spoken_status(entry.lifecycle)
            else at
        ),
        changed_at=at,
        is_latest=False,
    )


def _spoken_status(lifecycle: Lifecycle) -> tuple[Status, str | None]:
    return lifecycle.status, lifecycle.status_message


def _is_latest(entry: CatalogEntry, entries: Sequence[CatalogEntry]) -> bool:
    return entry is latest(one for one in entries if one.key.entry_name == entry.key.entry_name)


def _dated(entry: CatalogEntry, before: CatalogEntry | None, at: datetime) -> CatalogEntry:
    """As changed at that time, or before, if nothing but that time differs."""
    same = before and attrs.evolve(before, changed_at=at) == entry
    return before if before and same else entry


@given(histories())
def test_a_catalog_is_what_the_offers_make_it(history: Sequence[Offer]) -> None:
    """Every entry, time and flag is that of a model that knows neither events nor folding.

    A version changes when its document, its lifecycle or its being the latest changes, and
    only then.
    """
    entries = [attrs.evolve(entry, document_position=0) for entry in _fold(history).entries()]
    assert {entry.key: entry for entry in entries} == _expected(history)


@given(histories())
def test_a_version_knows_the_event_that_brought_its_document(history: Sequence[Offer]) -> None:
    """Changes of the status, and of which version is the latest, leave it as it is."""
    brought = {
        event.key: (position, event.document_hash)
        for commit in commits_of(history)
        for _, position, event in commit
        if isinstance(event, EntryListed | EntryRevised)
    }
    for entry in _fold(history).entries():
        assert (entry.document_position, entry.document_hash) == brought[entry.key]


@given(histories(), st.data())
def test_batches_do_not_matter(history: Sequence[Offer], data: st.DataObject) -> None:
    """Folding in any batches that end with a commit gives the catalog of one batch."""
    commits = commits_of(history)
    cuts = data.draw(st.sets(st.integers(0, len(commits))))
    catalog = Catalog()
    for start, end in itertools.pairwise(sorted({0, *cuts, len(commits)})):
        catalog = evolve(catalog, itertools.chain.from_iterable(commits[start:end]))
    assert catalog == _fold(history)


@given(histories())
def test_each_name_on_offer_has_one_latest_version(history: Sequence[Offer]) -> None:
    """Exactly one listed version is the latest, none where none is listed."""
    for versions in _fold(history).names.values():
        flags = [entry.is_latest for entry in versions.listed.values()]
        assert flags.count(True) == bool(flags)


@given(histories())
def test_a_version_is_listed_or_departed(history: Sequence[Offer]) -> None:
    """Whatever was once listed is known: as an entry, or as departed, and never as both."""
    catalog = _fold(history)
    seen = {event.key for commit in commits_of(history) for _, _, event in commit}
    listed = {entry.key for entry in catalog.entries()}
    departed = {
        EntryKey(name.kind, name.name, version)
        for name, versions in catalog.names.items()
        for version in versions.departed
    }
    assert listed | departed == seen
    assert not listed & departed


@given(histories())
def test_folding_leaves_the_given_catalog_as_it_was(history: Sequence[Offer]) -> None:
    """A catalog of an earlier moment stays usable."""
    *before, last = commits_of(history)
    catalog = evolve(Catalog(), itertools.chain.from_iterable(before))
    kept = copy.deepcopy(catalog)
    evolve(catalog, last)
    assert catalog == kept


@given(histories())
def test_entries_are_found_by_key(history: Sequence[Offer]) -> None:
    """`get` finds each offered entry, and nothing that is not offered."""
    catalog = _fold(history)
    for entry in catalog.entries():
        assert catalog.get(entry.key) is entry
        assert catalog.get(attrs.evolve(entry.key, version="other")) is None
        assert catalog.get(attrs.evolve(entry.key, kind=EntryKind.PLUGIN)) is None


def test_names_without_events_are_not_touched() -> None:
    """Folding costs what changed: the versions of other names are the same objects."""
    catalog = _fold([_offer(_entry("1.0.0"))])
    key = EntryKey(EntryKind.SERVER, "io.github.a/other", "1.0.0")
    entry = attrs.evolve(_entry("1.0.0"), key=key)
    listed = EntryListed(
        key=key,
        document_hash=entry.document_hash,
        title=None,
        tags=(),
        lifecycle=Lifecycle(),
    )
    assert evolve(catalog, [(_minute(9), 2, listed)]).names[NAME] is catalog.names[NAME]


def test_no_events_change_nothing() -> None:
    """Folding nothing gives an equal catalog."""
    catalog = _fold([_offer(_entry("1.0.0"))])
    assert evolve(catalog, []) == catalog


def test_a_version_that_loses_the_flag_has_changed() -> None:
    """A higher version changes the one that was the latest; a lower one changes nothing."""
    versions = _versions(
        _offer(_entry("1.0.0")),
        _offer(_entry("1.0.0"), _entry("0.9.0")),
        _offer(_entry("1.0.0"), _entry("0.9.0"), _entry("2.0.0")),
    )
    changed = {version: (entry.changed_at, entry.is_latest) for version, entry in versions.items()}
    assert changed == {
        "1.0.0": (_minute(2), False),
        "0.9.0": (_minute(1), False),
        "2.0.0": (_minute(2), True),
    }


def test_a_version_that_gains_the_flag_has_changed() -> None:
    """When the latest is withdrawn or deleted, the next one has changed at that moment."""
    both = _offer(_entry("1.0.0"), _entry("2.0.0"))
    deleted = _offer(_entry("1.0.0"), _entry("2.0.0", status=Status.DELETED))
    for after in (_offer(_entry("1.0.0")), deleted):
        heir = _versions(both, both, after)["1.0.0"]
        assert (heir.is_latest, heir.changed_at) == (True, _minute(2))


def test_events_of_one_commit_are_one_step() -> None:
    """The flag moves once per commit: a version that would have had it in between keeps its time.

    Listing 3.0.0 while 2.0.0 goes leaves 1.0.0 behind both, as it was.
    """
    versions = _versions(
        _offer(_entry("1.0.0"), _entry("2.0.0")), _offer(_entry("1.0.0"), _entry("3.0.0"))
    )
    assert versions["1.0.0"].changed_at == _minute(0)
    assert versions["3.0.0"].is_latest


def test_the_first_record_survives_a_departure() -> None:
    """A version that comes back was first recorded when it first came, and changed just now."""
    offer = _offer(_entry("1.0.0"))
    entry = _versions(offer, _offer(), _offer(), offer)["1.0.0"]
    assert (entry.first_recorded_at, entry.changed_at) == (_minute(0), _minute(3))
    assert entry.published_at == _minute(0)


def test_a_departed_version_is_remembered() -> None:
    """What is no longer offered keeps when it was first recorded and when it went."""
    versions = _fold([_offer(_entry("1.0.0")), _offer()]).names[NAME]
    departed = Departed(first_recorded_at=_minute(0), delisted_at=_minute(1))
    assert (versions.listed, versions.departed) == ({}, {"1.0.0": departed})


def test_what_the_source_says_of_times_counts() -> None:
    """Publication and status change are the source's where it tells them, else as recorded."""
    told = _minute(-60)
    silent = _versions(_offer(_entry("1.0.0")))["1.0.0"]
    spoken = _versions(_offer(_entry("1.0.0", published_at=told, status_changed_at=told)))["1.0.0"]
    assert (silent.published_at, silent.status_changed_at) == (_minute(0), _minute(0))
    assert (spoken.published_at, spoken.status_changed_at) == (told, told)


def test_only_another_status_or_message_moves_the_status() -> None:
    """A revised document, or a publication date told later, is no change of status."""
    entry = _versions(
        _offer(_entry("1.0.0")),
        _offer(_entry("1.0.0", "Fetches.")),
        _offer(_entry("1.0.0", "Fetches.", published_at=_minute(-9))),
    )["1.0.0"]
    assert (entry.status_changed_at, entry.changed_at) == (_minute(0), _minute(2))
    for said in ({"status": Status.DEPRECATED}, {"status_message": "moved"}):
        moved = _versions(_offer(_entry("1.0.0")), _offer(_entry("1.0.0", **said)))["1.0.0"]
        assert moved.status_changed_at == moved.changed_at == _minute(1)
