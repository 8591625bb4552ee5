"""Lists of server.json: ToolHive's newer files, bare arrays, pages of the official API."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs
import msgspec

from adapters.sources.formats.admission import Candidate, rejection, rejection_for
from adapters.sources.formats.opened import Opened, Slice, parsed
from adapters.sources.formats.payload import (
    canonical,
    is_unicode,
    open_json,
    pointer,
    read_entry,
    without_nulls,
)
from adapters.sources.formats.toolhive_conversion import toolhive_lifecycle
from domain.canonical_json import separated
from domain.entry import OFFICIAL_META, REDACTED_META, Lifecycle, Status
from domain.errors import SourceContentError
from domain.events import RejectedEntry
from domain.identifiers import EntryKind
from domain.json_checks import (
    Issue,
    Place,
    expect,
    first_issue,
    object_of,
    one_of,
    string,
    type_name,
)
from domain.ports.format import Listed, Parsed
from domain.timestamps import from_rfc_3339, to_rfc_3339

_SCHEMA = (
    "https://raw.githubusercontent.com/stacklok/toolhive-core/main/registry/types/data/"
    "upstream-registry.schema.json"
)
_LISTS = {EntryKind.SERVER: "servers", EntryKind.SKILL: "skills", EntryKind.PLUGIN: "plugins"}
_KINDS = {section: kind for kind, section in _LISTS.items()}


@attrs.frozen
class UpstreamFormat:
    """`FormatPort` of registries that hold documents as their authors wrote them."""

    def parse(self, payload: bytes) -> Parsed:
        return parsed(self.open(open_json(payload)))

    def open(self, registry: Any) -> Opened:
        """What lies in JSON that was opened.

        Raises:
            SourceContentError: it has none of the shapes.
        """
        slices = (
            Slice(section=_LISTS[kind], holder=path, key=index, number=index, value=item)
            for kind, path, items in _lists(registry)
            for index, item in enumerate(items)
        )
        return Opened(slices=slices, candidate=_candidate)

    def render(
        self, entries: Mapping[EntryKind, Iterable[Listed]], last_updated: datetime
    ) -> Iterator[bytes]:
        said = {
            "$schema": _SCHEMA,
            "version": "1.0.0",
            "meta": {"last_updated": to_rfc_3339(last_updated)},
        }
        yield msgspec.json.encode(said)[:-1] + b',"data":'
        opening = b"{"
        for kind, name in _LISTS.items():
            if kind in entries or kind is EntryKind.SERVER:
                yield b'%b"%b":[' % (opening, name.encode())
                yield from separated(listed.document for listed in entries.get(kind, ()))
                yield b"]"
                opening = b","
        yield b"}}\n"


def _lists(registry: Any) -> list[tuple[EntryKind, str, list[Any]]]:
    """Each list of entries with the JSON pointer to it. Null is an empty list, as in Go."""
    if isinstance(registry, list):
        return [(EntryKind.SERVER, "", registry)]
    holder, path = registry, ""
    if isinstance(registry, dict) and "data" in registry:
        holder, path = registry["data"], pointer("data")
    if not _holds_lists(holder):
        raise SourceContentError(
            "expected a list of server.json: an array, or an object with the array `servers` or "
            "`data.servers`; where `servers` is an object, set the format to `toolhive`"
        )
    return [(kind, path + pointer(name), holder.get(name) or []) for kind, name in _LISTS.items()]


def _holds_lists(holder: object) -> bool:
    return (
        isinstance(holder, dict)
        and "servers" in holder
        and all(isinstance(holder.get(name), list | None) for name in _LISTS.values())
    )


def _candidate(slice_: Slice) -> Candidate | RejectedEntry:
    kind, unnamed, path = _KINDS[slice_.section], slice_.label, slice_.path
    item, body = read_entry(slice_.value)
    if not isinstance(item, dict):
        return rejection(unnamed, f"expected an object, found {type_name(item)}", path)
    if kind is EntryKind.SERVER:
        return _server(item, body, unnamed, path)
    is_deprecated = item.get("status") == "deprecated"
    return Candidate(
        kind=kind,
        name=_name(item, "namespace", "name") or unnamed,
        path=path,
        document=item,
        body=body,
        lifecycle=Lifecycle(status=Status.DEPRECATED if is_deprecated else Status.ACTIVE),
    )


def _server(
    item: dict[str, Any], body: bytes | None, unnamed: str, path: str
) -> Candidate | RejectedEntry:
    """A server.json, alone or in the envelope of the official API (`ServerResponse`)."""
    is_enveloped = isinstance(item.get("server"), dict)
    document = item["server"] if is_enveloped else item
    name = _name(document, "name") or unnamed
    if is_enveloped and _is_redacted(item):
        return rejection(name, "the registry that offers it has redacted its document", path)
    lifecycle = _lifecycle(item) or toolhive_lifecycle(document)
    if isinstance(lifecycle, Issue):
        return rejection_for(lifecycle, name, path)
    offered = _without_official(document)
    return Candidate(
        kind=EntryKind.SERVER,
        name=name,
        path=path + pointer("server") if is_enveloped else path,
        document=offered,
        body=body if offered is item or body is None else canonical(offered),
        lifecycle=lifecycle,
    )


def _is_redacted(item: dict[str, Any]) -> bool:
    """Whether another Annals has a stub here, which nobody wrote."""
    meta = item.get("_meta")
    return isinstance(meta, dict) and REDACTED_META in meta


def _name(document: dict[str, Any], *members: str) -> str | None:
    said = (document.get(member) for member in members)
    parts = [part for part in said if isinstance(part, str) and part and is_unicode(part)]
    return "/".join(parts) if len(parts) == len(members) else None


def _lifecycle(item: dict[str, Any]) -> Lifecycle | Issue | None:
    """What the official registry says of a server: in the envelope or, as of old, in `_meta`."""
    meta = item.get("_meta")
    if not isinstance(meta, dict) or OFFICIAL_META not in meta:
        return None
    said = without_nulls(meta[OFFICIAL_META])
    place = Place().member("_meta", item).member(OFFICIAL_META, meta)
    if issue := first_issue(_OFFICIAL, said, place):
        return issue
    times = {member: from_rfc_3339(said[member]) for member in _TIMES if member in said}
    return Lifecycle(
        status=Status(said.get("status", Status.ACTIVE)),
        status_message=said.get("statusMessage"),
        status_changed_at=times.get("statusChangedAt"),
        published_at=times.get("publishedAt"),
    )


def _without_official(document: dict[str, Any]) -> dict[str, Any]:
    meta = document.get("_meta")
    if not isinstance(meta, dict) or OFFICIAL_META not in meta:
        return document
    others = {member: value for member, value in meta.items() if member != OFFICIAL_META}
    kept = {member: value for member, value in document.items() if member != "_meta"}
    return {**kept, "_meta": others} if others else kept


def _is_time(text: str) -> bool:
    try:
        from_rfc_3339(text)
    except ValueError:
        return False
    return True


_TIMES = ("statusChangedAt", "publishedAt")
_UNICODE = expect(
    "official-text",
    "Unicode without lone surrogates",
    is_unicode,
)
_TIME = string(expect("official-time", "an RFC 3339 time with an offset", _is_time))
_OFFICIAL = object_of(
    {
        "status": string(one_of(*Status)),
        "statusMessage": string(_UNICODE),
        **dict.fromkeys(_TIMES, _TIME),
    }
)
