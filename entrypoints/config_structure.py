"""Attrs classes from the plain values of a file: strictly, with the key path of every problem.

A key is its field's name in camelCase. A field `*_seconds` is a duration, under a key without
that ending. A field with `metadata={"path": True}` is a file path, one with `{"path": "or URL"}`
may also be a URL: a relative path is taken from the directory of the file. A field of a class with
`metadata={"word": "all"}` may be that word, which is an empty mapping.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeAlias, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.cols import list_structure_factory
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
)
from cattrs.gen import make_dict_structure_fn, mapping_structure_factory, override

from entrypoints.config_yaml import KeyPath, Problem
from entrypoints.durations import parse_duration

TextHooks = Mapping[Any, Callable[[str], Any]]
"""What makes a value of a type out of text. The message of what it raises is the problem."""

StructureHook: TypeAlias = Callable[[Any, Any], Any]

_SECONDS = "_seconds"
_KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "a mapping",
    Mapping: "a mapping",
    list: "a list",
    tuple: "a list",
    type(None): "nothing",
}
_SECRETS = frozenset(
    (
        "token",
        "accesstoken",
        "bearertoken",
        "password",
        "passphrase",
        "secret",
        "sshkey",
        "privatekey",
        "apikey",
    )
)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://.*|[^/]+:.*", re.IGNORECASE | re.DOTALL)
"""With a scheme, or as SSH writes it: `git@host:path`."""


def keys_of(cls: type) -> tuple[str, ...]:
    """The keys that a mapping for the class may have."""
    return tuple(_key(field) for field in attrs.fields(cls))


def key_paths(cls: type, hooks: TextHooks, prefix: str = "") -> Iterator[str]:
    """Every key at and below the class, as in `sources[].git.repository`."""
    for field in attrs.fields(cls):
        path = f"{prefix}{_key(field)}"
        yield path
        is_list = _is_of(tuple, field.type)
        may_be_null = _is_of(UnionType, field.type)
        inner: Any = get_args(field.type)[0] if is_list or may_be_null else field.type
        if attrs.has(inner) and inner not in hooks:
            yield from key_paths(inner, hooks, f"{path}{'[]' if is_list else ''}.")


def strict_converter(directory: Path, hooks: TextHooks) -> Converter:
    """A converter that coerces nothing and goes on after a problem. Paths are from *directory*."""
    converter = Converter(detailed_validation=True, forbid_extra_keys=True)
    for kind in (str, bool, int, float):
        converter.register_structure_hook(kind, partial(_structure_plain, kind))
    converter.register_structure_hook_func(partial(_is_of, Literal), _structure_literal)
    converter.register_structure_hook_factory(
        partial(_is_of, tuple), partial(_tuple_hook, converter)
    )
    converter.register_structure_hook_factory(
        partial(_is_of, Mapping), partial(_mapping_hook, converter)
    )
    converter.register_structure_hook_factory(attrs.has, partial(_class_hook, converter, directory))
    for kind, parse in hooks.items():
        converter.register_structure_hook(kind, partial(_structure_text, parse))
    return converter


def problems_of(error: Exception, path: KeyPath = ()) -> Iterator[Problem]:
    """What a strict converter raised, one by one."""
    if isinstance(error, ClassValidationError):
        keys = {field.name: _key(field) for field in attrs.fields(error.cl)}
        noted, bare = error.group_exceptions()
        for inner, note in noted:
            yield from _problems_at(inner, note, (*path, keys[note.name]))
        for inner in bare:
            yield from problems_of(inner, path)
    elif isinstance(error, IterableValidationError):
        for inner, item in error.group_exceptions()[0]:
            yield from problems_of(inner, (*path, item.index))
    elif isinstance(error, ForbiddenExtraKeysError):
        for key in error.extra_fields:
            yield Problem((*path, key), _unknown_key(key, keys_of(error.cl)), at_key=True)
    else:
        yield Problem(path, str(error))


def _problems_at(
    error: Exception, note: AttributeValidationNote, path: KeyPath
) -> Iterator[Problem]:
    if isinstance(error, KeyError):
        yield Problem(path, f"missing: expected {_expected(note.type)}")
    else:
        yield from problems_of(error, path)


def _is_of(origin: Any, type_: Any) -> bool:
    return get_origin(type_) is origin


def _expected(type_: Any) -> str:
    if attrs.has(type_):
        return "a mapping"
    return _KINDS.get(get_origin(type_) or type_, "text")


def _unknown_key(key: str, known: tuple[str, ...]) -> str:
    if key.lower().replace("_", "").replace("-", "") in _SECRETS:
        names = " or ".join(f"`{name}`" for name in known if name.endswith("File"))
        where = f" and give its path as {names}" if names else ""
        return f"unknown key: a secret never stands in a configuration: put it in a file{where}"
    spelled = {name.lower(): name for name in known}
    nearest = difflib.get_close_matches(key.lower(), spelled, n=1)
    if nearest:
        return f"unknown key: did you mean `{spelled[nearest[0]]}`?"
    return f"unknown key: expected one of {', '.join(f'`{name}`' for name in known)}"


def _key(field: "attrs.Attribute[Any]") -> str:
    first, *rest = field.name.removesuffix(_SECONDS).split("_")
    return first + "".join("MiB" if word == "mib" else word.capitalize() for word in rest)


def _class_hook(converter: Converter, directory: Path, cls: type) -> StructureHook:
    overrides: dict[str, Any] = {
        field.name: override(
            rename=_key(field), struct_hook=_field_hook(converter, directory, field)
        )
        for field in attrs.fields(cls)
    }
    structure: StructureHook = make_dict_structure_fn(cls, converter, **overrides)
    return lambda value, type_: structure(_plain(dict, value), type_)


def _field_hook(
    converter: Converter, directory: Path, field: "attrs.Attribute[Any]"
) -> StructureHook:
    """Validators run here as well as in the class: here their problem has a key path."""
    structure = _value_hook(converter, directory, field)
    declared: Any = field.type
    may_be_null = field.default is None and not attrs.has(declared)

    def hook(value: Any, type_: Any) -> Any:
        if value is None and may_be_null:
            return None
        result = structure(value, type_)
        if field.validator:
            field.validator(None, field, result)
        return result

    return hook


def _value_hook(
    converter: Converter, directory: Path, field: "attrs.Attribute[Any]"
) -> StructureHook:
    if field.name.endswith(_SECONDS):
        return _structure_duration
    if "path" in field.metadata:
        return partial(_structure_text, partial(_path, directory, field.metadata["path"]))
    if "word" in field.metadata:
        structure = converter.get_structure_hook(get_args(field.type)[0])
        return partial(_structure_word, field.metadata["word"], structure)
    return converter.get_structure_hook(field.type)


def _path(directory: Path, kind: object, text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("expected a path")
    if kind == "or URL" and _URL.fullmatch(text):
        return text
    return str(directory / Path(text).expanduser())


def _tuple_hook(converter: Converter, type_: Any) -> StructureHook:
    structure = list_structure_factory(type_, converter)
    return lambda value, _: tuple(structure(_plain(list, value), type_))


def _mapping_hook(converter: Converter, type_: Any) -> StructureHook:
    structure: StructureHook = mapping_structure_factory(type_, converter)
    return lambda value, _: structure(_plain(dict, value), type_)


def _structure_literal(value: Any, type_: Any) -> Any:
    if value not in get_args(type_):
        raise ValueError(f"expected {' or '.join(get_args(type_))}")
    return value


def _structure_text(parse: Callable[[str], Any], value: Any, _: Any) -> Any:
    return parse(_plain(str, value))


def _structure_word(word: str, structure: StructureHook, value: Any, type_: Any) -> Any:
    if value != word and not isinstance(value, dict):
        raise ValueError(f"expected `{word}` or a mapping")
    return structure({} if value == word else value, get_args(type_)[0])


def _structure_duration(value: Any, _: Any) -> float:
    if not isinstance(value, str):
        raise TypeError(f"expected a duration such as 30s or 1h30m, got {_KINDS[type(value)]}")
    return parse_duration(value)


def _structure_plain(kind: type, value: Any, _: Any) -> Any:
    return _plain(kind, value)


def _plain(kind: type, value: Any) -> Any:
    """The value, if it is of the kind. A whole number is a number; nothing else is converted."""
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    hint = ": put it in quotes" if kind is str and isinstance(value, int | float) else ""
    raise TypeError(f"expected {_KINDS[kind]}, got {_KINDS[type(value)]}{hint}")
