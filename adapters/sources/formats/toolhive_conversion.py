"""ToolHive's registry entries as server.json and back: there and back gives the entry again.

What server.json has no member for stands where ToolHive's own tools put it, in `_meta`.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from domain.entry import (
    PUBLISHER_META,
    TOOLHIVE_META,
    Lifecycle,
    Status,
    toolhive_extensions,
)
from domain.server_json import CURRENT_SCHEMA

SERVERS = "servers"
REMOTE_SERVERS = "remote_servers"
SECTIONS = (SERVERS, REMOTE_SERVERS)
NOTES_META = "dev.annals"
"""Where the conversion notes what the way back could not know; most documents have no notes."""

_Inputs: TypeAlias = list[dict[str, Any]]
_NAMESPACE = f"{TOOLHIVE_META}/"
_SUBJECTS = {SERVERS: "image", REMOTE_SERVERS: "url"}
_UNSTATED_VERSION = "1.0.0"
_RUNNERS = {"npm": "npx", "pypi": "uvx"}
_TO_INPUT = {"required": "isRequired", "secret": "isSecret"}
_FROM_INPUT = {input_member: member for member, input_member in _TO_INPUT.items()}
_SPECIFIC_TAG = re.compile(r"v?[0-9]+(?:\.[0-9]+)+[\w.-]*", re.ASCII)
_PORT = re.compile(r"https?://[^/?#]*:([0-9]{1,5})(?=[/?#]|$)")
_GITLAB = re.compile(r"[a-z+]+://(?:[^/@]*@)?gitlab\.com(?=[:/]|$)", re.IGNORECASE)


def server_name(key: str) -> str:
    """The name of the server that stands under *key*."""
    return key if "/" in key else _NAMESPACE + key


def to_server_json(section: str, key: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Convert an entry of `servers` or `remote_servers`.

    The entry has a description and an image or a URL. Members that move have the types of the
    ToolHive schema, or are null.
    """
    subject = entry[_SUBJECTS[section]]
    document = {
        "$schema": CURRENT_SCHEMA,
        "name": server_name(key),
        "description": entry["description"],
        **(_in_package(entry) if section == SERVERS else _in_remote(entry)),
        **_in_repository(entry.get("repository_url")),
    }
    said = _said(document)
    unsaid = {m: value for m, value in entry.items() if m not in said or said[m] != value}
    publisher = {TOOLHIVE_META: {subject: unsaid}, **_notes(key, said.keys() - entry.keys())}
    return {**document, "_meta": {PUBLISHER_META: publisher}}


