"""The official MCP Registry API (spec sections 1 to 4): what it reads."""

from functools import partial

import attrs
from starlette.requests import Request

from application.cursor import Cursor, encode_cursor
from application.queries import LATEST, Page, server_version, versions_of
from application.rendering import LIST_OPENING, list_closing
from application.responses import alone, joined
from application.served import ServedRegistry
from domain.errors import InvalidCursorError, NotSupportedError
from entrypoints.http.answer import Answer
from entrypoints.http.answers import answer_from, json_answer
from entrypoints.http.asked import asked_registry, moment_of
from entrypoints.http.endpoint import Endpoint, in_every_registry
from entrypoints.http.parameters import (
    CURSOR,
    INCLUDE_DELETED,
    LIMIT,
    MOMENT,
    SEARCH,
    UPDATED_SINCE,
    VERSION,
    ListQuery,
    include_deleted,
    list_query,
)
from entrypoints.http.services import Services
from entrypoints.http.validation import validate

GROUP = "official"
_BASES = in_every_registry("/v0.1", "/v0", "")


async def list_servers(services: Services, request: Request) -> Answer:
    registry = await asked_registry(services, request)
    query = list_query(request)
    _refuse_other_moment(registry, query)
    render = partial(_page, registry, query)
    return await answer_from(services, request, registry, render)


async def list_versions(services: Services, request: Request) -> Answer:
    registry = await asked_registry(services, request)
    found = await registry.versions(request.path_params["serverName"])
    versions = versions_of(found.servers, include_deleted=include_deleted(request))
    render = partial(_rendered, registry, attrs.evolve(found, servers=versions))
    return await answer_from(services, request, registry, render)


async def get_version(services: Services, request: Request) -> Answer:
    registry = await asked_registry(services, request)
    found = await registry.versions(request.path_params["serverName"])
    served = server_version(
        found.servers,
        request.path_params.get("version", LATEST),
        include_deleted=include_deleted(request),
    )

    render = partial(alone, found.responses, served)
    return await answer_from(services, request, registry, render)


async def refuse_to_publish(services: Services, request: Request) -> Answer:
    await asked_registry(services, request)
    raise NotSupportedError(
        "This registry is fed from its sources: change the server there, and the next sync "
        "brings it here"
    )


async def health(services: Services, request: Request) -> Answer:
    await asked_registry(services, request)
    return json_answer({"status": "ok"})


async def ping(services: Services, request: Request) -> Answer:
    await asked_registry(services, request)
    return json_answer({"pong": True})


async def version(services: Services, request: Request) -> Answer:
    await asked_registry(services, request)
    release = services.release
    return json_answer(
        {
            "version": release["version"],
            "git_commit": release["commit"],
            "build_time": release["build_date"],
        }
    )


def _refuse_other_moment(registry: ServedRegistry, query: ListQuery) -> None:
    """All pages of a walk are of one moment."""
    if query.asked is not None and query.asked != moment_of(registry):
        raise InvalidCursorError(
            "The cursor goes on with a list of another moment: ask for it without `at`, or begin"
            " the list anew"
        )


async def _page(registry: ServedRegistry, query: ListQuery) -> bytes:
    page = await registry.page(query.filters, query.after, query.limit)
    return await _rendered(registry, page)


async def _rendered(registry: ServedRegistry, page: Page) -> bytes:
    following = None
    if cursor := page.next_cursor:
        following = encode_cursor(Cursor(cursor.after, cursor.filters, moment_of(registry)))
    closing = list_closing(len(page.servers), following)
    return await joined(page.responses, page.servers, LIST_OPENING, closing)


_endpoint = partial(Endpoint, bases=_BASES, group=GROUP)
_operation = partial(Endpoint, bases=in_every_registry("/v0.1", "/v0"), group=GROUP, errors=(404,))
_refused = partial(_endpoint, handler=refuse_to_publish, errors=(404, 501))

ENDPOINTS = (
    _endpoint(
        path="/servers",
        handler=list_servers,
        lasting=True,
        summary="List servers, in the order of name and version, page by page.",
        query=(CURSOR, LIMIT, SEARCH, UPDATED_SINCE, VERSION, INCLUDE_DELETED, *MOMENT),
        answer="ServerList",
        errors=(400, 404, 422),
    ),
    _endpoint(
        path="/servers/{serverName}/versions/{version}",
        handler=get_version,
        lasting=True,
        summary="One version of a server; `latest` is the latest that is not deleted.",
        query=(INCLUDE_DELETED, *MOMENT),
        answer="ServerResponse",
        errors=(400, 404, 410, 422),
    ),
    _endpoint(
        path="/servers/{serverName}/versions",
        handler=list_versions,
        lasting=True,
        summary="All versions of a server, the newest publication first.",
        query=(INCLUDE_DELETED, *MOMENT),
        answer="ServerList",
        errors=(400, 404, 422),
    ),
    _endpoint(
        path="/servers/{serverName}",
        handler=get_version,
        lasting=True,
        summary="The latest version of a server, as older clients ask for it.",
        query=(INCLUDE_DELETED, *MOMENT),
        answer="ServerResponse",
        errors=(400, 404, 410, 422),
    ),
    _endpoint(
        method="POST",
        path="/validate",
        handler=validate,
        summary="Find every problem of a server.json without publishing it.",
        body="Anything",
        answer="Validation",
        errors=(404, 413),
    ),
    _operation(
        path="/health",
        handler=health,
        summary="Whether the registry answers at all.",
        answer="OfficialHealth",
    ),
    _operation(
        path="/ping",
        handler=ping,
        summary="The same in another shape.",
        answer="Pong",
    ),
    _operation(
        path="/version",
        handler=version,
        summary="Which release this is.",
        answer="OfficialVersion",
    ),
    _refused(method="POST", path="/publish", summary="Publish a version: not offered."),
    _refused(
        method="PUT",
        path="/servers/{serverName}/versions/{version}",
        summary="Edit a version: not offered.",
    ),
    _refused(
        method="DELETE",
        path="/servers/{serverName}/versions/{version}",
        summary="Delete a version: not offered.",
    ),
    _refused(
        method="PATCH",
        path="/servers/{serverName}/versions/{version}/status",
        summary="Set the status of a version: not offered.",
    ),
    _refused(
        method="PATCH",
        path="/servers/{serverName}/status",
        summary="Set the status of all versions: not offered.",
    ),
)
