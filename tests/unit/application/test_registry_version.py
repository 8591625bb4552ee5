"""A registry at a position."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.registry_version import RegistryVersion, find_registry, registry_version
from domain.catalog import Catalog, evolve
from domain.composition import RegistryDefinition
from domain.definitions import Definitions
from domain.entry import Lifecycle
from domain.errors import RegistryNotFoundError
from domain.events import DelistReason, EntryDelisted, EntryListed
from domain.identifiers import EntryKey, EntryKind, RegistryName, SourceName
from tests.harness.strategies import FIRST_COMMIT, NAMES, entry_keys, entry_of

A, B = SourceName("a"), SourceName("b")
LATER = FIRST_COMMIT + timedelta(hours=1)
LATEST = FIRST_COMMIT + timedelta(hours=2)


def definition(name: str, rank: int = 0, *sources: SourceName) -> RegistryDefinition:
    """A registry of source `a`, or of those."""
    return RegistryDefinition(
        name=RegistryName(name), sources=sources or (A,), rank=rank, defined_at=FIRST_COMMIT
    )


def definitions(*registries: RegistryDefinition) -> Definitions:
    """Those registries, configured."""
    return Definitions(registries={registry.name: registry for registry in registries})


def listed(key: EntryKey) -> EntryListed:
    """The event that lists a document of that key."""
    entry = entry_of(key, 0, Lifecycle())
    return EntryListed(
        key=key,
        document_hash=entry.document_hash,
        title=entry.title,
        tags=entry.tags,
        lifecycle=entry.lifecycle,
    )


def catalog_of(keys: Iterable[EntryKey]) -> Catalog:
    """A source that offers those since an hour after the registry was defined."""
    return evolve(Catalog(), [(LATER, 1, listed(key)) for key in keys])


def version_of(keys: Iterable[EntryKey]) -> RegistryVersion:
    """A registry that serves those."""
    return registry_version(definition("r"), {A: catalog_of(keys)}, 7)


key_sets = st.sets(entry_keys, max_size=20)


@given(key_sets)
def test_servers_come_in_the_order_of_lists_and_alone(keys: set[EntryKey]) -> None:
    """Entries are of all kinds; servers by name and version."""
    version = version_of(keys)
    wanted = sorted((key.name, key.version) for key in keys if key.kind is EntryKind.SERVER)
    assert [(s.entry.key.name, s.entry.version) for s in version.servers] == wanted
    assert {served.entry.key for served in version.entries} == keys
    assert version.position == 7


def test_the_registry_changes_with_any_of_its_sources() -> None:
    """Its definition, a new entry and one that left all count; sources of others do not."""
    key = EntryKey(EntryKind.SERVER, NAMES[0], "1.0.0")
    empty, offering = Catalog(), catalog_of([key])
    gone = EntryDelisted(key=key, reason=DelistReason.WITHDRAWN)
    left = evolve(offering, [(LATEST, 2, gone)])
    for catalogs, changed_at in (
        ({}, FIRST_COMMIT),
        ({A: empty}, FIRST_COMMIT),
        ({A: offering}, LATER),
        ({A: left}, LATEST),
        ({A: offering, B: left}, LATER),
    ):
        assert registry_version(definition("r"), catalogs, 1).changed_at == changed_at
    both = registry_version(definition("r", 0, A, B), {A: offering, B: left}, 1)
    assert both.changed_at == LATEST


@pytest.mark.parametrize(
    ("registries", "default"),
    [
        ((definition("x", 0), definition("default", 1)), "default"),
        ((definition("x", 1), definition("y", 0)), "y"),
        ((definition("x"),), "x"),
    ],
)
def test_the_default_registry(registries: tuple[RegistryDefinition, ...], default: str) -> None:
    """The one named `default`, else the first of the configuration."""
    assert find_registry(definitions(*registries), None).name == default
    for registry in registries:
        assert find_registry(definitions(*registries), registry.name) is registry


@pytest.mark.parametrize(
    ("registries", "asked", "message"),
    [
        ((), None, "No default registry: the registries are none yet"),
        ((), "x", "No registry 'x': the registries are none yet"),
        ((definition("b"), definition("a")), "x", "No registry 'x': the registries are a, b"),
        ((definition("a"),), "", "No registry '': the registries are a"),
    ],
)
def test_an_unknown_registry_is_told_with_the_known_ones(
    registries: tuple[RegistryDefinition, ...], asked: str | None, message: str
) -> None:
    """The error names what was asked for and what there is."""
    with pytest.raises(RegistryNotFoundError) as caught:
        find_registry(definitions(*registries), asked)
    assert str(caught.value) == message
