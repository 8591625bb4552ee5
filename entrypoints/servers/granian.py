"""Granian, in the event loop of this process."""

import asyncio
from typing import Any

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server
from starlette.types import ASGIApp

from entrypoints.servers import Listening, bound

_LOGGERS: dict[str, Any] = {"_granian": {"propagate": True}}  # where all others write


async def serve(app: ASGIApp, listening: Listening) -> None:
    bound(listening).close()  # Granian would not raise an OSError
    listens = asyncio.Event()
    server = Server(
        app,
        address=listening.host,
        port=listening.port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_dictconfig={"loggers": _LOGGERS},
        log_level=LogLevels.error,
    )
    server.on_startup(listens.set)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve())
        await listens.wait()
        await listening.until_stopped()
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([serving], timeout=listening.grace_seconds)
        serving.cancel()
