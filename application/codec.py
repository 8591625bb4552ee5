"""Events as they are stored, and back."""

import json
from collections.abc import Mapping
from datetime import datetime
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any

import attrs
import cattrs

from application.upcasters import upcast
from domain.canonical_json import canonical_json
from domain.change import Change, ChangeClass
from domain.entry import Lifecycle, Status
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
from domain.identifiers import EntryKey, EntryKind
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


_KINDS = {kind.value: kind for kind in EntryKind}  # a look-up costs a fifth of a call
_STATUSES = {status.value: status for status in Status}
_CLASSES = {change_class.value: change_class for change_class in ChangeClass}

# What most events hold is made by hand: cattrs takes twice as long for these. Each tells how many
# members there are, because no payload may have one that is not known.


def _key(payload: dict[str, Any], _: object) -> EntryKey:
    if len(payload) != 3:
        raise _others(payload)
    return EntryKey(_KINDS[payload["kind"]], payload["name"], payload["version"])


def _lifecycle(payload: dict[str, Any], _: object) -> Lifecycle:
    if len(payload) != 4:
        raise _others(payload)
    return Lifecycle(
        status=_STATUSES[payload["status"]],
        status_message=payload["status_message"],
        status_changed_at=_instant(payload["status_changed_at"]),
        published_at=_instant(payload["published_at"]),
    )


def _change(payload: dict[str, Any], _: object) -> Change:
    if len(payload) != 3:
        raise _others(payload)
    return Change(
        paths=tuple(payload["paths"]),
        classes=tuple([_CLASSES[name] for name in payload["classes"]]),
        more_paths=payload["more_paths"],
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _others(payload: Mapping[str, Any]) -> ValueError:
    return ValueError(f"expected other members, found {', '.join(payload)}")


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False, forbid_extra_keys=True)
    converter.register_unstructure_hook(datetime, to_rfc_3339)
    for enum in (ChangeClass, DelistReason, EntryKind, Status, SyncStage):
        converter.register_unstructure_hook(enum, attrgetter("value"))
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    for cls, by_hand in ((EntryKey, _key), (Lifecycle, _lifecycle), (Change, _change)):
        converter.register_structure_hook(cls, by_hand)
    converter.register_structure_hook_func(  # an element by itself needs no look
        lambda cls: cls == tuple[str, ...], lambda texts, _: tuple(texts)
    )
    return converter


_converter = _make_converter()
_decoder = json.JSONDecoder()

_structure = {
    name: _converter.get_structure_hook(event_type.cls) for name, event_type in EVENT_TYPES.items()
}


def name_of(event: Event) -> str:
    """The name that an event is stored under."""
    return _NAMES[type(event)]


def encode(event: Event) -> NewEvent:
    """An event ready to be appended."""
    name = name_of(event)
    data = _listed(event) if isinstance(event, EntryListed) else canonical_json(payload_of(event))
    return NewEvent(name, EVENT_TYPES[name].schema_version, data)


def _listed(event: EntryListed) -> bytes:
    """The canonical form written at once: a first sync makes as many of these as it has entries."""
    key, life = event.key, event.lifecycle
    return (
        f'{{"document_hash":{_text(event.document_hash)}'
        f',"key":{{"kind":"{key.kind}","name":{_text(key.name)},"version":{_text(key.version)}}}'
        f',"lifecycle":{{"published_at":{_time(life.published_at)},"status":"{life.status}"'
        f',"status_changed_at":{_time(life.status_changed_at)}'
        f',"status_message":{_text(life.status_message)}}}'
        f',"tags":[{",".join(map(_text, event.tags))}],"title":{_text(event.title)}}}'
    ).encode()


def _text(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)


def _time(instant: datetime | None) -> str:
    return "null" if instant is None else f'"{to_rfc_3339(instant)}"'


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
        payload = _read_json(stored.data.decode())
        payload = upcast(stored.type, stored.schema_version, known.schema_version, payload)
        event: Event = _structure[stored.type](payload, known.cls)
    except Exception as error:
        raise CorruptLogError(
            f"position {stored.position}: the payload is not that of a {stored.type}: {error!r}"
        ) from error
    return event


def _read_json(text: str) -> Any:
    """As `json.loads`, but that canonical form has no white space to look for."""
    value, end = _decoder.raw_decode(text)
    if end != len(text):
        raise ValueError(f"expected the end at character {end}")
    return value
