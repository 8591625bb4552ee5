"""Configured sources and registries, and the events between two configurations."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from domain.definitions import Definitions, Desired, redefine, redefinitions
from domain.events import (
    ConfigEvent,
    RegistryDefined,
    RegistryRetired,
    SourceDefined,
    SourceRetired,
)
from domain.identifiers import RegistryName, SourceName
from tests.harness.clock import SECOND, START
from tests.harness.sync_world import desired

DEFAULT = RegistryName("default")
LATER = START + SECOND

_NAMES = ("a", "b", "c")
_registries = st.lists(st.sampled_from(_NAMES), unique=True).flatmap(
    lambda names: st.fixed_dictionaries(
        {name: st.lists(st.sampled_from(_NAMES), unique=True, min_size=1) for name in names}
    )
)
_settings = st.dictionaries(st.sampled_from(_NAMES), st.sampled_from(["1", "2"]))
configurations = st.builds(
    lambda registries, settings: desired(registries, **settings), _registries, _settings
)
"""Configurations of three sources and three registries at most."""


def _applied(
    definitions: Definitions, wanted: Desired, at: datetime = START
) -> tuple[Definitions, tuple[ConfigEvent, ...]]:
    events = redefinitions(definitions, wanted)
    return redefine(definitions, [(at, event) for event in events]), events


def _defined(registries: Mapping[str, Sequence[str]]) -> Definitions:
    return _applied(Definitions(), desired(registries))[0]


def _said(definitions: Definitions) -> tuple[object, ...]:
    return definitions.sources, {
        name: (registry.sources, registry.rank) for name, registry in definitions.registries.items()
    }


@given(st.lists(configurations, max_size=5))
def test_after_its_events_a_configuration_is_what_is_defined(history: list[Desired]) -> None:
    """However it came about, what is defined is what was last asked for, and nothing is to do."""
    definitions = Definitions()
    for wanted in history:
        definitions, _ = _applied(definitions, wanted)
        assert _said(definitions) == _said(_applied(Definitions(), wanted)[0])
        assert redefinitions(definitions, wanted) == ()


@given(configurations, configurations)
def test_folding_leaves_the_given_definitions_alone(before: Desired, after: Desired) -> None:
    """Whoever still holds the old definitions sees them as they were."""
    definitions, _ = _applied(Definitions(), before)
    kept = Definitions(sources=dict(definitions.sources), registries=dict(definitions.registries))
    _applied(definitions, after)
    assert definitions == kept


@given(configurations, configurations)
def test_no_registry_is_ever_of_a_source_that_is_not_there(before: Desired, after: Desired) -> None:
    """Events come in this order: retired registries and sources, then sources and registries."""
    _, events = _applied(_applied(Definitions(), before)[0], after)
    order = [RegistryRetired, SourceRetired, SourceDefined, RegistryDefined]
    ranks = [order.index(type(event)) for event in events]
    assert ranks == sorted(ranks)


def test_only_what_differs_is_an_event() -> None:
    """A source with other settings is defined again, and nothing beside it."""
    before = _defined({"default": ("a", "b")})
    wanted = desired({"default": ("a", "b")}, b="moved")
    assert redefinitions(before, wanted) == (wanted.sources[1],)


def test_what_is_not_asked_for_is_retired() -> None:
    """A source that no registry has any more goes with the last of them."""
    before = _defined({"default": ("a",), "second": ("a", "b")})
    assert redefinitions(before, desired({"default": ("a",)})) == (
        RegistryRetired(name=RegistryName("second")),
        SourceRetired(name=SourceName("b")),
    )


def test_a_registry_exists_since_it_was_defined() -> None:
    """The time is that of the commit."""
    definitions = _defined({"default": ("a",)})
    assert definitions.registries[DEFAULT].defined_at == START


def test_a_registry_of_other_sources_is_another_one_to_its_readers() -> None:
    """The order of the sources counts, for it says who owns a name."""
    before = _defined({"default": ("a", "b")})
    for sources in (("a",), ("b", "a"), ("a", "b", "c")):
        after, _ = _applied(before, desired({"default": sources}), LATER)
        assert after.registries[DEFAULT].defined_at == LATER


def test_another_place_in_the_configuration_is_no_other_registry() -> None:
    """The rank moves, and the time stays."""
    before = _defined({"default": ("a",)})
    after, events = _applied(before, desired({"first": ("a",), "default": ("a",)}), LATER)
    assert [event.name for event in events] == ["first", "default"]
    assert (after.registries[DEFAULT].rank, after.registries[DEFAULT].defined_at) == (1, START)


def test_a_registry_that_comes_back_is_a_new_one() -> None:
    """What it was before it retired is over."""
    retired, _ = _applied(_defined({"default": ("a",)}), desired({}))
    assert retired == Definitions()
    after, _ = _applied(retired, desired({"default": ("a",)}), LATER)
    assert after.registries[DEFAULT].defined_at == LATER
