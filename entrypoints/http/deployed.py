"""Which servers run in a cluster: a part of ToolHive's API (spec section 6)."""

from collections.abc import Sequence
from functools import partial

import attrs
from starlette.requests import Request

from domain.ports.deployed import DeployedServer
from entrypoints.http.answer import Answer
from entrypoints.http.answers import json_answer
from entrypoints.http.asked import asked_registry
from entrypoints.http.endpoint import Endpoint, in_every_registry
from entrypoints.http.services import Services
from entrypoints.http.toolhive import GROUP

_LIST, _ONE = "/deployed", "/deployed/{name}"


async def list_deployed(services: Services, request: Request) -> Answer:
    registry = await asked_registry(services, request)
    return _answer(await services.deployed.of_registry(registry.definition.name))


async def get_deployed(services: Services, request: Request) -> Answer:
    await asked_registry(services, request)
    return _answer(await services.deployed.of_server(request.path_params["name"]))


def _answer(servers: Sequence[DeployedServer]) -> Answer:
    return json_answer([attrs.asdict(server) for server in servers])


_endpoint = partial(Endpoint, bases=in_every_registry("/api/v0"), group=GROUP, answer="Deployed")
_list = partial(_endpoint, handler=list_deployed, errors=(404, 502))
_one = partial(_endpoint, handler=get_deployed, errors=(400, 404, 502))

ENDPOINTS = (
    _list(path=_LIST, summary="The servers that run in a Kubernetes cluster; none without one."),
    _one(path=_ONE, summary="Where one server runs in a Kubernetes cluster."),
    _list(path=f"/servers{_LIST}", summary=f"The older path of `{_LIST}`."),
    _one(path=f"/servers{_ONE}", summary=f"The older path of `{_ONE}`."),
)
