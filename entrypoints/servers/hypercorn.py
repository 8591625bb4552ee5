"""Hypercorn, which can do the most: also HTTP/2."""

import asyncio

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from starlette.types import ASGIApp

from entrypoints.servers import Listening

_CUT_OFF_SECONDS = 0.5
_OF_A_CONNECTION = ("_server_callback", "_handle")  # what Hypercorn calls their coroutines
_MANY_REQUESTS = 1_000_000  # Hypercorn closes a connection after 1,000: clients only reconnect


async def serve(app: ASGIApp, listening: Listening) -> None:
    stopped = asyncio.Event()

    async def wait_for_stop() -> None:
        await listening.until_stopped()
        stopped.set()

    cutting = asyncio.create_task(_cut_off(stopped, listening.grace_seconds))
    try:
        # A task of its own: Hypercorn leaves the one it stops in marked as cancelled.
        await asyncio.create_task(
            hypercorn_serve(app, _config(listening), shutdown_trigger=wait_for_stop)  # type: ignore[arg-type]
        )
    finally:
        cutting.cancel()


async def _cut_off(stopped: asyncio.Event, grace_seconds: float) -> None:
    """End the connections that are left when their time is over.

    Hypercorn cancels them once, and then waits for their clients to take all that was sent.
    """
    await stopped.wait()
    await asyncio.sleep(grace_seconds)
    while True:
        await asyncio.sleep(_CUT_OFF_SECONDS)
        for task in asyncio.all_tasks():
            code = getattr(task.get_coro(), "cr_code", None)
            if code and code.co_name in _OF_A_CONNECTION and "hypercorn" in code.co_filename:
                task.cancel()


def _config(listening: Listening) -> Config:
    host = f"[{listening.host}]" if ":" in listening.host else listening.host
    config = Config()
    config.bind = [f"{host}:{listening.port}"]
    config.graceful_timeout = listening.grace_seconds
    config.keep_alive_max_requests = _MANY_REQUESTS
    config.include_server_header = False
    config.loglevel = "WARNING"
    return config
