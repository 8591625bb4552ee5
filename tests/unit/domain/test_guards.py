"""How much a source may withdraw at once."""

import re
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalog import Catalog, evolve
from domain.entry import Lifecycle, make_entry
from domain.errors import RemovalRefusedError
from domain.events import CatalogEvent, DelistReason, EntryDelisted, EntryListed
from domain.guards import Guards, refuse_removal, withdrawn_names
from domain.identifiers import EntryKey, EntryKind
from tests.harness.clock import START
from tests.harness.strategies import document

WITHDRAWN, FILTERED = DelistReason.WITHDRAWN, DelistReason.FILTERED


def _key(name: str, version: str = "1.0.0", kind: EntryKind = EntryKind.SERVER) -> EntryKey:
    return EntryKey(kind, f"io.example/{name}", version)


def _keys(count: int) -> Sequence[EntryKey]:
    return [_key(f"s{number}") for number in range(count)]


def _listed(key: EntryKey) -> EntryListed:
    entry = make_entry(key.kind, document(key, 0))
    return EntryListed(
        key=key,
        document_hash=entry.document_hash,
        title=entry.title,
        tags=entry.tags,
        lifecycle=Lifecycle(),
    )


def _catalog(keys: Iterable[EntryKey]) -> Catalog:
    return evolve(Catalog(), [(START, 1, _listed(key)) for key in keys])


def _refuse(catalog: Catalog, events: Sequence[CatalogEvent], guards: Guards) -> None:
    """The check, told what it has to know of a catalog."""
    names = {entry.key.entry_name for entry in catalog.entries()}
    touched = withdrawn_names(events)
    offered = [entry.key for entry in catalog.entries() if entry.key.entry_name in touched]
    refuse_removal(len(names), offered, events, guards)


def _gone(keys: Iterable[EntryKey], reason: DelistReason = WITHDRAWN) -> list[CatalogEvent]:
    return [EntryDelisted(key=key, reason=reason) for key in keys]


def test_no_events_are_never_refused() -> None:
    """A source that offers what it offered withdraws nothing, even where that is nothing."""
    for keys in ([], _keys(20)):
        _refuse(_catalog(keys), [], Guards(max_removal=0.0))


@pytest.mark.parametrize("count", [1, 9, 10, 200])
def test_all_names_at_once_are_refused_unless_empty_is_allowed(count: int) -> None:
    """An empty source is one whose operator says so, whatever ratio may go."""
    keys = _keys(count)
    with pytest.raises(RemovalRefusedError, match=f"the {count} names .* allowEmpty: true"):
        _refuse(_catalog(keys), _gone(keys), Guards(max_removal=1.0))
    _refuse(_catalog(keys), _gone(keys), Guards(allow_empty=True, max_removal=0.0))


def test_all_names_may_go_where_others_come_only_within_the_ratio() -> None:
    """A source of wholly other names offers none that it offered before."""
    keys, others = _keys(3), [_listed(_key("other"))]
    with pytest.raises(RemovalRefusedError):
        _refuse(_catalog(keys), [*others, *_gone(keys)], Guards())


@pytest.mark.parametrize(
    ("count", "gone", "max_removal", "refused"),
    [
        (9, 8, 0.0, False),
        (10, 4, 0.5, False),
        (10, 5, 0.5, True),
        (11, 5, 0.5, False),
        (11, 6, 0.5, True),
        (10, 1, 0.0, True),
        (10, 1, 0.1, True),
        (10, 1, 0.11, False),
        (10, 9, 1.0, False),
        (100, 51, 0.5, True),
    ],
)
def test_of_ten_or_more_names_only_a_part_may_go(
    count: int, gone: int, max_removal: float, refused: bool
) -> None:
    """The ratio and more is refused, less is not, and nine names are too few."""
    keys = _keys(count)
    guards = Guards(max_removal=max_removal)
    if refused:
        with pytest.raises(RemovalRefusedError, match=f"{gone} of {count} names"):
            _refuse(_catalog(keys), _gone(keys[:gone]), guards)
    else:
        _refuse(_catalog(keys), _gone(keys[:gone]), guards)


@given(st.integers(10, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))))
def test_the_ratio_in_the_message_is_enough(numbers: tuple[int, int]) -> None:
    """An operator who does what the message says is not refused again."""
    count, gone = numbers
    catalog, events = _catalog(_keys(count)), _gone(_keys(gone))
    with pytest.raises(RemovalRefusedError) as refusal:
        _refuse(catalog, events, Guards(max_removal=0.0))
    told = re.search(r"maxRemoval to at least ([0-9.]+) ", str(refusal.value))
    assert told
    assert 0 < float(told[1]) <= 1
    _refuse(catalog, events, Guards(max_removal=float(told[1])))


def test_what_a_filter_takes_out_does_not_count() -> None:
    """All may be filtered, and a name that loses its last versions partly so is not withdrawn."""
    keys = _keys(12)
    _refuse(_catalog(keys), _gone(keys, FILTERED), Guards())
    both = [_key("a", "1.0.0"), _key("a", "2.0.0")]
    events = [*_gone(both[:1]), *_gone(both[1:], FILTERED)]
    _refuse(_catalog(both), events, Guards())


def test_names_count_and_not_versions() -> None:
    """A name stays while it has a version, an old one or a new one."""
    versions = [_key("a", f"{number}.0.0") for number in range(30)]
    _refuse(_catalog(versions), _gone(versions[1:]), Guards())
    replaced = [_listed(_key("a", "99.0.0")), *_gone(versions)]
    _refuse(_catalog(versions), replaced, Guards())


def test_a_server_and_a_skill_of_one_name_are_two() -> None:
    """What stays of another kind does not stand in for what goes."""
    skills = [_key(f"s{number}", kind=EntryKind.SKILL) for number in range(5)]
    catalog = _catalog([*_keys(5), *skills])
    _refuse(catalog, _gone(skills[1:]), Guards())
    with pytest.raises(RemovalRefusedError, match="5 of 10 names"):
        _refuse(catalog, _gone(skills), Guards())


def test_names_that_went_before_do_not_count() -> None:
    """The ratio is of what is offered now, not of all that ever was."""
    keys = _keys(20)
    catalog = evolve(_catalog(keys), [(START, 2, event) for event in _gone(keys[:11])])
    _refuse(catalog, _gone(keys[11:19]), Guards())
    with pytest.raises(RemovalRefusedError, match="the 9 names"):
        _refuse(catalog, _gone(keys[11:]), Guards())
