"""The configuration: what one holds, and how a file becomes one."""

import hashlib
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Literal, NewType

import attrs
from cattrs.errors import BaseValidationError

from adapters.sources import SOURCES
from adapters.sources.file import FILE
from adapters.sources.formats import FORMATS
from domain.canonical_json import canonical_json
from domain.change import ChangeClass
from domain.filters import Filter, NamePattern
from domain.identifiers import (
    RegistryName,
    SourceName,
    WebhookName,
    registry_name,
    source_name,
    webhook_name,
)
from domain.notes import COSIGNATURE, VerifierKey, is_key_name, parse_verifier_key
from entrypoints.config_checks import cross_check
from entrypoints.config_structure import (
    TextHooks,
    key_paths,
    keys_of,
    problems_of,
    strict_converter,
)
from entrypoints.config_webhooks import WebhookConfig
from entrypoints.config_yaml import read_yaml
from entrypoints.durations import parse_duration as parse_duration

_DEFAULT_REGISTRY = RegistryName("default")
_KINDS = {kind.name: kind for kind in SOURCES}


def _at_least(seconds: float, _instance: object, _field: object, value: float) -> None:
    if value < seconds:
        raise ValueError(f"expected a duration of at least {seconds:g}s")


def _is_ratio(_instance: object, _field: object, value: float) -> None:
    if not 0 < value <= 1:
        raise ValueError("expected a ratio above 0 and up to 1, as in 0.5 for one half")


def _is_not_empty(_instance: object, _field: object, value: tuple[object, ...]) -> None:
    if not value:
        raise ValueError("expected at least one source")


def _is_http_url(_instance: object, _field: object, value: str | None) -> None:
    if value is not None and not re.fullmatch(r"https?://[^\s/]\S*", value):
        raise ValueError("expected a URL that begins with https:// or http://")


def _is_address(_instance: object, _field: object, value: str) -> None:
    match = re.fullmatch(r"(\[[^\[\]]+\]|[^:\s]*):([0-9]{1,5})", value)
    if match is None or int(match[2]) > 65535:
        raise ValueError("expected host:port, [IPv6 address]:port, or :port for every address")


@attrs.frozen(kw_only=True)
class SyncPolicy:
    """How often a source is read."""

    interval_seconds: float = attrs.field(default=1800.0, validator=partial(_at_least, 1))


@attrs.frozen(kw_only=True)
class SourceConfig:
    """One source. `settings` is of the attrs class that its kind declares.

    A format of None is recognised by content. `allow_empty` and `max_removal` are its guards.
    """

    name: SourceName
    type: str
    settings: Any
    format: str | None = None
    sync_policy: SyncPolicy = SyncPolicy()
    filter: Filter = attrs.Factory(Filter)
    allow_empty: bool = False
    max_removal: float = attrs.field(default=0.5, validator=_is_ratio)


@attrs.frozen(kw_only=True)
class RegistryConfig:
    """One registry: its sources in order of precedence."""

    name: RegistryName
    sources: tuple[SourceName, ...] = attrs.field(validator=_is_not_empty)


@attrs.frozen(kw_only=True)
class StorageConfig:
    """Where the log is kept. A path of None is `annals.db` in the data directory."""

    type: Literal["sqlite", "memory"] = "sqlite"
    path: str | None = attrs.field(default=None, metadata={"path": True})


@attrs.frozen(kw_only=True)
class StatusConfig:
    """Where the status of the sources is written, as JSON, beside the storage."""

    file: str | None = attrs.field(default=None, metadata={"path": True})


@attrs.frozen(kw_only=True)
class ServerConfig:
    """Where the HTTP server listens, and how it stops.

    For `drain_seconds` it answers while it tells the load balancer that it is not ready, then
    open requests have `grace_seconds` to end.
    """

    address: str = attrs.field(default=":8080", validator=_is_address)
    drain_seconds: float = attrs.field(default=1.0, validator=partial(_at_least, 0))
    grace_seconds: float = attrs.field(default=25.0, validator=partial(_at_least, 0))


@attrs.frozen(kw_only=True)
class KubernetesConfig:
    """The cluster whose deployed servers are shown. With nothing set it is found by itself."""

    kubeconfig: str | None = attrs.field(default=None, metadata={"path": True})
    context: str | None = None


def _is_origin(_instance: object, _field: object, value: str | None) -> None:
    if value is not None and not is_key_name(value):
        raise ValueError("expected a name without spaces and without +, such as example.com/log")