def from_server_json(document: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """The section, key and entry of a server.json of any origin.

    The first OCI package counts, else the first package, else the first remote. The entry of a
    server that has none of them has neither `image` nor `url`.
    """
    section = _section(document)
    said = _said(document)
    subject = _SUBJECTS[section]
    extension = toolhive_extensions(dict(document)).get(said.get(subject, ""))
    if extension is None:
        extension = {"tier": "Community", "status": "Active", "tools": []}
    entry = {**said, **extension}
    if subject in said:  # What is run is what the document says, whatever stands beside it.
        entry[subject] = said[subject]
    notes = _notes_of(document)
    return section, _key(document["name"], notes), _without(entry, notes.get("absent"))


def toolhive_lifecycle(document: dict[str, Any]) -> Lifecycle:
    """The life cycle that ToolHive's extensions of a server.json tell."""
    statuses = [said.get("status") for said in toolhive_extensions(document).values()]
    is_deprecated = "Deprecated" in statuses or "deprecated" in statuses
    return Lifecycle(status=Status.DEPRECATED if is_deprecated else Status.ACTIVE)


def _section(document: Mapping[str, Any]) -> str:
    has_remotes_only = document.get("remotes") and not document.get("packages")
    return REMOTE_SERVERS if has_remotes_only else SERVERS


def _said(document: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an entry that a server.json has members of its own for."""
    said = {"description": document["description"]}
    if url := document.get("repository", {}).get("url"):
        said["repository_url"] = url
    if packages := document.get("packages"):
        oci = (package for package in packages if package["registryType"] == "oci")
        said |= _of_package(next(oci, packages[0]))
    elif remotes := document.get("remotes"):
        said |= _of_remote(remotes[0])
    return said


def _in_package(entry: Mapping[str, Any]) -> dict[str, Any]:
    transport = {"type": entry.get("transport") or "stdio"}
    if transport["type"] != "stdio":
        port = entry.get("target_port")
        transport["url"] = "http://localhost" if port is None else f"http://localhost:{port}"
    package = {
        "registryType": "oci",
        "identifier": entry["image"],
        "transport": transport,
        **_as_inputs("environmentVariables", entry.get("env_vars")),
    }
    return {"version": _version(entry["image"]), "packages": [package]}


def _of_package(package: Mapping[str, Any]) -> dict[str, Any]:
    transport = package.get("transport", {"type": "stdio"})
    port = _PORT.match(transport.get("url", ""))
    return {
        "image": _image(package),
        "transport": transport["type"],
        **({"target_port": int(port[1])} if port else {}),
        **_of_inputs("env_vars", package.get("environmentVariables")),
    }


def _in_remote(entry: Mapping[str, Any]) -> dict[str, Any]:
    remote = {
        "type": entry.get("transport") or "sse",
        "url": entry["url"],
        **_as_inputs("headers", entry.get("headers")),
    }
    return {"version": _UNSTATED_VERSION, "remotes": [remote]}


def _of_remote(remote: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "transport": remote["type"],
        **({"url": remote["url"]} if "url" in remote else {}),
        **_of_inputs("headers", remote.get("headers")),
    }


def _as_inputs(member: str, inputs: _Inputs | None) -> dict[str, _Inputs]:
    """Environment variables or headers under *member* of server.json; nothing where none are."""
    return {} if inputs is None else {member: [_renamed(i, _TO_INPUT) for i in inputs]}


def _of_inputs(member: str, inputs: _Inputs | None) -> dict[str, _Inputs]:
    """The way back. Where server.json is silent an input is optional; ToolHive wants it said."""
    if inputs is None:
        return {}
    return {member: [{"required": False, **_renamed(i, _FROM_INPUT)} for i in inputs]}


def _renamed(value: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(member, member): found for member, found in value.items()}


def _in_repository(url: str | None) -> dict[str, Any]:
    if not url:
        return {}
    return {"repository": {"url": url, "source": "gitlab" if _GITLAB.match(url) else "github"}}


def _version(image: str) -> str:
    """The tag of an image reference, where it tells one version from another."""
    name = image.partition("@")[0].rpartition("/")[2]
    tag = name.partition(":")[2]
    return tag if _SPECIFIC_TAG.fullmatch(tag) else _UNSTATED_VERSION


def _image(package: Mapping[str, Any]) -> str:
    """What ToolHive runs: an image, or a package in its notation for those."""
    kind, identifier = package["registryType"], package["identifier"]
    if kind == "oci":
        return str(identifier)
    version = f"@{package['version']}" if package.get("version") else ""
    return f"{_RUNNERS.get(kind, kind)}://{identifier}{version}"


def _notes(key: str, absent: Collection[str]) -> dict[str, Any]:
    notes: dict[str, Any] = {"absent": sorted(absent)} if absent else {}
    if _key(server_name(key), {}) != key:
        notes["key"] = key
    return {NOTES_META: notes} if notes else {}


def _notes_of(document: Mapping[str, Any]) -> dict[str, Any]:
    notes = document.get("_meta", {}).get(PUBLISHER_META, {}).get(NOTES_META)
    return notes if isinstance(notes, dict) else {}


def _key(name: str, notes: Mapping[str, Any]) -> str:
    """The key that a server is named by; a note counts where it could be one of this name."""
    noted = notes.get("key")
    if isinstance(noted, str) and server_name(noted) == name:
        return noted
    short = name.removeprefix(_NAMESPACE)
    return short if server_name(short) == name else name


def _without(entry: dict[str, Any], absent: object) -> dict[str, Any]:
    names = absent if isinstance(absent, list) else []
    return {member: value for member, value in entry.items() if member not in names}
