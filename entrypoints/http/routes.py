"""Which endpoint answers a request."""

import re
from collections.abc import Iterable, Mapping, Sequence

import attrs
from starlette.routing import compile_path

from entrypoints.http.endpoint import Endpoint

_WITH_SLASHES = ("serverName", "version", "name", "tilePath")


@attrs.frozen(kw_only=True)
class Route:
    """An endpoint below one of its bases. `template` is its path as the documents have it."""

    endpoint: Endpoint
    template: str
    pattern: re.Pattern[str]

    @property
    def has_parameters(self) -> bool:
        return "{" in self.template


class Routes:
    """The table of endpoints. The first that fits a path answers, as the table has them."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._by_area: dict[tuple[str, str], list[Route]] = {}
        for endpoint in endpoints:
            for base in endpoint.bases:
                route = _route(endpoint, base)
                key = _area(route.template), endpoint.method
                self._by_area.setdefault(key, []).append(route)
        self._methods = tuple(dict.fromkeys(method for _, method in self._by_area))
        # Most requests are for one of these, which need not be looked for among the others.
        self._fixed = {
            (method, route.template): self._found(method, route.template)
            for (_, method), routes in self._by_area.items()
            for route in routes
            if not route.has_parameters
        }
        for key, routes in self._by_area.items():
            self._by_area[key] = [route for route in routes if route.has_parameters]

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route of a path, and the parameters in it. HEAD is everywhere where GET is."""
        method = "GET" if method == "HEAD" else method
        return self._fixed.get((method, path)) or self._found(method, path)

    def _found(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        for route in self._by_area.get((_area(path), method), ()):
            if match := route.pattern.match(path):
                return route, match.groupdict()
        return None

    def methods(self, path: str) -> Sequence[str]:
        """The methods of all endpoints that have the path."""
        found = [method for method in self._methods if self.find(method, path)]
        return [*found, "HEAD"] if "GET" in found else found


def _area(path: str) -> str:
    """What a path begins with, whichever registry it names: finds the few routes it may match."""
    parts = path.split("/", 4)
    return "/".join(parts[1:4:2] if parts[1:2] == ["registry"] else parts[1:2])


def _route(endpoint: Endpoint, base: str) -> Route:
    template = path = base + endpoint.path
    for name in _WITH_SLASHES:  # servers decode %2F before a route is sought
        path = path.replace(f"{{{name}}}", f"{{{name}:path}}")
    return Route(endpoint=endpoint, template=template, pattern=compile_path(path)[0])