@attrs.frozen(kw_only=True)
class WitnessConfig:
    """Who may cosign the checkpoints of the log. One with a URL is asked to."""

    key: VerifierKey
    url: str | None = attrs.field(default=None, validator=_is_http_url)


@attrs.frozen(kw_only=True)
class LogConfig:
    """How the log is known to others.

    An origin of None is that of the key; a key file of None is `log.key` in the data directory.
    """

    origin: str | None = attrs.field(default=None, validator=_is_origin)
    key_file: str | None = attrs.field(default=None, metadata={"path": True})
    witnesses: tuple[WitnessConfig, ...] = ()


@attrs.frozen(kw_only=True)
class Config:
    """Everything that a configuration file says."""

    sources: tuple[SourceConfig, ...]
    registries: tuple[RegistryConfig, ...]
    storage: StorageConfig = StorageConfig()
    status: StatusConfig = StatusConfig()
    server: ServerConfig = ServerConfig()
    kubernetes: KubernetesConfig = KubernetesConfig()
    log: LogConfig = LogConfig()
    webhooks: tuple[WebhookConfig, ...] = ()


def load(path: Path) -> Config:
    """Read a configuration file. Relative paths in it are taken from its directory.

    Raises:
        ConfigError: with every problem of the file, in the order of their places.
    """
    document = read_yaml(path)
    parsed: Any = None
    problems = [*cross_check(document.data, _SINGLE_KEYS, _FULL_KEYS, tuple(_KINDS))]
    converter = strict_converter(path.parent.resolve(), _TEXT_HOOKS)
    for form, data in _forms(document.data):
        try:
            parsed = converter.structure(data, form)
        except BaseValidationError as error:
            problems += problems_of(error)
    if problems or document.problems:
        raise document.error(problems)
    return _from_single(parsed) if isinstance(parsed, _Single) else _from_full(parsed)


def example_config() -> Config:
    """What runs when no configuration is given: the registry that comes with Annals."""
    path = Path(__file__).parent.parent / "examples" / "registry.json"
    name = SourceName("example")
    source = SourceConfig(name=name, type=FILE.name, settings=FILE.settings(path=str(path)))
    registry = RegistryConfig(name=_DEFAULT_REGISTRY, sources=(name,))
    return Config(sources=(source,), registries=(registry,))


def settings_hash(source: SourceConfig) -> str:
    """SHA-256 over kind, format and settings: tells whether the source became another one.

    Settings at their default are left out, so that a release that adds one changes no hash.
    """
    settings = attrs.asdict(source.settings, filter=lambda field, value: value != field.default)
    content = {"type": source.type, "format": source.format, "settings": settings}
    return hashlib.sha256(canonical_json(content)).hexdigest()


def location(source: SourceConfig) -> str:
    """Where the source is, for people, without secrets."""
    return _KINDS[source.type].location(source.settings)


def known_keys() -> tuple[str, ...]:
    """Every key of both forms, as in `sources[].git.repository`."""
    return tuple(dict.fromkeys([*key_paths(_Full, _TEXT_HOOKS), *key_paths(_Single, _TEXT_HOOKS)]))


_FormatName = NewType("_FormatName", str)
_KindName = NewType("_KindName", str)


def _one_of(names: Iterable[str], text: str) -> str:
    if text not in names:
        raise ValueError(f"expected {' or '.join(names)}")
    return text


def _change_class(text: str) -> ChangeClass:
    return ChangeClass(_one_of(tuple(ChangeClass), text))


def _witness_key(text: str) -> VerifierKey:
    key = parse_verifier_key(text)
    if key.algorithm != COSIGNATURE:
        raise ValueError(f"expected the key of a witness, of algorithm {COSIGNATURE}")
    return key


_TEXT_HOOKS: TextHooks = {
    SourceName: source_name,
    RegistryName: registry_name,
    WebhookName: webhook_name,
    ChangeClass: _change_class,
    NamePattern: NamePattern,
    VerifierKey: _witness_key,
    _FormatName: partial(_one_of, FORMATS),
    _KindName: partial(_one_of, _KINDS),
}


@attrs.frozen
class _Names:
    include: tuple[NamePattern, ...] = ()
    exclude: tuple[NamePattern, ...] = ()


@attrs.frozen
class _Tags:
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@attrs.frozen
class _Filter:
    names: _Names = _Names()
    tags: _Tags = _Tags()

    def to_filter(self) -> Filter:
        return Filter(
            include_names=self.names.include,
            exclude_names=self.names.exclude,
            include_tags=self.tags.include,
            exclude_tags=self.tags.exclude,
        )


