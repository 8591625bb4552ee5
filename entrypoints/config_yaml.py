"""A YAML file as plain values, and the place of every key and value in it."""

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from domain.errors import ConfigError, ConfigProblem

Node: TypeAlias = Any
"""A node of ruamel.yaml, which is imported only when a file is read."""

KeyPath = tuple[str | int, ...]
"""Keys of mappings and indices of lists, from the top down."""

_MOST_BYTES = 2**20
_MOST_VALUES = 50_000
_MOST_NESTED = 50
_TOO_DEEP = f"nested too deeply: expected at most {_MOST_NESTED} levels"
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_SURROGATE = re.compile("[\ud800-\udfff]")
_TEXT = (f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value")
"""YAML 1.2 has no dates, and no `=` of its own: both are text."""


@attrs.frozen
class Place:
    """Line and column, counted from 1."""

    line: int
    column: int


@attrs.frozen
class Problem:
    """What is wrong with the value at a path, or with the key itself."""

    path: KeyPath
    message: str
    at_key: bool = False


@attrs.frozen(kw_only=True)
class Document:
    """What a file holds, where its keys and its values stand, and what is wrong as YAML."""

    file: str
    data: dict[str, Any] = attrs.Factory(dict)
    keys: dict[KeyPath, Place] = attrs.Factory(dict)
    values: dict[KeyPath, Place] = attrs.Factory(dict)
    problems: list[ConfigProblem] = attrs.Factory(list)

    def problem(self, place: Place | None, message: str, path: KeyPath = ()) -> ConfigProblem:
        """A problem with this file."""
        return ConfigProblem(
            file=self.file,
            line=place.line if place else None,
            column=place.column if place else None,
            key=_printable(_write_path(path)),
            message=_printable(message),
        )

    def error(self, problems: Iterable[Problem]) -> ConfigError:
        """All problems in the order of their places; of several about one key, the first."""
        unique: dict[tuple[int, int, str], ConfigProblem] = {}
        for found in [*self.problems, *(self._locate(problem) for problem in problems)]:
            unique.setdefault((found.line or 0, found.column or 0, found.key), found)
        return ConfigError([unique[place] for place in sorted(unique)])

    def _locate(self, problem: Problem) -> ConfigProblem:
        """Where the key or value stands, or else what would have held it."""
        place, path = self.keys.get(problem.path) if problem.at_key else None, problem.path
        while place is None and path not in self.values:
            path = path[:-1]
        return self.problem(place or self.values[path], problem.message, problem.path)

    def failure(self, place: Place | None, message: str, path: KeyPath = ()) -> ConfigError:
        """The problems so far and a last one: there is no reading on from here."""
        return ConfigError([*self.problems, self.problem(place, message, path)])


def _write_path(path: KeyPath) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def read_yaml(path: Path) -> Document:
    """Read one YAML 1.2 document: text, numbers, true, false, null, lists and mappings.

    Duplicate keys, tags and keys that are not text become problems of the document.

    Raises:
        ConfigError: the file cannot be read, or is not one YAML document of sensible size.
    """
    document = Document(file=str(path))
    root = _compose(_read_text(path, document), document)
    if root is None:
        raise document.failure(Place(1, 1), "empty: expected the keys of a configuration")
    if root.id != "mapping":
        raise document.failure(_place(root), "expected keys with their values, as in `sources: []`")
    return attrs.evolve(document, data=_Walk(document).value(root, (), 0))


def _read_text(path: Path, document: Document) -> str:
    try:
        with path.open("rb") as stream:
            payload = stream.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"cannot be read: {reason}: check the path and its permissions"
        raise document.failure(None, message) from error
    if len(payload) > _MOST_BYTES:
        raise document.failure(None, "larger than 1 MiB: expected a configuration file")
    try:
        return payload.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        place = _place_after(payload[: error.start].decode())
        message = "not UTF-8 from here on: save the file as UTF-8"
        raise document.failure(place, message) from error


def _compose(text: str, document: Document) -> Node:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = _MOST_NESTED
    yaml.composer.warn_double_anchors = False
    try:
        return yaml.compose(text)
    except YAMLError as error:
        raise document.failure(_place_of(error, text), _explain(error)) from error
    except RecursionError as error:
        raise document.failure(Place(1, 1), _TOO_DEEP) from error
    except Exception as error:
        # Malformed escapes and directives come out of ruamel.yaml as ValueError and the like.
        raise document.failure(Place(1, 1), f"not YAML: {error}") from error


def _place_of(error: Exception, text: str) -> Place:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return Place(mark.line + 1, mark.column + 1)
    return _place_after(text[: getattr(error, "position", 0)])


def _place_after(before: str) -> Place:
    lines = before.split("\n")
    return Place(len(lines), len(lines[-1]) + 1)


def _explain(error: Exception) -> str:
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    if "'\\t'" in problem:
        return "not YAML: found a tab: indent with spaces"
    if "another document" in problem:
        return "a second YAML document starts here: expected one in a file"
    if "maximum depth" in problem:
        return _TOO_DEEP
    context = getattr(error, "context", None)
    return f"not YAML: {problem}{f' {context}' if context else ''}"


@attrs.define
class _Walk:
    """Turns nodes into values, and notes in the document where they stand."""

    document: Document
    _values: int = 0

    def value(self, node: Node, path: KeyPath, depth: int) -> Any:
        self._stay_within_bounds(node, path, depth)
        if node.id == "mapping":
            value: Any = self._mapping(node, path, depth)
        elif node.id == "sequence":
            self._check_tag(node, path, f"{_TAG}seq")
            items = enumerate(node.value)
            value = [self.value(item, (*path, index), depth + 1) for index, item in items]
        else:
            value = self._scalar(node, path)
        self.document.values[path] = _place(node)
        return value

    def _mapping(self, node: Node, path: KeyPath, depth: int) -> dict[str, Any]:
        self._check_tag(node, path, f"{_TAG}map")
        members = self._merged(node, path, depth)
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if _is_merge(key_node) or not self._is_text(key_node, path):
                continue
            key, place = key_node.value, _place(key_node)
            if key in lines:
                self._report(key_node, (*path, key), f"already given in line {lines[key]}")
                continue
            lines[key] = place.line
            self.document.keys[*path, key] = place
            members[key] = self.value(value_node, (*path, key), depth + 1)
        return members

    def _merged(self, node: Node, path: KeyPath, depth: int) -> dict[str, Any]:
        """What `<<` brings in: the first of several wins, and the mapping's own keys over all."""
        members: dict[str, Any] = {}
        for value in [value for key, value in node.value if _is_merge(key)]:
            for source in reversed(value.value if value.id == "sequence" else [value]):
                if source.id == "mapping":
                    members |= self.value(source, path, depth + 1)
                else:
                    self._report(source, path, "`<<` takes a mapping, or a list of mappings")
        return members

    def _is_text(self, key: Node, path: KeyPath) -> bool:
        if key.id == "scalar" and str(key.tag) in _TEXT:
            return True
        self._report(key, path, "this key is not text: expected a name")
        return False

    def _scalar(self, node: Node, path: KeyPath) -> Any:
        tag = str(node.tag)
        if tag not in _SCALARS:
            self._check_tag(node, path, *_TEXT)
            if _SURROGATE.search(node.value):
                self._report(node, path, "an escape in this text is no Unicode character")
            return node.value
        try:
            return _SCALARS[tag](node.value)
        except (ValueError, KeyError):
            kind = tag.removeprefix(_TAG)
            self._report(node, path, f"not a usable {kind}: put it in quotes if it is text")
            return node.value

    def _check_tag(self, node: Node, path: KeyPath, *expected: str) -> None:
        if str(node.tag) not in expected:
            tag = str(node.tag).replace(_TAG, "!!", 1)
            self._report(node, path, f"the tag {tag} is not accepted: leave it out")

    def _stay_within_bounds(self, node: Node, path: KeyPath, depth: int) -> None:
        self._values += 1
        if depth > _MOST_NESTED:
            raise self.document.failure(_place(node), _TOO_DEEP, path)
        if self._values > _MOST_VALUES:
            message = f"more than {_MOST_VALUES} values with all aliases written out"
            raise self.document.failure(_place(node), message, path)

    def _report(self, node: Node, path: KeyPath, message: str) -> None:
        self.document.problems.append(self.document.problem(_place(node), message, path))


def _place(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _is_merge(key: Node) -> bool:
    return bool(key.id == "scalar" and str(key.tag) == _MERGE)


def _finite(text: str) -> float:
    number = float(text.replace("_", ""))
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_SCALARS: dict[str, Callable[[str], Any]] = {
    f"{_TAG}null": lambda _: None,
    f"{_TAG}bool": lambda text: {"true": True, "false": False}[text.lower()],
    f"{_TAG}int": lambda text: int(text, 0),
    f"{_TAG}float": _finite,
}
