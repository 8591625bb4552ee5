"""What ToolHive's API tells of servers, written as one of ToolHive's registry files."""

from collections.abc import Mapping
from typing import Any

from adapters.sources.api_json import Repeating

_OF_IMAGES = ("target_port", "docker_tags")
_STATISTICS = ("stars", "pulls", "last_updated")
_COUNTED = ("headers_count", "oauth_enabled")
"""What the API tells of members that it keeps to itself."""


def registry_file(details: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The registry file of servers by their names."""
    sections: dict[str, dict[str, Any]] = {"servers": {}, "remote_servers": {}}
    for name, detail in details.items():
        section, entry = _entry(detail)
        sections[section][name] = entry
    return sections


def _entry(detail: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The section that a server belongs into, and its entry there.

    An API that has an empty text for what an entry does not say loses nothing by its absence.
    What has a member twice is left as it is, for the format to refuse.
    """
    if isinstance(detail, Repeating):
        return "servers", detail
    entry = {
        member: value
        for member, value in detail.items()
        if member not in ("name", "metadata", "permissions") and value != ""
    }
    told = dict(_object(detail.get("metadata")))
    is_remote = "image" not in entry and "url" in told
    moved = ("url",) if is_remote else _OF_IMAGES
    entry |= {member: told.pop(member) for member in moved if member in told}
    if is_remote:
        told = {member: value for member, value in told.items() if member not in _COUNTED}
    if permissions := _object(detail.get("permissions")).get("profile"):
        entry["permissions"] = permissions
    entry |= _split(told)
    return "remote_servers" if is_remote else "servers", entry


def _split(told: Mapping[str, Any]) -> dict[str, Any]:
    """The API shows an entry's statistics and the members of its owner's choice as one."""
    statistics = {member: told[member] for member in _STATISTICS if member in told}
    custom = {member: value for member, value in told.items() if member not in _STATISTICS}
    return {
        member: value
        for member, value in (("metadata", statistics), ("custom_metadata", custom))
        if value
    }


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
