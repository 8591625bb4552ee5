"""Hypothesis strategies for what sources offer: few names and versions, so that they collide."""

import functools
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from domain.catalog import Catalog, Recorded, evolve
from domain.diff import Offer, changes, departures, in_order
from domain.entry import PUBLISHER_META, TOOLHIVE_META, Entry, Lifecycle, Status, make_entry
from domain.events import CatalogEvent
from domain.identifiers import DocumentHash, EntryKey, EntryKind

FIRST_COMMIT = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("io.github.stacklok/fetch", "io.github.stacklok/fetch-2", "io.github.a/fetch", "z/é😀")
SEMANTIC_VERSIONS = (
    "0.9.0",
    "1.0.0-rc.1",
    "1.0.0-rc.2",
    "1.0.0",
    "v1.0.0",
    "1.0.0+build.5",
    "1.0.1",
    "2021.11.15",
    "10.0.0",
)
OTHER_VERSIONS = ("1.0", "2021.03.05", "latest-ish", "snapshot")
VERSIONS = SEMANTIC_VERSIONS + OTHER_VERSIONS

instants = st.datetimes(
    min_value=datetime(1970, 1, 1),
    max_value=datetime(2200, 1, 1),
    timezones=st.just(UTC),
)
"""Aware times of every microsecond that a log may have to write."""

unicode_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Text with an UTF-8 form: no lone surrogates, and characters beyond 16 bits."""

json_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | unicode_text
)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(unicode_text, inner, max_size=4),
    max_leaves=12,
)
"""What a JSON parser may return and RFC 8785 can write."""

json_objects = st.dictionaries(unicode_text, json_values, max_size=4)

entry_keys = st.sampled_from(
    [
        EntryKey(kind, name, version)
        for kind, name, version in itertools.product(
            [EntryKind.SERVER, EntryKind.SKILL], NAMES, VERSIONS
        )
    ]
)

LIFECYCLES = [
    Lifecycle(),
    Lifecycle(published_at=FIRST_COMMIT - timedelta(days=1)),
    Lifecycle(published_at=FIRST_COMMIT - timedelta(days=2)),
    Lifecycle(status=Status.DEPRECATED, status_message="moved"),
    Lifecycle(status=Status.DEPRECATED, status_changed_at=FIRST_COMMIT - timedelta(days=1)),
    Lifecycle(status=Status.DELETED),
]


def document(key: EntryKey, variant: int) -> dict[str, Any]:
    """One of sixteen documents of that key."""
    namespace, name = key.name.split("/")
    is_server = key.kind is EntryKind.SERVER
    image = f"ghcr.io/{'ab'[variant & 1]}:{key.version}"
    return {
        **({"name": key.name} if is_server else {"namespace": namespace, "name": name}),
        "version": key.version,
        "description": "Fetches." if variant & 2 else "",
        **({"title": "Fetch"} if variant & 4 else {}),
        "packages": [{"registryType": "oci", "identifier": image}],
        "_meta": {
            PUBLISHER_META: {TOOLHIVE_META: {image: {"tags": ["db", "web"][: variant // 8 + 1]}}}
        },
    }


@functools.cache
def entry_of(key: EntryKey, variant: int, lifecycle: Lifecycle) -> Entry:
    """An entry of that key with one of sixteen documents."""
    return make_entry(key.kind, document(key, variant), lifecycle)


def entries(keys: st.SearchStrategy[EntryKey] = entry_keys) -> st.SearchStrategy[Entry]:
    """Entries of some of the keys: few documents and lifecycles, so that the same come back."""
    return st.builds(entry_of, keys, st.integers(0, 15), st.sampled_from(LIFECYCLES))


_ABSENT, _FILTERED, _PLAIN = "absent", "filtered", (0, LIFECYCLES[0])
_states = st.sampled_from(
    [*[_ABSENT] * 5, *[_FILTERED] * 2, *[_PLAIN] * 5, *itertools.product(range(4), LIFECYCLES)]
)


@st.composite
def offers(draw: st.DrawFn, keys: Sequence[EntryKey]) -> Offer:
    """What a source may offer of those keys at one time."""
    states = dict(zip(keys, draw(st.tuples(*[_states] * len(keys))), strict=True))
    return Offer(
        kept={
            key: entry_of(key, *state) for key, state in states.items() if isinstance(state, tuple)
        },
        filtered=frozenset(key for key, state in states.items() if state == _FILTERED),
        doubtful=draw(
            st.sampled_from([frozenset[str]()] * 3 + [frozenset({key.name}) for key in keys])
        ),
    )


@st.composite
def histories(draw: st.DrawFn) -> Sequence[Offer]:
    """What a source offered, sync by sync: the same few keys come, change, go and come back."""
    keys = draw(st.lists(entry_keys, unique=True, min_size=1, max_size=6))
    return draw(st.lists(offers(keys), min_size=1, max_size=6))


def offered_after(known: Mapping[EntryKey, Entry], offer: Offer) -> Mapping[EntryKey, Entry]:
    """What a source offers after a sync: the new offer, and what it could not read this time."""
    staying = {
        key: entry
        for key, entry in known.items()
        if key.name in offer.doubtful and key not in offer.filtered
    }
    return {**staying, **offer.kept}


def offered_by(history: Iterable[Offer]) -> Mapping[EntryKey, Entry]:
    """What a source offers after the syncs of a history."""
    return functools.reduce(offered_after, history, {})


def parsed_documents(history: Iterable[Offer]) -> Mapping[DocumentHash, Any]:
    """Every document that a history offers, by its hash, as `diff` wants them."""
    return {
        entry.document_hash: json.loads(entry.document)
        for offer in history
        for entry in offer.kept.values()
    }


def commit_times(count: int) -> Sequence[datetime]:
    """The times of that many commits, one minute apart."""
    return [FIRST_COMMIT + timedelta(minutes=number) for number in range(count)]


def diff(
    catalog: Catalog, offer: Offer, documents: Mapping[DocumentHash, Any]
) -> tuple[CatalogEvent, ...]:
    """The events that bring *catalog* to an offer whose entries are all at hand."""
    known = {entry.key: entry for entry in catalog.entries()}
    changed = changes(known, offer.kept.values(), documents)
    return in_order([*changed, *departures(known.values(), offer)])


def commits_of(history: Sequence[Offer]) -> Sequence[tuple[Recorded, ...]]:
    """What syncing a history records, one commit per offer; one without events is empty."""
    known, catalog, commits = parsed_documents(history), Catalog(), list[tuple[Recorded, ...]]()
    positions = itertools.count(1)
    for at, offer in zip(commit_times(len(history)), history, strict=True):
        events = diff(catalog, offer, known)
        commits.append(tuple((at, next(positions), event) for event in events))
        catalog = evolve(catalog, commits[-1])
    return commits
