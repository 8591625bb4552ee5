"""ToolHive's registry files: servers by key, images and remote ones apart."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs
import msgspec

from adapters.sources.formats.admission import Candidate, rejection, rejection_for
from adapters.sources.formats.opened import Opened, Slice, parsed
from adapters.sources.formats.payload import (
    is_unicode,
    open_json,
    pointer,
    read_closed,
    without_nulls,
)
from adapters.sources.formats.toolhive_conversion import (
    SECTIONS,
    SERVERS,
    from_server_json,
    server_name,
    to_server_json,
    toolhive_lifecycle,
)
from domain.canonical_json import canonical_json
from domain.errors import SourceContentError
from domain.events import RejectedEntry
from domain.identifiers import EntryKind
from domain.json_checks import Place, array_of, expect, first_issue, object_of, string, typed
from domain.ports.format import Listed, Parsed
from domain.timestamps import to_rfc_3339


@attrs.frozen
class ToolhiveFormat:
    """`FormatPort` of ToolHive's registry files. They hold the latest version of each server."""

    def parse(self, payload: bytes) -> Parsed:
        return parsed(self.open(open_json(payload)))

    def open(self, registry: Any) -> Opened:
        """What lies in JSON that was opened.

        Raises:
            SourceContentError: it is not a ToolHive registry.
        """
        if not is_toolhive(registry):
            raise SourceContentError(
                "expected a ToolHive registry, an object with the objects `servers` and "
                "`remote_servers`; for a list of server.json set the format to `upstream`"
            )
        slices = (
            Slice(section=section, holder=pointer(section), key=key, number=index, value=entry)
            for section in SECTIONS
            for index, (key, entry) in enumerate((registry.get(section) or {}).items())
        )
        warnings = tuple(_group_warnings(registry.get("groups")))
        return Opened(slices=slices, candidate=_candidate, warnings=warnings)

    def render(
        self, entries: Mapping[EntryKind, Iterable[Listed]], last_updated: datetime
    ) -> Iterator[bytes]:
        sections: dict[str, dict[str, msgspec.Raw]] = {section: {} for section in SECTIONS}
        for listed in entries.get(EntryKind.SERVER, ()):
            if listed.is_latest:
                section, key, entry = from_server_json(msgspec.json.decode(listed.document))
                if entry.get("image") or entry.get("url"):
                    sections[section][key] = msgspec.Raw(canonical_json(entry))
        registry = {"version": "1.0.0", "last_updated": to_rfc_3339(last_updated)}
        by_key = {section: dict(sorted(found.items())) for section, found in sections.items()}
        yield msgspec.json.encode({**registry, **by_key})
        yield b"\n"


def is_toolhive(registry: object) -> bool:
    """Whether JSON has the shape of a ToolHive registry. Null is an empty section, as in Go."""
    if not isinstance(registry, dict):
        return False
    sections = [registry[name] for name in SECTIONS if registry.get(name) is not None]
    return bool(sections) and all(isinstance(section, dict) for section in sections)


def _candidate(slice_: Slice) -> Candidate | RejectedEntry:
    section, key, path = slice_.section, str(slice_.key), slice_.path
    name, entry = server_name(key) if is_unicode(key) else slice_.label, read_closed(slice_.value)
    if not key:
        return rejection(name, "expected a key that is not empty", path)
    check = _IMAGE if section == SERVERS else _REMOTE
    if issue := first_issue(check, without_nulls(entry), Place()):
        return rejection_for(issue, name, path)
    document = to_server_json(section, key, entry)
    return Candidate(
        kind=EntryKind.SERVER,
        name=name,
        path=path,
        document=document,
        lifecycle=toolhive_lifecycle(document),
        converted=True,
    )


def _group_warnings(groups: object) -> Iterator[RejectedEntry]:
    """Groups repeat servers for deploying them together, or hold servers of their own."""
    for index, group in enumerate(groups if isinstance(groups, list) else ()):
        if isinstance(group, dict) and any(group.get(section) for section in SECTIONS):
            reason = "servers of a group are not entries: expected them in `servers` as well"
            yield rejection(f"groups[{index}]", reason, pointer("groups", index))


_NOT_EMPTY = string(expect("schema-min-length", "one or more characters", bool))
_INPUTS = array_of(
    object_of(
        {
            "name": string(),
            "description": string(),
            "required": typed(bool),
            "secret": typed(bool),
            "default": string(),
            "choices": array_of(string()),
        },
        required=("name",),
    )
)
_BOTH = {"description": string(), "transport": string(), "repository_url": string()}
_IMAGE = object_of(
    {"image": _NOT_EMPTY, **_BOTH, "target_port": typed(int), "env_vars": _INPUTS},
    required=("image", "description"),
)
_REMOTE = object_of(
    {"url": _NOT_EMPTY, **_BOTH, "headers": _INPUTS}, required=("url", "description")
)
