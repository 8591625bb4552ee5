"""The ASGI application: the table of endpoints as routes, and what holds for every request."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote_to_bytes

import attrs
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from entrypoints.http import (
    atom,
    deployed,
    history,
    log,
    official,
    operations,
    pins,
    proof,
    registries,
    sources,
    stream,
    toolhive,
    webhooks,
)
from entrypoints.http.answers import EXPOSED_HEADERS
from entrypoints.http.endpoint import Endpoint, Handler
from entrypoints.http.errors import problem, problem_of
from entrypoints.http.openapi import documented
from entrypoints.http.services import Services

ENDPOINTS = documented(
    (
        *history.ENDPOINTS,
        *atom.ENDPOINTS,
        *stream.ENDPOINTS,
        *official.ENDPOINTS,
        *deployed.ENDPOINTS,
        *toolhive.ENDPOINTS,
        *sources.ENDPOINTS,
        *registries.ENDPOINTS,
        *pins.ENDPOINTS,
        *webhooks.ENDPOINTS,
        *log.ENDPOINTS,
        *proof.ENDPOINTS,
        *operations.ENDPOINTS,
    )
)
"""Everything that is served. A path is answered by the first that fits it: `/servers/deployed`
stands before `/servers/{name}`.
"""

_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, OPTIONS"),
    (b"access-control-allow-headers", b"Authorization, Content-Type"),
    (b"access-control-expose-headers", b", ".join(EXPOSED_HEADERS)),
]
_DAY = "86400"
_WITH_SLASHES = ("serverName", "version", "name", "tilePath")
_SAFE = "/%:@!$&'()*+,;=~?"  # what may stand in a URL as it came


def create_app(services: Services) -> ASGIApp:
    """The application. It has no lifespan of its own: who made *services* ends them."""
    areas: dict[str, list[Route]] = {}
    for endpoint in ENDPOINTS:
        for base in endpoint.bases:
            route = _route(services, endpoint, base)
            areas.setdefault(_area(route.path), []).append(route)
    return _Entrance({area: _router(routes) for area, routes in areas.items()}, _Unserved(()))


def _area(path: str) -> str:
    """What a path begins with, whichever registry it names: finds the few routes it may match."""
    parts = path.split("/", 4)
    return "/".join(parts[1:4:2] if parts[1:2] == ["registry"] else parts[1:2])


def _route(services: Services, endpoint: Endpoint, base: str) -> Route:
    path = base + endpoint.path
    for name in _WITH_SLASHES:  # servers decode %2F before a route is sought
        path = path.replace(f"{{{name}}}", f"{{{name}:path}}")
    return Route(path, _Served(services, endpoint.handler), methods=[endpoint.method])


def _router(routes: Sequence[Route]) -> Router:
    unserved = _Unserved(routes)
    # A path that only other methods have would be answered by Starlette in its own words.
    everything = [*routes, Route("/{path:path}", unserved)]
    return Router(everything, redirect_slashes=False, default=unserved)


@attrs.frozen
class _Served:
    """An endpoint as an ASGI application."""

    services: Services
    handler: Handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self.handler(self.services, request)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, the client gets an answer
            response = problem_of(error)
        await response(scope, receive, send)


@attrs.frozen
class _Unserved:
    """What no endpoint answers: preflights, other methods, other paths."""

    routes: Sequence[Route]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        methods = self._methods(scope)
        if not methods:
            return problem(404, "There is nothing at this path: /docs lists what there is")
        allow = ", ".join(sorted({*methods, "OPTIONS"}))
        if scope["method"] == "OPTIONS":
            headers = {"Allow": allow, "Access-Control-Max-Age": _DAY}
            return Response(status_code=204, headers=headers)
        return problem(405, f"This path takes {allow}", headers={"Allow": allow})

    def _methods(self, scope: Scope) -> set[str]:
        """The methods of all endpoints that have the path."""
        return {
            method
            for route in self.routes
            if route.matches(scope)[0] is not Match.NONE
            for method in route.methods or ()
        }


@attrs.frozen
class _Entrance:
    """What holds for every request, before it is routed."""

    routers: Mapping[str, ASGIApp]
    default: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_open(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_CORS]
            await send(message)

        await (_turned_away(scope) or self._router(scope))(scope, receive, send_open)

    def _router(self, scope: Scope) -> ASGIApp:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        return self.routers.get(_area(path), self.default)


def _turned_away(scope: Scope) -> Response | None:
    """The answer to a request whose URL is not one that is routed."""
    path, query = scope["path"], scope["query_string"]
    if "\0" in path or b"\0" in query or b"%00" in query:
        return problem(400, "A NUL is no part of any name: take it out of the URL")
    if "\n" in path:  # patterns of routes end before the last one
        return problem(400, "A line feed is no part of any name: take it out of the path")
    raw_path = scope.get("raw_path") or quote(path).encode()
    if "\ufffd" in path and not _is_utf8(unquote_to_bytes(raw_path)):
        return problem(400, "The path is not UTF-8: percent-encode it as UTF-8")
    if raw_path.endswith(b"/") and path != "/":
        return Response(status_code=308, headers={"Location": _without_slash(raw_path, query)})
    return None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_slash(raw_path: bytes, query: bytes) -> str:
    """The same URL with one slash at its start, or it would name a host, and none at its end."""
    path = "/" + quote(raw_path.strip(b"/"), safe=_SAFE)
    return path + (f"?{quote(query, safe=_SAFE)}" if query else "")
