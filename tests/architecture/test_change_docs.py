"""What docs/changes.md says of the classes is what they are."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.change import ChangeClass, classify_change
from domain.entry import PUBLISHER_META, TOOLHIVE_META

PAGE = Path(__file__).parents[2] / "docs" / "changes.md"
EXTENSION = ("_meta", PUBLISHER_META, TOOLHIVE_META, "ghcr.io/a/b:1")


def documented() -> Iterator[tuple[str, tuple[str, ...]]]:
    """The class of each row of the table, and the path of each member that it names."""
    classes, _, _ = PAGE.read_text().partition("\n## Reused versions\n")
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|([^|]*)\|$", classes, re.MULTILINE)
    for name, members, extension in rows:
        for member in re.findall(r"`([^`]+)`", members):
            yield name, tuple(PUBLISHER_META if m == "*" else m for m in member.split("."))
        for member in re.findall(r"`([^`]+)`", extension):
            yield name, (*EXTENSION, *member.split("."))


def holding(path: tuple[str, ...], value: str) -> Any:
    """A document with one value, in that member."""
    if not path:
        return value
    inner = holding(path[1:], value)
    array = path[0].removesuffix("[]")
    return {path[0]: inner} if array == path[0] else {array: [inner if path[1:] else {"x": inner}]}


@pytest.mark.parametrize(("name", "path"), list(documented()))
def test_members_have_the_class_of_their_row(name: str, path: tuple[str, ...]) -> None:
    """What a member holds has the class that the page gives that member."""
    change = classify_change(holding(path, "old"), holding(path, "new"))
    assert change.classes == (ChangeClass(name),)


def test_every_class_has_its_row() -> None:
    """The table is whole."""
    assert {name for name, _ in documented()} == set(ChangeClass)
