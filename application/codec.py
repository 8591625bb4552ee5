"""Events as they are stored, and back."""

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from application.upcasters import upcast
from domain.errors import CorruptLogError, InvalidDocumentError, UnknownEventTypeError
from domain.events import (
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
)
from domain.log import NewEvent, Payload, StoredEvent


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

# Members in order, no white space, no more escapes than needed: of events this is canonical JSON
# (RFC 8785), because they hold no fractions and their members have names of ASCII.
_encoder = msgspec.json.Encoder(order="sorted")
_decoders: Mapping[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(known.cls) for name, known in EVENT_TYPES.items()
}


def name_of(event: Event) -> str:
    """The name that an event is stored under."""
    return _NAMES[type(event)]


def encode(event: Event) -> NewEvent:
    """An event ready to be appended.

    Raises:
        InvalidDocumentError: one of its texts has a lone surrogate.
    """
    name = name_of(event)
    try:
        return NewEvent(name, EVENT_TYPES[name].schema_version, _encoder.encode(event))
    except UnicodeEncodeError as error:
        raise InvalidDocumentError(f"a {name} has a lone surrogate: expected Unicode") from error


def payload_of(event: Event) -> dict[str, Any]:
    """The members of an event as JSON values."""
    payload: dict[str, Any] = msgspec.json.decode(_encoder.encode(event))
    return payload


def decode(stored: StoredEvent | Payload) -> Event:
    """The event that was stored, whatever release stored it.

    Raises:
        UnknownEventTypeError: it is of a newer release.
        CorruptLogError: it was not written by `encode`.
    """
    name, version, data = stored.type, stored.schema_version, stored.data
    known = EVENT_TYPES.get(name)
    if known is None or version > known.schema_version:
        raise UnknownEventTypeError(
            f"position {stored.position}: this release does not know {name} in version {version}: "
            "upgrade annals-registry"
        )
    try:
        if version != known.schema_version:
            data = _upcast(name, version, known.schema_version, data)
        return _read(name, data)
    except Exception as error:
        raise CorruptLogError(
            f"position {stored.position}: the payload is not that of a {name}: {error!r}"
        ) from error


def _upcast(name: str, version: int, current: int, data: bytes) -> bytes:
    return _encoder.encode(upcast(name, version, current, msgspec.json.decode(data)))


def _read(name: str, data: bytes) -> Event:
    """Members that no event has are passed over, so what was read must be all that is there."""
    event: Event = _decoders[name].decode(data)
    if _encoder.encode(event) != data:
        raise ValueError("expected its members in canonical JSON and no others")
    return event
