"""The changes of ToolHive's real history mean what somebody who reads them says they mean."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from adapters.sources.formats.toolhive_conversion import SECTIONS, to_server_json
from domain.canonical_json import canonical_json
from domain.change import ChangeClass, classify_change, differences
from tests.harness.applied_differences import applied
from tests.harness.real_history import RealHistory

BUNDLE = Path("data", "toolhive-registry-history.bundle")
LABELLED = Path(__file__).parents[1] / "harness" / "labelled_changes.txt"
Documents: TypeAlias = Mapping[tuple[str, str], dict[str, Any]]
Pair: TypeAlias = tuple[dict[str, Any], dict[str, Any]]


def labelled() -> Iterator[tuple[int, str, set[str]]]:
    """The index of a revision, an entry that it changed, and the classes of the change."""
    lines = LABELLED.read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    for block in text.strip().split("\n\n"):
        classes, _, changes = block.partition(":")
        for change in changes.split(","):
            index, name = change.split()
            yield int(index), name, set(classes.split())


def documents_of(registry: dict[str, Any]) -> Documents:
    """What the entries of a ToolHive file convert to, by section and name."""
    return {
        (section, name): to_server_json(section, name, entry)
        for section in SECTIONS
        for name, entry in (registry.get(section) or {}).items()
    }


@pytest.fixture(scope="module")
def revision(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Documents]:
    """The documents of a revision, by its index."""
    history = RealHistory(shared / BUNDLE, tmp_path_factory.mktemp("history"))
    return cache(lambda index: documents_of(history.registry(history.revisions[index])))


def changed(old: Documents, new: Documents) -> Iterator[Pair]:
    """Both documents of each entry that a revision changed."""
    for key in sorted(old.keys() & new.keys()):
        if canonical_json(old[key]) != canonical_json(new[key]):
            yield old[key], new[key]


def test_the_classes_are_those_of_a_reader(revision: Callable[[int], Documents]) -> None:
    """Each change has exactly the classes that its reader gave it."""
    disagreed, count = [], 0
    for index, name, expected in labelled():
        old, new = revision(index - 1), revision(index)
        (key,) = (key for key in old.keys() & new.keys() if key[1] == name)
        found = set(classify_change(old[key], new[key]).classes)
        count += 1
        if found != expected:
            disagreed.append((index, name, expected, found))
    assert count >= 150
    assert not disagreed


@pytest.mark.slow
def test_the_history_is_popularity_mostly(revision: Callable[[int], Documents]) -> None:
    """Of 5,316 changes 4,585 are of popularity alone, 418 of an image and 93 of tools, and the
    differences of each make the old document into the new one."""
    found: Counter[str] = Counter()
    for before, after in pairwise(range(387)):
        for old, new in changed(revision(before), revision(after)):
            told = differences(old, new)
            assert applied({**old, "version": new["version"]}, told) == new
            classes = {difference.change_class for difference in told}
            paths = {difference.path for difference in told}
            found["all"] += 1
            found["popularity alone"] += classes == {ChangeClass.POPULARITY}
            found["image"] += "/packages/0/identifier" in paths
            found["tools"] += ChangeClass.CAPABILITY in classes
    assert found == {"all": 5316, "popularity alone": 4585, "image": 418, "tools": 93}
