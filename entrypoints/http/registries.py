"""Which registries there are, with the member names of ToolHive's registry server."""

from functools import partial
from typing import Any

from starlette.requests import Request

from application.served import ServedRegistry, changed_at
from domain.composition import default_registry
from domain.identifiers import RegistryName
from domain.timestamps import to_rfc_3339
from entrypoints.http.answer import Answer
from entrypoints.http.answers import json_answer
from entrypoints.http.endpoint import Endpoint
from entrypoints.http.services import Services
from entrypoints.http.sources import BASES

GROUP = "registries"


async def list_registries(services: Services, _request: Request) -> Answer:
    default = await _default(services)
    found = [await _registry(one, default) for one in await services.registries.every()]
    return json_answer({"registries": found})


async def get_registry(services: Services, request: Request) -> Answer:
    registry = await services.registries.asked(request.path_params["registryName"])
    return json_answer(await _registry(registry, await _default(services)))


async def _default(services: Services) -> RegistryName | None:
    definitions = await services.registries.definitions()
    default = default_registry(definitions.registries.values())
    return default.name if default else None


async def _registry(registry: ServedRegistry, default: RegistryName | None) -> dict[str, Any]:
    definition, index = registry.definition, await registry.outline()
    return {
        "name": definition.name,
        "creationType": "CONFIG",
        "sources": definition.sources,
        "default": definition.name == default,
        "serverCount": index.server_names,
        "versionCount": index.server_versions,
        "position": registry.position,
        "definedAt": to_rfc_3339(definition.defined_at),
        "updatedAt": to_rfc_3339(changed_at(definition, index)),
    }


_endpoint = partial(Endpoint, bases=BASES, group=GROUP)

ENDPOINTS = (
    _endpoint(
        path="/registries",
        handler=list_registries,
        summary="Every registry, in the order of the configuration.",
        answer="RegistryList",
    ),
    _endpoint(
        path="/registries/{registryName}",
        handler=get_registry,
        summary="One registry.",
        answer="Registry",
        errors=(404,),
    ),
)
