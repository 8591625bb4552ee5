"""Which sources and registries are configured, folded from the `config` stream."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from domain.composition import RegistryDefinition
from domain.events import (
    ConfigEvent,
    RegistryDefined,
    RegistryRetired,
    SourceDefined,
    SourceRetired,
)
from domain.identifiers import RegistryName, SourceName


@attrs.frozen(kw_only=True)
class Definitions:
    """The configured sources and registries."""

    sources: Mapping[SourceName, SourceDefined] = attrs.field(factory=dict)
    registries: Mapping[RegistryName, RegistryDefinition] = attrs.field(factory=dict)


DatedConfigEvent = tuple[datetime, ConfigEvent]


def redefine(definitions: Definitions, events: Iterable[DatedConfigEvent]) -> Definitions:
    """Fold events into definitions. The given definitions stay as they are."""
    sources, registries = dict(definitions.sources), dict(definitions.registries)
    for recorded_at, event in events:
        match event:
            case SourceDefined():
                sources[event.name] = event
            case SourceRetired():
                del sources[event.name]
            case RegistryDefined():
                registries[event.name] = _defined(registries.get(event.name), event, recorded_at)
            case RegistryRetired():
                del registries[event.name]
    return Definitions(sources=sources, registries=registries)


def _defined(
    known: RegistryDefinition | None, event: RegistryDefined, at: datetime
) -> RegistryDefinition:
    """Another place in the configuration is no other registry to its readers."""
    since = known.defined_at if known and known.sources == event.sources else at
    return RegistryDefinition(
        name=event.name, sources=event.sources, rank=event.rank, defined_at=since
    )


@attrs.frozen(kw_only=True)
class Desired:
    """What a configuration file asks for, in its order."""

    sources: tuple[SourceDefined, ...]
    registries: tuple[RegistryDefined, ...]


def redefinitions(definitions: Definitions, desired: Desired) -> tuple[ConfigEvent, ...]:
    """The events that bring *definitions* to *desired*: registries retire before their sources."""
    sources = {source.name: source for source in desired.sources}
    registries = {registry.name: registry for registry in desired.registries}
    return (
        *(RegistryRetired(name=name) for name in definitions.registries if name not in registries),
        *(SourceRetired(name=name) for name in definitions.sources if name not in sources),
        *(new for name, new in sources.items() if definitions.sources.get(name) != new),
        *(
            new
            for name, new in registries.items()
            if not _is_defined_so(definitions.registries.get(name), new)
        ),
    )


def _is_defined_so(known: RegistryDefinition | None, new: RegistryDefined) -> bool:
    return known is not None and (known.sources, known.rank) == (new.sources, new.rank)
