"""Events as they are stored, and back."""

import json
from datetime import datetime
from operator import attrgetter
from typing import Any

import attrs
import cattrs

from application.upcasters import upcast
from domain.canonical_json import canonical_json
from domain.change import ChangeClass
from domain.entry import Status
from domain.errors import CorruptLogError, UnknownEventTypeError
from domain.events import (
    DelistReason,
    DocumentRedacted,
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
    Event,
    HistoryCompleted,
    PinRemoved,
    PinSet,
    RegistryDefined,
    RegistryRetired,
    RevisionRecorded,
    SourceDefined,
    SourceRetired,
    SyncCompleted,
    SyncFailed,
    SyncStage,
)
from domain.identifiers import EntryKind
from domain.log import NewEvent, StoredEvent
from domain.timestamps import to_rfc_3339


@attrs.frozen
class EventType:
    """The class of an event, and the schema version that is written now."""

    cls: type
    schema_version: int


EVENT_TYPES: dict[str, EventType] = {
    "entry.listed": EventType(EntryListed, 1),
    "entry.revised": EventType(EntryRevised, 1),
    "entry.delisted": EventType(EntryDelisted, 1),
    "entry.status_changed": EventType(EntryStatusChanged, 1),
    "sync.completed": EventType(SyncCompleted, 1),
    "sync.failed": EventType(SyncFailed, 1),
    "revision.recorded": EventType(RevisionRecorded, 1),
    "history.completed": EventType(HistoryCompleted, 1),
    "source.defined": EventType(SourceDefined, 1),
    "source.retired": EventType(SourceRetired, 1),
    "registry.defined": EventType(RegistryDefined, 1),
    "registry.retired": EventType(RegistryRetired, 1),
    "pin.set": EventType(PinSet, 1),
    "pin.removed": EventType(PinRemoved, 1),
    "document.redacted": EventType(DocumentRedacted, 1),
}
"""Every event by the name it is stored under. A name is never given another meaning."""

_NAMES = {event_type.cls: name for name, event_type in EVENT_TYPES.items()}


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False, forbid_extra_keys=True)
    converter.register_unstructure_hook(datetime, to_rfc_3339)
    for enum in (ChangeClass, DelistReason, EntryKind, Status, SyncStage):
        converter.register_unstructure_hook(enum, attrgetter("value"))
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    converter.register_structure_hook_func(  # an element by itself needs no look
        lambda cls: cls == tuple[str, ...], lambda texts, _: tuple(texts)
    )
    return converter


_converter = _make_converter()


_structure = {
    name: _converter.get_structure_hook(event_type.cls) for name, event_type in EVENT_TYPES.items()
}


def name_of(event: Event) -> str:
    """The name that an event is stored under."""
    return _NAMES[type(event)]


def encode(event: Event) -> NewEvent:
    """An event ready to be appended."""
    name = name_of(event)
    return NewEvent(name, EVENT_TYPES[name].schema_version, canonical_json(payload_of(event)))


def payload_of(event: Event) -> dict[str, Any]:
    """The members of an event as JSON values."""
    payload: dict[str, Any] = _converter.unstructure(event)
    return payload


def decode(stored: StoredEvent) -> Event:
    """The event that was stored, whatever release stored it.

    Raises:
        UnknownEventTypeError: it is of a newer release.
        CorruptLogError: it was not written by `encode`.
    """
    known = EVENT_TYPES.get(stored.type)
    if known is None or stored.schema_version > known.schema_version:
        raise UnknownEventTypeError(
            f"position {stored.position}: this release does not know {stored.type} in version "
            f"{stored.schema_version}: upgrade annals-registry"
        )
    try:
        payload = json.loads(stored.data.decode())
        payload = upcast(stored.type, stored.schema_version, known.schema_version, payload)
        event: Event = _structure[stored.type](payload, known.cls)
    except Exception as error:
        raise CorruptLogError(
            f"position {stored.position}: the payload is not that of a {stored.type}: {error!r}"
        ) from error
    return event