def _source_class(class_name: str, **fields: Any) -> type:
    """A form of a source: some fields, what all kinds share, and a block for each kind."""
    kinds: dict[str, Any] = {
        kind.name: attrs.field(type=kind.settings, default=None) for kind in SOURCES
    }
    shared: dict[str, Any] = {
        "format": attrs.field(type=_FormatName, default=None),
        "allow_empty": attrs.field(type=bool, default=False),
        "max_removal": attrs.field(type=float, default=0.5, validator=_is_ratio),
    }
    return attrs.make_class(class_name, {**fields, **kinds, **shared}, frozen=True, kw_only=True)


_SingleSource: Any = _source_class("_SingleSource", type=attrs.field(type=_KindName))
_ListedSource: Any = _source_class(
    "_ListedSource",
    name=attrs.field(type=SourceName),
    sync_policy=attrs.field(type=SyncPolicy, default=SyncPolicy()),
    filter=attrs.field(type=_Filter, default=_Filter()),
)


@attrs.frozen(kw_only=True)
class _Single:
    """The form for one source in one registry."""

    registry_name: RegistryName = _DEFAULT_REGISTRY
    source: _SingleSource
    sync_policy: SyncPolicy = SyncPolicy()
    filter: _Filter = _Filter()
    storage: StorageConfig = StorageConfig()
    status: StatusConfig = StatusConfig()
    server: ServerConfig = ServerConfig()
    kubernetes: KubernetesConfig = KubernetesConfig()
    log: LogConfig = LogConfig()
    webhooks: tuple[WebhookConfig, ...] = ()


@attrs.frozen(kw_only=True)
class _Full:
    """The form for any number of sources and registries."""

    sources: tuple[_ListedSource, ...] = attrs.field(validator=_is_not_empty)
    registries: tuple[RegistryConfig, ...] = ()
    storage: StorageConfig = StorageConfig()
    status: StatusConfig = StatusConfig()
    server: ServerConfig = ServerConfig()
    kubernetes: KubernetesConfig = KubernetesConfig()
    log: LogConfig = LogConfig()
    webhooks: tuple[WebhookConfig, ...] = ()


_SINGLE_KEYS = tuple(key for key in keys_of(_Single) if key not in keys_of(_Full))
_FULL_KEYS = tuple(key for key in keys_of(_Full) if key not in keys_of(_Single))


def _forms(data: dict[str, Any]) -> list[tuple[type, dict[str, Any]]]:
    """The form that the data has. Of a mixture, each form without the keys of the other."""
    single = [key for key in _SINGLE_KEYS if key in data]
    full = [key for key in _FULL_KEYS if key in data]
    if not (single and full):
        return [(_Single if single else _Full, data)]
    return [
        (form, {key: data[key] for key in data if key not in foreign})
        for form, main, foreign in ((_Single, "source", full), (_Full, "sources", single))
        if main in data
    ]


def _from_single(parsed: _Single) -> Config:
    name = SourceName(parsed.registry_name)
    source = _source(name, parsed.source, parsed.sync_policy, parsed.filter)
    registry = RegistryConfig(name=parsed.registry_name, sources=(name,))
    return _config(parsed, (source,), (registry,))


def _from_full(parsed: _Full) -> Config:
    sources = tuple(_source(s.name, s, s.sync_policy, s.filter) for s in parsed.sources)
    names = tuple(source.name for source in sources)
    default = RegistryConfig(name=_DEFAULT_REGISTRY, sources=names)
    return _config(parsed, sources, parsed.registries or (default,))


def _config(
    parsed: _Single | _Full,
    sources: tuple[SourceConfig, ...],
    registries: tuple[RegistryConfig, ...],
) -> Config:
    return Config(
        sources=sources,
        registries=registries,
        storage=parsed.storage,
        status=parsed.status,
        server=parsed.server,
        kubernetes=parsed.kubernetes,
        log=parsed.log,
        webhooks=parsed.webhooks,
    )


def _source(name: SourceName, parsed: Any, policy: SyncPolicy, kept: _Filter) -> SourceConfig:
    kind = next(kind for kind in _KINDS if getattr(parsed, kind) is not None)
    return SourceConfig(
        name=name,
        type=kind,
        settings=getattr(parsed, kind),
        format=parsed.format,
        sync_policy=policy,
        filter=kept.to_filter(),
        allow_empty=parsed.allow_empty,
        max_removal=parsed.max_removal,
    )
