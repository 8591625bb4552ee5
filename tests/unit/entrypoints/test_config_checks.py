"""What is wrong between the values of a configuration."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.config_checks import cross_check
from entrypoints.config_yaml import KeyPath

SINGLE, FULL, KINDS = (
    ("registryName", "source", "filter"),
    ("sources", "registries"),
    ("cat", "dog"),
)


def check(**data: Any) -> dict[KeyPath, str]:
    return {problem.path: problem.message for problem in cross_check(data, SINGLE, FULL, KINDS)}


def source(name: str, **blocks: Any) -> dict[str, Any]:
    return {"name": name, **(blocks or {"cat": {}})}


def test_nothing_wrong() -> None:
    """Distinct names, one block for each source, and registries of known sources pass."""
    registries = [{"name": "r", "sources": ["b", "a"]}, {"name": "a", "sources": ["a"]}]
    assert check(sources=[source("a"), source("b", dog={})], registries=registries) == {}
    assert check(registryName="r", source={"type": "cat", "cat": {}}) == {}


def test_neither_form() -> None:
    """A file of neither form is told what to begin with."""
    assert check(server={}) == {
        ("sources",): "missing: expected a list of sources (or `source`, if it is a single one)"
    }


def test_both_forms() -> None:
    """Keys of both forms are one problem, at the first key of the shorter form."""
    found = check(server={}, filter={}, registryName="r", sources=[source("a")])
    assert found == {
        ("filter",): "belongs to the form for a single source (`registryName`, `source`, "
        "`filter`), `sources` to the full form (`sources`, `registries`): use one of them; in "
        "the full form each of `sources` has its own `name`, `syncPolicy` and `filter`"
    }


@pytest.mark.parametrize(
    ("blocks", "found"),
    [
        ({}, "none"),
        ({"cat": {}, "dog": {}}, "`cat`, `dog`"),
        ({"dog": None, "cat": 1}, "`dog`, `cat`"),
    ],
)
def test_blocks(blocks: dict[str, Any], found: str) -> None:
    """A source has the block of exactly one kind, in both forms."""
    message = f"expected exactly one of `cat`, `dog`, got {found}"
    assert check(sources=[{"name": "a", **blocks}]) == {("sources", 0): message}
    assert check(source={"type": "cat", **blocks}) == {("source",): message}


def test_type_of_another_kind() -> None:
    """The type of a single source is that of its block."""
    assert check(source={"type": "cat", "dog": {}}) == {
        ("source", "type"): "expected dog, as the settings stand under `dog`"
    }


def test_names_in_use() -> None:
    """Sources have different names, and so have registries; a source and a registry may share."""
    found = check(
        sources=[source("a"), source("b"), source("a")],
        registries=[{"name": "a", "sources": ["a"]}, {"name": "a", "sources": ["b"]}],
    )
    message = "already used above: expected a name of its own"
    assert found == {("sources", 2, "name"): message, ("registries", 1, "name"): message}


def test_sources_of_a_registry() -> None:
    """A registry lists sources that exist, each once."""
    registry = {"name": "r", "sources": ["b", "c", "a", "b"]}
    assert check(sources=[source("a"), source("b")], registries=[registry]) == {
        ("registries", 0, "sources", 1): "no such source: expected one of `a`, `b`",
        ("registries", 0, "sources", 3): "listed twice: leave one of them out",
    }


def test_no_registry() -> None:
    """An empty list of registries is no way to have none."""
    assert check(sources=[source("a")], registries=[]) == {
        ("registries",): "expected a registry: leave the key out for one with all sources"
    }


ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["a", "cat"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "type", "cat", "dog", *SINGLE, *FULL]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from([*SINGLE, *FULL, "server"]), ANYTHING))
def test_any_shape(data: dict[str, Any]) -> None:
    """Values of the wrong shape are passed over: to find them is not the task here."""
    for problem in cross_check(data, SINGLE, FULL, KINDS):
        assert problem.message
