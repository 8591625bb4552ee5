"""What operators, probes and load balancers ask for."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from entrypoints.http.answers import json_answer, passing_answer
from entrypoints.http.endpoint import ROOT, Endpoint
from entrypoints.http.errors import problem
from entrypoints.http.metrics import METRICS_TYPE, metrics_text
from entrypoints.http.services import Services

GROUP = "operations"


async def health(_services: Services, _request: Request) -> Response:
    return json_answer({"status": "healthy"})


async def readiness(services: Services, _request: Request) -> Response:
    if (reason := services.readiness()) is not None:
        return problem(503, reason)
    return json_answer({"status": "ready"})


async def version(services: Services, _request: Request) -> Response:
    return json_answer(services.release)


async def metrics(services: Services, _request: Request) -> Response:
    registries = [
        (registry.definition.name, (await registry.whole()).server_versions)
        for registry in await services.registries.every()
    ]
    text = metrics_text(services.registries.live, registries, services.configuration())
    return passing_answer(text, METRICS_TYPE)


_endpoint = partial(Endpoint, bases=ROOT, group=GROUP)

ENDPOINTS = (
    _endpoint(
        path="/health",
        handler=health,
        summary="Whether the process answers: for liveness probes.",
        answer="Health",
    ),
    _endpoint(
        path="/readiness",
        handler=readiness,
        summary="Whether requests should come here: for readiness probes.",
        answer="Readiness",
        errors=(503,),
    ),
    _endpoint(
        path="/version",
        handler=version,
        summary="Which release this is, and what it runs on.",
        answer="Version",
    ),
    _endpoint(
        path="/metrics",
        handler=metrics,
        summary="Numbers for Prometheus.",
        media_type=METRICS_TYPE,
    ),
)
