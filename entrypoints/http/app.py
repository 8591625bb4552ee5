"""The ASGI application: all endpoints, behind one entrance."""

from starlette.types import ASGIApp

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
from entrypoints.http.entrance import Entrance
from entrypoints.http.openapi import documented
from entrypoints.http.routes import Routes
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


def create_app(services: Services) -> ASGIApp:
    """The application. It has no lifespan of its own: who made *services* ends them."""
    return Entrance(services, Routes(ENDPOINTS))
