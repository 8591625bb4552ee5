"""ToolHive's own API (spec section 6): the latest version of every server, under its short key."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread
from starlette.requests import Request

from application.cursor import ListFilters
from application.queries import LATEST, server_version
from application.registry_index import RegistryIndex, ServedVersion
from application.responses import alone, document_in, each
from application.served import ServedRegistry, changed_at
from domain.entry import TOOLHIVE_META
from domain.errors import ServerNotFoundError
from domain.ports.scratch import Readable
from domain.timestamps import to_rfc_3339
from entrypoints.http.answer import Answer
from entrypoints.http.answers import answer_from, encode
from entrypoints.http.asked import asked_registry
from entrypoints.http.endpoint import Endpoint, in_every_registry
from entrypoints.http.official import refuse_to_publish
from entrypoints.http.parameters import FORMAT, MOMENT, wants_upstream
from entrypoints.http.services import Services, ToToolhive

GROUP = "toolhive"
_BASES = in_every_registry("/api/v0")
_FORMAT_VERSION = "1.0.0"

T = TypeVar("T")


async def info(services: Services, request: Request) -> Answer:
    registry = await asked_registry(services, request)
    wants_upstream(request)

    async def render() -> bytes:
        index = await registry.outline()
        return encode(
            {
                "version": _FORMAT_VERSION,
                "last_updated": to_rfc_3339(changed_at(registry.definition, index)),
                "source": ",".join(registry.definition.sources),
                "total_servers": len(await _latest(index)),
            }
        )

    return await answer_from(services, request, registry, render, GROUP)


async def list_servers(services: Services, request: Request) -> Answer:
    registry = await asked_registry(services, request)
    upstream = wants_upstream(request)
    render = partial(_upstream_list if upstream else _toolhive_list, services, registry)
    return await answer_from(services, request, registry, render, _variant(upstream=upstream))


async def get_server(services: Services, request: Request) -> Answer:
    registry = await asked_registry(services, request)
    upstream = wants_upstream(request)
    responses, served = await _named(registry, request.path_params["name"])

    async def render() -> bytes:
        document = document_in(await alone(responses, served))
        return document if upstream else encode(_detail(services.to_toolhive, document))

    return await answer_from(services, request, registry, render, _variant(upstream=upstream))


def _variant(*, upstream: bool) -> str:
    return "upstream" if upstream else GROUP


async def _upstream_list(_services: Services, registry: ServedRegistry) -> bytes:
    documents = await _documents(registry)
    return b'{"servers":[%b],"total":%d}' % (b",".join(documents), len(documents))


async def _toolhive_list(services: Services, registry: ServedRegistry) -> bytes:
    documents = await _documents(registry)
    return await anyio.to_thread.run_sync(_summaries, services.to_toolhive, documents)


async def _documents(registry: ServedRegistry) -> Sequence[bytes]:
    """Those of all servers to show, with something short in the place of what was redacted."""
    index = await registry.whole()
    return list(map(document_in, await each(index.responses, await _latest(index))))


async def _latest(index: RegistryIndex) -> Sequence[ServedVersion]:
    """The servers to show: a long way through a large registry, so beside other requests."""
    walk = index.walk(ListFilters(version=LATEST), None)
    return await anyio.to_thread.run_sync(list, walk)


async def _named(registry: ServedRegistry, name: str) -> tuple[Readable, ServedVersion]:
    """A server by its full name, or by the key that ToolHive's files have for it.

    Returns:
        Where it has its place, and the server.
    """
    for full_name in (name, f"{TOOLHIVE_META}/{name}"):
        with suppress(ServerNotFoundError):
            found = await registry.versions(full_name)
            served = server_version(found.servers, LATEST, include_deleted=False)
            return found.responses, served
    raise ServerNotFoundError("Server not found")


def _summaries(to_toolhive: ToToolhive, documents: Iterable[bytes]) -> bytes:
    servers = [_summary(*to_toolhive(json.loads(document))[1:]) for document in documents]
    return encode({"servers": servers, "total": len(servers)})


def _summary(key: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**_head(key, entry), "tools_count": len(_read(entry, "tools", []))}


def _head(key: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """What both views begin with."""
    members = ("description", "tier", "status", "transport")
    return {"name": key, **{member: _read(entry, member, "") for member in members}}


def _detail(to_toolhive: ToToolhive, document: bytes) -> dict[str, Any]:
    section, key, entry = to_toolhive(json.loads(document))
    permissions: dict[str, Any] = _read(entry, "permissions", {})
    optional = {
        "env_vars": _env_vars(entry),
        "permissions": {"profile": permissions} if permissions else {},
        "metadata": _metadata(section, entry),
        "repository_url": _read(entry, "repository_url", ""),
        "tags": _read(entry, "tags", []),
        "args": _read(entry, "args", []),
        "volumes": _read(entry, "volumes", {}),
        "image": _read(entry, "image", ""),
    }
    return {
        **_head(key, entry),
        "tools": _read(entry, "tools", []),
        **{member: value for member, value in optional.items() if value},
    }


def _env_vars(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    kept = ("name", "description", "required", "default", "secret")
    variables: list[Any] = _read(entry, "env_vars", [])
    return [
        {
            "description": "",
            "required": False,
            **{member: variable[member] for member in kept if member in variable},
        }
        for variable in variables
        if isinstance(variable, dict) and "name" in variable
    ]


def _metadata(section: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    members = ("url",) if section == "remote_servers" else ("target_port", "docker_tags")
    known = {
        **_read(entry, "metadata", {}),
        **_read(entry, "custom_metadata", {}),
        **{member: entry[member] for member in members if member in entry},
    }
    if section == "remote_servers":
        known["headers_count"] = len(_read(entry, "headers", []))
        known["oauth_enabled"] = bool(entry.get("oauth_config"))
    return known


def _read(entry: Mapping[str, Any], member: str, default: T) -> T:
    """A member where it has the type of *default*: anybody may have written anything into it."""
    value = entry.get(member)
    return value if isinstance(value, type(default)) else default


_endpoint = partial(Endpoint, bases=_BASES, group=GROUP)

ENDPOINTS = (
    _endpoint(
        path="/info",
        handler=info,
        lasting=True,
        summary="How many servers there are, from where, and when that last changed.",
        query=(FORMAT, *MOMENT),
        answer="ToolhiveInfo",
        errors=(400, 404),
    ),
    _endpoint(
        path="/servers",
        handler=list_servers,
        lasting=True,
        summary="All servers at once, each in short.",
        query=(FORMAT, *MOMENT),
        answer="ToolhiveList",
        errors=(400, 404),
    ),
    _endpoint(
        path="/servers/{name}",
        handler=get_server,
        lasting=True,
        summary="One server, by its short key or its full name.",
        query=(FORMAT, *MOMENT),
        answer="ToolhiveServer",
        errors=(400, 404, 410),
    ),
    _endpoint(
        method="POST",
        path="/publish",
        handler=refuse_to_publish,
        summary="Publish a server: not offered.",
        errors=(404, 501),
    ),
)
