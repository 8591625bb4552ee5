"""What an endpoint is: enough to serve it, and to say in a document how it is used."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import attrs
from starlette.requests import Request
from starlette.responses import StreamingResponse

from entrypoints.http.answer import Answer
from entrypoints.http.services import Services

Handler: TypeAlias = Callable[[Services, Request], Awaitable[Answer | StreamingResponse]]

REGISTRY = "/registry/{registryName}"
ROOT = ("",)

PATH_PARAMETERS: Mapping[str, str] = {
    "registryName": "The name of a registry.",
    "serverName": "The name of a server. Its slash may be encoded as %2F or not.",
    "version": "A version, or `latest`.",
    "sourceName": "The name of a source.",
    "name": "The key of a server in ToolHive's files, or its full name.",
    "tilePath": "The path of a tile, such as `0/x001/234.p/56`; of entries, without the level.",
}
"""Every parameter that paths have, with its description."""

_PARAMETER = re.compile(r"\{(\w+)\}")


def in_every_registry(*prefixes: str) -> tuple[str, ...]:
    """Where an API is found: in the default registry, and in every one by its name."""
    return tuple(registry + prefix for prefix in prefixes for registry in ("", REGISTRY))


def path_parameters(path: str) -> list[str]:
    """The names of the parameters in a path template."""
    return _PARAMETER.findall(path)


@attrs.frozen(kw_only=True)
class Parameter:
    """A parameter of a query. `schema` is a JSON schema of its value."""

    name: str
    schema: Mapping[str, Any]
    description: str


@attrs.frozen(kw_only=True)
class Endpoint:
    """One method of one path, below each of `bases`. The first base is the one to recommend.

    `answer` names the schema of a success, None where there is none or it is not JSON; `body`
    names that of the request. `errors` are the statuses of the errors beside 500. The answers of
    a `lasting` one follow from the URL and the registry version, so they are kept.
    """

    method: str = "GET"
    bases: tuple[str, ...]
    path: str
    handler: Handler
    group: str
    summary: str
    query: tuple[Parameter, ...] = ()
    body: str | None = None
    body_type: str = "application/json"
    answer: str | None = None
    media_type: str = "application/json"
    errors: tuple[int, ...] = ()
    lasting: bool = False
