"""What operators, probes and load balancers ask for."""

from functools import partial

import anyio.to_thread
from starlette.requests import Request

from entrypoints.http.answer import Answer
from entrypoints.http.answers import json_answer, passing_answer
from entrypoints.http.endpoint import ROOT, Endpoint
from entrypoints.http.errors import problem
from entrypoints.http.metrics import METRICS_TYPE, State, metrics_text
from entrypoints.http.services import Services

GROUP = "operations"


async def health(_services: Services, _request: Request) -> Answer:
    return json_answer({"status": "healthy"})


async def readiness(services: Services, _request: Request) -> Answer:
    if (reason := services.readiness()) is not None:
        return problem(503, reason)
    return json_answer({"status": "ready"})


async def version(services: Services, _request: Request) -> Answer:
    return json_answer(services.release)


async def metrics(services: Services, _request: Request) -> Answer:
    registries = [
        (registry.definition.name, (await registry.outline()).server_versions)
        for registry in await services.registries.every()
    ]
    state = State(
        live=services.registries.live,
        head=(await services.transparency.head()).size,
        registries=registries,
        configuration=services.configuration(),
        syncs=services.syncs(),
        sizes=await services.sizes(),
        holds_lease=services.holds_lease(),
    )
    text = await anyio.to_thread.run_sync(metrics_text, services.measures.collectors, state)
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
