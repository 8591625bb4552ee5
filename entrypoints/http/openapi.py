"""The OpenAPI 3.1 document, made of the same table that is served."""

import functools
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from io import StringIO
from typing import Any

import anyio.to_thread
from ruamel.yaml import YAML
from starlette.requests import Request

from entrypoints.http.answer import Answer
from entrypoints.http.answers import JSON, passing_answer
from entrypoints.http.asked import asked_registry
from entrypoints.http.endpoint import PATH_PARAMETERS, REGISTRY, ROOT, Endpoint, path_parameters
from entrypoints.http.operations import GROUP
from entrypoints.http.schemas import SCHEMAS, reference
from entrypoints.http.services import Services

_YAML, _HTML = "application/yaml", "text/html; charset=utf-8"
_STANDARD = "https://github.com/modelcontextprotocol/registry"
_INFO = {
    "title": "Annals",
    # Clients recognise the standard by this version and by the address in the description.
    "version": "1.0.0",
    "description": "A registry for Model Context Protocol servers that never forgets. It speaks "
    f"the API of the official MCP registry ({_STANDARD}) and that of ToolHive. Every path below "
    f"`{REGISTRY}` answers from the registry of that name, the others from the default one.",
    "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
}


def documented(endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """*endpoints* with those that document them all, themselves included."""

    @functools.cache
    def as_json() -> str:
        return json.dumps(_document(everything))

    @functools.cache
    def as_yaml() -> str:
        return _yaml_of(json.loads(as_json()))  # as JSON has it: no anchors for what is shared

    async def get_json(_services: Services, _request: Request) -> Answer:
        return passing_answer(as_json().encode(), JSON)

    async def get_yaml(services: Services, request: Request) -> Answer:
        await asked_registry(services, request)
        return passing_answer((await anyio.to_thread.run_sync(as_yaml)).encode(), _YAML)

    async def get_page(_services: Services, _request: Request) -> Answer:
        return passing_answer(_page(everything).encode(), _HTML)

    endpoint = functools.partial(Endpoint, group=GROUP)
    everything = (
        *endpoints,
        endpoint(
            bases=(*ROOT, REGISTRY, "/api/v0", f"{REGISTRY}/api/v0"),
            path="/openapi.yaml",
            handler=get_yaml,
            summary="This document.",
            media_type=_YAML,
            errors=(404,),
        ),
        endpoint(
            bases=ROOT,
            path="/openapi.json",
            handler=get_json,
            summary="This document as JSON.",
            answer="Anything",
        ),
        endpoint(
            bases=ROOT,
            path="/docs",
            handler=get_page,
            summary="A page for people that lists every path.",
            media_type=_HTML,
        ),
    )
    return everything


def _yaml_of(document: Any) -> str:
    yaml, text = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(document, text)
    return text.getvalue()


def _document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document. Further bases of an endpoint point at the first of their kind."""
    paths: dict[str, Any] = {}
    for endpoint in endpoints:
        main: dict[bool, str] = {}
        for base in endpoint.bases:
            path = base + endpoint.path
            first = main.setdefault(base.startswith(REGISTRY), path)
            if path == first:
                item = paths.setdefault(path, _parameters_of(path))
                item[endpoint.method.lower()] = _operation(endpoint)
            else:
                paths[path] = {"$ref": "#/paths/" + first.replace("/", "~1")}
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "parameters": {
                name: _parameter(name, "path", {"type": "string"}, description)
                for name, description in PATH_PARAMETERS.items()
            },
            "responses": {str(status): _problem(status) for status in _statuses(endpoints)},
        },
    }


def _parameters_of(path: str) -> dict[str, Any]:
    references = [reference("parameters", name) for name in path_parameters(path)]
    return {"parameters": references} if references else {}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    query = [
        _parameter(parameter.name, "query", parameter.schema, parameter.description)
        for parameter in endpoint.query
    ]
    errors = (*endpoint.errors, 500)
    return {
        "summary": endpoint.summary,
        "tags": [endpoint.group],
        **({"parameters": query} if query else {}),
        **({"requestBody": _content(endpoint.body_type, endpoint.body)} if endpoint.body else {}),
        "responses": {
            **_success(endpoint),
            **{str(status): reference("responses", str(status)) for status in errors},
        },
    }


def _success(endpoint: Endpoint) -> dict[str, Any]:
    if 501 in endpoint.errors:
        return {}
    answer = {"description": "OK", **_content(endpoint.media_type, endpoint.answer)}
    return {"200": answer}


def _content(media_type: str, schema: str | None) -> dict[str, Any]:
    described = {"schema": reference("schemas", schema)} if schema else {}
    return {"content": {media_type: described}}


def _parameter(
    name: str, place: str, schema: Mapping[str, Any], description: str
) -> dict[str, Any]:
    required = {"required": True} if place == "path" else {}
    return {
        "name": name,
        "in": place,
        **required,
        "schema": dict(schema),
        "description": description,
    }


def _statuses(endpoints: Iterable[Endpoint]) -> list[int]:
    return sorted({500, *(status for endpoint in endpoints for status in endpoint.errors)})


def _problem(status: int) -> dict[str, Any]:
    content = _content("application/problem+json", "Problem")
    return {"description": HTTPStatus(status).phrase, **content}


def _page(endpoints: Iterable[Endpoint]) -> str:
    rows = "".join(
        f"<tr><td>{endpoint.method}<td><code>{html.escape(base + endpoint.path)}</code>"
        f"<td>{html.escape(endpoint.summary)}\n"
        for endpoint in endpoints
        for base in endpoint.bases
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Annals</title>'
        '<h1>Annals</h1><p>Everything about these paths: <a href="openapi.yaml">openapi.yaml</a>, '
        f'<a href="openapi.json">openapi.json</a>.<table>\n{rows}</table></html>\n'
    )
