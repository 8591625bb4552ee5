"""What a revision changed, and what that means to those who run the server."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import attrs

from domain.edits import Edit, Operation, Path, edits
from domain.entry import PUBLISHER_META, TOOLHIVE_META

_MOST_PATHS = 100


class ChangeClass(StrEnum):
    """What a changed member means."""

    EXECUTION = "execution"
    INPUTS = "inputs"
    CAPABILITY = "capability"
    IDENTITY = "identity"
    LIFECYCLE = "lifecycle"
    DOCUMENTATION = "documentation"
    POPULARITY = "popularity"


@attrs.frozen(kw_only=True)
class Change:
    """The members that differ, as JSON pointers (RFC 6901), and their classes, both sorted.

    At most 100 paths are named; `more_paths` counts the others. The classes cover all.
    """

    paths: tuple[str, ...]
    classes: tuple[ChangeClass, ...]
    more_paths: int = 0


@attrs.frozen(kw_only=True)
class Difference:
    """One value that differs, and where (a JSON pointer, RFC 6901).

    A `remove` has an old value and its path in the old document, an `add` a new value and its
    path in the new one, a `replace` both values and the path in the new one, which is that in
    the old one too unless array items before it came or went. A `move` has no value: what was
    at `origin` is at `path`, and all other paths are told as if it had been there before.
    """

    path: str
    operation: Operation
    change_class: ChangeClass
    old: Any = None
    new: Any = None
    origin: str | None = None


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Difference, ...]:
    """All that makes one document into another, by path.

    The `version` is not told: it is part of the key, and what it stands for is told beside it.
    """
    found = [_difference(edit) for edit in _edits(old, new)]
    return tuple(sorted(found, key=lambda difference: (difference.path, difference.operation)))


def classify_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    """The paths and the classes of the `differences` of two documents."""
    found = list(_edits(old, new))
    paths = sorted({_pointer(edit.path) for edit in found})
    return Change(
        paths=tuple(paths[:_MOST_PATHS]),
        classes=tuple(sorted({_class_of(edit) for edit in found})),
        more_paths=max(0, len(paths) - _MOST_PATHS),
    )


def reuses_version(classes: Iterable[ChangeClass]) -> bool:
    """Whether a change of these, of one version, makes it another definition under its old name."""
    return not _PASSING.issuperset(classes)


def _edits(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Edit]:
    return (edit for edit in edits(old, new, movable=_TOOLHIVE) if edit.path != ("version",))


def _difference(edit: Edit) -> Difference:
    return Difference(
        path=_pointer(edit.path),
        operation=edit.operation,
        change_class=_class_of(edit),
        old=edit.old,
        new=edit.new,
        origin=_pointer(edit.origin) if edit.origin else None,
    )


def _pointer(path: Path) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _class_of(edit: Edit) -> ChangeClass:
    path = edit.path
    if edit.operation == "move":
        return ChangeClass.EXECUTION  # ToolHive's extensions go by what is run or contacted.
    if path[:3] == _TOOLHIVE:
        return _look_up(_TOOLHIVE_CLASSES, path[4:])
    if path[:2] == ("_meta", PUBLISHER_META):
        return ChangeClass.POPULARITY if path[-1] in _POPULAR else ChangeClass.DOCUMENTATION
    return _look_up(_CLASSES, path)


def _look_up(classes: Mapping[Path, ChangeClass], path: Path) -> ChangeClass:
    """The class of the innermost member that has one."""
    members = tuple(step for step in path if not step.isdecimal())
    prefixes = (members[:length] for length in range(len(members), 0, -1))
    found = (classes[prefix] for prefix in prefixes if prefix in classes)
    return next(found, ChangeClass.DOCUMENTATION)


def _table(rows: Mapping[ChangeClass, str]) -> dict[Path, ChangeClass]:
    return {
        tuple(member.split("/")): meaning
        for meaning, members in rows.items()
        for member in members.split()
    }


_TOOLHIVE: Path = ("_meta", PUBLISHER_META, TOOLHIVE_META)
_PASSING = {ChangeClass.LIFECYCLE, ChangeClass.POPULARITY}
_POPULAR = {"stars", "pulls", "last_updated", "stargazerCount", "pushedAt"}

# What a member holds has its class too. Members that are not named here document.
_CLASSES = _table(
    {
        ChangeClass.EXECUTION: "packages remotes",
        ChangeClass.INPUTS: """
            packages/environmentVariables packages/transport/headers packages/transport/variables
            packages/packageArguments/variables packages/runtimeArguments/variables
            remotes/headers remotes/variables
        """,
        ChangeClass.CAPABILITY: "allowedTools",
        ChangeClass.IDENTITY: "name namespace repository provenance",
        ChangeClass.LIFECYCLE: "status",
    }
)
_TOOLHIVE_CLASSES = _table(
    {
        ChangeClass.EXECUTION: """
            image url transport target_port proxy_port stateless args permissions volumes
            oauth_config metadata/kubernetes/image metadata/kubernetes/transport
        """,
        ChangeClass.INPUTS: "env_vars headers",
        ChangeClass.CAPABILITY: "tools tool_definitions",
        ChangeClass.IDENTITY: "name repository_url provenance tier",
        ChangeClass.LIFECYCLE: "status",
        ChangeClass.POPULARITY: "metadata/stars metadata/pulls metadata/last_updated",
    }
)
