"""Uvicorn, with httptools where that is installed."""

import asyncio
import math

import uvicorn
from starlette.types import ASGIApp

from entrypoints.servers import Listening, bound

_LOOK_SECONDS = 0.01


async def serve(app: ASGIApp, listening: Listening) -> None:
    server = uvicorn.Server(_config(app, listening))
    listener = bound(listening)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listener]))
        # From its start on it takes signals for itself; who takes them later has them alone.
        while not server.started:  # noqa: ASYNC110  # it has no event for that
            await asyncio.sleep(_LOOK_SECONDS)
        await listening.until_stopped()
        server.should_exit = True


def _config(app: ASGIApp, listening: Listening) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=math.ceil(listening.grace_seconds),
    )
