"""Registries: which source owns a name, and since when a reader of the registry can see it."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import attrs
from hypothesis import given
from hypothesis import strategies as st

from domain.catalog import Catalog, Recorded, evolve
from domain.composition import (
    RegistryDefinition,
    RegistryEntry,
    compose,
    compositions,
    default_registry,
    hidden_digest,
    withdrawals,
)
from domain.diff import Offer
from domain.entry import make_entry
from domain.identifiers import EntryKey, EntryKind, EntryName, RegistryName, SourceName
from domain.timestamps import to_micros
from tests.harness.strategies import FIRST_COMMIT, commits_of, histories

FIRST, SECOND, THIRD = SOURCES = tuple(SourceName(name) for name in ("first", "second", "third"))
NAME = "io.github.a/fetch"
LONG_AGO = FIRST_COMMIT - timedelta(days=1)
NO_OFFER = Offer(kept={})

several_histories = st.lists(histories(), min_size=3, max_size=3)


def _registry(*sources: SourceName, defined_at: datetime = LONG_AGO) -> RegistryDefinition:
    return RegistryDefinition(
        name=RegistryName("main"), sources=sources, rank=0, defined_at=defined_at
    )


def _offer(*versions: str, name: str = NAME) -> Offer:
    documents = [{"name": name, "version": version} for version in versions]
    entries = [make_entry(EntryKind.SERVER, document) for document in documents]
    return Offer(kept={entry.key: entry for entry in entries})


def _minute(number: int) -> datetime:
    return FIRST_COMMIT + timedelta(minutes=number)


def _commits(history: Sequence[Offer], later_by: timedelta) -> Sequence[Sequence[Recorded]]:
    """The commits of a history, moved so that no two sources share a time."""
    return [
        [(at + later_by, position, event) for at, position, event in commit]
        for commit in commits_of(history)
    ]


def _catalog(*history: Offer) -> Catalog:
    return evolve(Catalog(), itertools.chain.from_iterable(commits_of(history)))


def _catalogs(several: Sequence[Sequence[Offer]]) -> Mapping[SourceName, Catalog]:
    return {source: _catalog(*history) for source, history in zip(SOURCES, several, strict=True)}


def _mark(definition: RegistryDefinition, catalogs: Mapping[SourceName, Catalog]) -> str:
    made = [composition for _, composition in compositions(definition, catalogs)]
    left = [to_micros(composition.left_at) for composition in made if composition.left_at]
    hidden = hidden_digest(key for composition in made for key in composition.hidden)
    return withdrawals(definition, max(left, default=0), hidden)


def _shown(served: RegistryEntry) -> RegistryEntry:
    """What a reader sees of an entry beside the time."""
    return attrs.evolve(served, updated_at=LONG_AGO)


@given(several_histories)
def test_the_first_source_owns_a_name_with_all_versions(several: Sequence[Sequence[Offer]]) -> None:
    """Each name is served as its first source has it, in the order of keys as bytes."""
    catalogs = _catalogs(several)
    owners: dict[EntryName, SourceName] = {}
    for source in reversed(SOURCES):
        owners |= {entry.key.entry_name: source for entry in catalogs[source].entries()}
    expected = [
        (source, entry)
        for source in SOURCES
        for entry in catalogs[source].entries()
        if owners[entry.key.entry_name] == source
    ]
    served = compose(_registry(*SOURCES), catalogs)
    assert [(one.source, one.entry) for one in served] == sorted(
        expected, key=lambda pair: _bytes_of(pair[1].key)
    )


def _bytes_of(key: EntryKey) -> tuple[bytes, ...]:
    return tuple(part.encode() for part in (key.kind, key.name, key.version))


def _moments(
    several: Sequence[Sequence[Offer]],
) -> Iterator[tuple[datetime, Mapping[SourceName, Catalog]]]:
    """The catalogs after every commit of any source, with its time."""
    timeline = sorted(
        (commit[0][0], source, commit)
        for number, (source, history) in enumerate(zip(SOURCES, several, strict=True))
        for commit in _commits(history, timedelta(seconds=number))
        if commit
    )
    catalogs = dict.fromkeys(SOURCES, Catalog())
    for at, source, commit in timeline:
        catalogs = {**catalogs, source: evolve(catalogs[source], commit)}
        yield at, catalogs


@given(several_histories)
def test_a_mark_that_is_the_same_tells_that_nothing_left(
    several: Sequence[Sequence[Offer]],
) -> None:
    """Of two moments with one mark the later one has every key of the earlier one."""
    seen: dict[str, set[EntryKey]] = {}
    for _, catalogs in _moments(several):
        definition = _registry(*SOURCES)
        keys = {served.entry.key for served in compose(definition, catalogs)}
        assert seen.setdefault(_mark(definition, catalogs), keys) <= keys
        seen[_mark(definition, catalogs)] = keys


def test_other_sources_are_another_mark() -> None:
    """What a registry no longer takes from anywhere has left it."""
    catalogs = {FIRST: _catalog(_offer("1.0.0"))}
    marks = [
        _mark(_registry(*sources, defined_at=at), catalogs)
        for sources, at in (((FIRST, SECOND), LONG_AGO), ((SECOND,), _minute(1)))
    ]
    assert marks[0] != marks[1]


def test_a_version_that_two_sources_hide_is_hidden_twice() -> None:
    """The mark is another one when a second source comes to offer it in vain."""
    newer, older = _catalog(_offer("2.0.0")), _catalog(_offer("1.0.0"))
    marks = [
        _mark(_registry(*SOURCES), {**behind, THIRD: older})
        for behind in ({}, {SECOND: older}, {FIRST: newer, SECOND: older})
    ]
    assert len(set(marks)) == 3


def test_what_is_added_or_revised_leaves_the_mark() -> None:
    """A mirror has to compare everything only where something left."""
    history = [_offer("1.0.0"), _offer("1.0.0", "2.0.0")]
    marks = {_mark(_registry(FIRST), {FIRST: _catalog(*history[:length])}) for length in (1, 2)}
    assert len(marks) == 1


@given(several_histories)
def test_a_reader_who_asks_for_updates_misses_nothing(several: Sequence[Sequence[Offer]]) -> None:
    """After every commit of any source, what the registry shows otherwise than before is new.

    Its time is that of the commit; what is shown as before keeps the time it had.
    """
    before: dict[RegistryEntry, datetime] = {}
    for at, catalogs in _moments(several):
        now = compose(_registry(*SOURCES), catalogs)
        for served in now:
            assert served.updated_at == before.get(_shown(served), at)
        before = {_shown(served): served.updated_at for served in now}


def test_new_sources_make_everything_new() -> None:
    """A registry that was redefined since shows everything for the first time."""
    definition = _registry(FIRST, SECOND, defined_at=_minute(5))
    catalogs = {FIRST: _catalog(_offer("1.0.0"), NO_OFFER), SECOND: _catalog(_offer("1.0.0"))}
    (served,) = compose(definition, catalogs)
    assert served.updated_at == _minute(5)


def test_a_name_let_go_shows_what_stood_behind_it() -> None:
    """An entry of a later source is new to the reader when the earlier one withdraws the name."""
    catalogs = {
        FIRST: _catalog(_offer("2.0.0"), _offer("2.0.0"), NO_OFFER),
        SECOND: _catalog(_offer("1.0.0")),
    }
    (served,) = compose(_registry(FIRST, SECOND), catalogs)
    assert (served.source, served.entry.key.version) == (SECOND, "1.0.0")
    assert (served.entry.changed_at, served.updated_at) == (_minute(0), _minute(2))


def test_the_last_of_several_sources_to_let_go_counts() -> None:
    """With two sources before the owner, the name shows when both have let it go."""
    catalogs = {
        FIRST: _catalog(_offer("1.0.0"), _offer("1.0.0"), NO_OFFER),
        SECOND: _catalog(_offer("1.0.0"), NO_OFFER),
        THIRD: _catalog(_offer("1.0.0")),
    }
    for order in ((FIRST, SECOND, THIRD), (SECOND, FIRST, THIRD)):
        (served,) = compose(_registry(*order), catalogs)
        assert (served.source, served.updated_at) == (THIRD, _minute(2))


def test_a_source_behind_the_owner_does_not_matter() -> None:
    """What a later source does with a name that is owned already is not seen."""
    catalogs = {FIRST: _catalog(_offer("1.0.0")), SECOND: _catalog(_offer("3.0.0"), NO_OFFER)}
    (served,) = compose(_registry(FIRST, SECOND), catalogs)
    assert (served.source, served.updated_at) == (FIRST, _minute(0))


def test_a_withdrawn_version_does_not_let_the_name_go() -> None:
    """A source owns a name as long as it lists any version of it."""
    catalogs = {
        FIRST: _catalog(_offer("1.0.0", "2.0.0"), _offer("1.0.0")),
        SECOND: _catalog(_offer("2.0.0")),
    }
    (served,) = compose(_registry(FIRST, SECOND), catalogs)
    assert (served.source, served.entry.key.version) == (FIRST, "1.0.0")


def test_the_order_of_sources_decides() -> None:
    """The same catalogs in another order are another registry."""
    catalogs = {FIRST: _catalog(_offer("1.0.0")), SECOND: _catalog(_offer("2.0.0"))}
    (served,) = compose(_registry(SECOND, FIRST), catalogs)
    assert served.source == SECOND


def test_sources_without_a_catalog_offer_nothing() -> None:
    """A source that was never synced, or a registry without sources, serves nothing."""
    assert compose(_registry(FIRST), {}) == ()
    assert compose(_registry(), {FIRST: _catalog(_offer("1.0.0"))}) == ()
    assert compose(_registry(FIRST), {SECOND: _catalog(_offer("1.0.0"))}) == ()


def test_the_default_registry_is_named_so_or_comes_first() -> None:
    """`default` is the default wherever it stands, else the registry of the lowest rank."""
    ranked = {
        name: attrs.evolve(_registry(), name=RegistryName(name), rank=rank)
        for rank, name in enumerate(["main", "other", "default"])
    }
    assert default_registry(ranked.values()) is ranked["default"]
    assert default_registry([ranked["other"], ranked["main"]]) is ranked["main"]
    assert default_registry([]) is None
