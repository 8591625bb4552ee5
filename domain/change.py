"""What a revision changed, and what that means to those who run the server."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeAlias

import attrs

from domain.canonical_json import canonical_json
from domain.entry import PUBLISHER_META, TOOLHIVE_META

_MOST_PATHS = 100
_Path: TypeAlias = tuple[str, ...]


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


def classify_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    """Compare two documents of one version."""
    differing = list(_differences(old, new, ()))
    paths = sorted(_pointer(path) for path in differing)
    return Change(
        paths=tuple(paths[:_MOST_PATHS]),
        classes=tuple(sorted({_class_of(path) for path in differing})),
        more_paths=max(0, len(paths) - _MOST_PATHS),
    )


def _differences(old: Any, new: Any, path: _Path) -> Iterator[_Path]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _object_differences(*_aligned(old, new, path), path)
    elif _comparable_arrays(old, new):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _differences(left, right, (*path, str(index)))
    elif not _same(old, new):
        yield path


def _same(old: Any, new: Any) -> bool:
    """Equal as JSON: Python takes 1 and true for equal, JSON does not."""
    return _ABSENT not in (old, new) and canonical_json(old) == canonical_json(new)


_ABSENT = object()


def _object_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], path: _Path
) -> Iterator[_Path]:
    for member in old.keys() | new.keys():
        left, right = old.get(member, _ABSENT), new.get(member, _ABSENT)
        yield from _differences(_beside(left, right), _beside(right, left), (*path, member))


def _beside(value: Any, other: Any) -> Any:
    """An object that came or went is told member by member, so that each has its class."""
    return {} if value is _ABSENT and isinstance(other, dict) and other else value


def _comparable_arrays(old: Any, new: Any) -> bool:
    """Arrays of objects of one length are compared item by item, others as a whole."""
    return (
        isinstance(old, list)
        and isinstance(new, list)
        and len(old) == len(new)
        and all(isinstance(item, dict) for item in (*old, *new))
    )


_TOOLHIVE: _Path = ("_meta", PUBLISHER_META, TOOLHIVE_META)


def _aligned(
    old: dict[str, Any], new: dict[str, Any], path: _Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """ToolHive keys its extension by image: another image alone is no change of the rest."""
    if path == _TOOLHIVE and len(old) == len(new) == 1:
        return dict(zip(new, old.values(), strict=True)), new
    return old, new


def _pointer(path: _Path) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _class_of(path: _Path) -> ChangeClass:
    if path[:3] == _TOOLHIVE:
        return _toolhive_class(path[4:])
    if path[:2] == ("_meta", PUBLISHER_META):
        return _POPULAR.get(path[-1], ChangeClass.DOCUMENTATION)
    if _INPUT_MEMBERS.intersection(path):
        return ChangeClass.INPUTS
    return _MEMBERS.get(path[0] if path else "", ChangeClass.DOCUMENTATION)


def _toolhive_class(path: _Path) -> ChangeClass:
    if path[:1] == ("metadata",):
        return _POPULAR.get(path[-1], ChangeClass.DOCUMENTATION)
    return _TOOLHIVE_MEMBERS.get(path[0] if path else "", ChangeClass.DOCUMENTATION)


_INPUT_MEMBERS = {"environmentVariables", "headers", "variables"}
_MEMBERS = {
    "packages": ChangeClass.EXECUTION,
    "remotes": ChangeClass.EXECUTION,
    "name": ChangeClass.IDENTITY,
    "namespace": ChangeClass.IDENTITY,
    "repository": ChangeClass.IDENTITY,
    "provenance": ChangeClass.IDENTITY,
    "status": ChangeClass.LIFECYCLE,
    "allowedTools": ChangeClass.CAPABILITY,
}
_TOOLHIVE_MEMBERS = {
    "args": ChangeClass.EXECUTION,
    "docker_tags": ChangeClass.EXECUTION,
    "oauth_config": ChangeClass.EXECUTION,
    "permissions": ChangeClass.EXECUTION,
    "proxy_port": ChangeClass.EXECUTION,
    "target_port": ChangeClass.EXECUTION,
    "volumes": ChangeClass.EXECUTION,
    "env_vars": ChangeClass.INPUTS,
    "headers": ChangeClass.INPUTS,
    "tools": ChangeClass.CAPABILITY,
    "tool_definitions": ChangeClass.CAPABILITY,
    "provenance": ChangeClass.IDENTITY,
    "tier": ChangeClass.IDENTITY,
    "status": ChangeClass.LIFECYCLE,
}
_POPULAR = dict.fromkeys(
    ("stars", "pulls", "last_updated", "stargazerCount", "pushedAt"), ChangeClass.POPULARITY
)
