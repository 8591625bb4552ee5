"""What no single value of a configuration shows: names that clash, and forms that mix."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from entrypoints.config_yaml import KeyPath, Problem


def cross_check(
    data: dict[str, Any], single_keys: Sequence[str], full_keys: Sequence[str], kinds: Sequence[str]
) -> Iterator[Problem]:
    """Look at a whole file. A value of a wrong type is passed over: that is told elsewhere.

    The keys are those that only the form for a single source has, and only the full one.
    """
    yield from _check_form(data, single_keys, full_keys)
    sources = [(("sources", index), item) for index, item in _mappings(data.get("sources"))]
    registries = [(("registries", i), item) for i, item in _mappings(data.get("registries"))]
    single = [(("source",), data["source"])] if isinstance(data.get("source"), dict) else []
    for path, source in [*single, *sources]:
        yield from _check_kind(path, source, kinds)
    yield from _check_unique(sources)
    yield from _check_unique(registries)
    names = [source.get("name") for _, source in sources]
    defined = [name for name in names if isinstance(name, str)]
    for path, registry in registries:
        yield from _check_members((*path, "sources"), registry.get("sources"), "source", defined)
    yield from _check_webhooks(data, [registry.get("name") for _, registry in registries])


def _mappings(value: Any) -> list[tuple[int, dict[str, Any]]]:
    items = value if isinstance(value, list) else []
    return [(index, item) for index, item in enumerate(items) if isinstance(item, dict)]


def _check_form(
    data: dict[str, Any], single_keys: Sequence[str], full_keys: Sequence[str]
) -> Iterator[Problem]:
    single = [key for key in data if key in single_keys]
    full = [key for key in data if key in full_keys]
    if single and full:
        yield Problem(
            (single[0],),
            f"belongs to the form for a single source ({_quoted(single_keys)}), `{full[0]}` to "
            f"the full form ({_quoted(full_keys)}): use one of them; in the full form each of "
            f"`sources` has its own `name`, `syncPolicy` and `filter`",
            at_key=True,
        )
    elif not single and not full:
        message = "missing: expected a list of sources (or `source`, if it is a single one)"
        yield Problem(("sources",), message)
    if data.get("registries") == []:
        message = "expected a registry: leave the key out for one with all sources"
        yield Problem(("registries",), message)


def _check_kind(path: KeyPath, source: dict[str, Any], kinds: Sequence[str]) -> Iterator[Problem]:
    blocks = [key for key in source if key in kinds]
    if len(blocks) != 1:
        found = _quoted(blocks) if blocks else "none"
        yield Problem(path, f"expected exactly one of {_quoted(kinds)}, got {found}")
    elif source.get("type") in [kind for kind in kinds if kind != blocks[0]]:
        message = f"expected {blocks[0]}, as the settings stand under `{blocks[0]}`"
        yield Problem((*path, "type"), message)


def _check_unique(named: Iterable[tuple[KeyPath, dict[str, Any]]]) -> Iterator[Problem]:
    seen: list[Any] = []
    for path, item in named:
        if "name" in item and item["name"] in seen:
            yield Problem((*path, "name"), "already used above: expected a name of its own")
        seen.append(item.get("name"))


def _check_webhooks(data: dict[str, Any], names: list[Any]) -> Iterator[Problem]:
    """Each has a name of its own, and its registries are there, if only as the default one."""
    webhooks = [(("webhooks", index), item) for index, item in _mappings(data.get("webhooks"))]
    yield from _check_unique(webhooks)
    known = names or [data.get("registryName", "default")]
    defined = [name for name in known if isinstance(name, str)]
    for path, webhook in webhooks:
        registries = webhook.get("registries")
        yield from _check_members((*path, "registries"), registries, "registry", defined)


def _check_members(path: KeyPath, names: Any, what: str, defined: list[str]) -> Iterator[Problem]:
    for index, name in enumerate(names if isinstance(names, list) else []):
        if name in names[:index]:
            yield Problem((*path, index), "listed twice: leave one of them out")
        elif isinstance(name, str) and name not in defined:
            expected = f"expected one of {_quoted(dict.fromkeys(defined))}"
            yield Problem((*path, index), f"no such {what}: {expected}")


def _quoted(names: Iterable[Any]) -> str:
    return ", ".join(f"`{name}`" for name in names)
