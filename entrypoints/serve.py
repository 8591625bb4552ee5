"""A server in this process: Hypercorn around the application, with an orderly stop."""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import attrs
import click
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config as HypercornConfig

from domain.asof import Asked, AtPosition
from domain.errors import CannotListenError
from entrypoints.asgi import make_app, make_past_app
from entrypoints.config import ServerConfig
from entrypoints.container import opened
from entrypoints.running import running
from entrypoints.settings import Settings

_CUT_OFF_SECONDS = 0.5
_OF_A_CONNECTION = ("_server_callback", "_handle")  # what Hypercorn calls their coroutines
_MANY_REQUESTS = 1_000_000  # Hypercorn closes a connection after 1,000: clients only reconnect


async def serve(settings: Settings, *, json_logs: bool) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        AnnalsError: it could not be started.
    """
    _log_to_stderr(json_logs=json_logs)
    async with running(settings) as started:
        await _listen(make_app(started), settings, started.readiness.stop)


async def serve_past(settings: Settings, moment: Asked, *, json_logs: bool) -> None:
    """Serve all registries as of a moment until SIGTERM or SIGINT.

    Raises:
        AnnalsError: it could not be started.
    """
    _log_to_stderr(json_logs=json_logs)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        await container.projector().load()
        resolved = await container.registries().resolve(moment)
        fixed = attrs.evolve(moment, at=AtPosition(resolved.position))
        click.echo(f"The log as of @{resolved.position}, which nothing changes:")
        stopping = anyio.Event()
        async with anyio.create_task_group() as tasks:
            # No source is synced, but what is redacted meanwhile must not be served any longer.
            await tasks.start(container.scheduler().run, ())
            await _listen(make_past_app(container, fixed, stopping), settings, stopping.set)
            tasks.cancel_scope.cancel()


async def _listen(app: Any, settings: Settings, stopping: Callable[[], None]) -> None:
    stopped = asyncio.Event()

    def stop() -> None:
        stopping()
        stopped.set()

    trigger = _stop_signal(settings, stop)
    serving = hypercorn_serve(app, _hypercorn_config(settings), shutdown_trigger=trigger)
    cutting = asyncio.create_task(_cut_off(stopped, settings.config.server))
    try:
        # A task of its own: Hypercorn leaves the one it stops in marked as cancelled.
        await asyncio.create_task(serving)
    except OSError as error:
        raise CannotListenError(
            f"cannot listen on {settings.listen}: {error.strerror}: choose another --address"
        ) from error
    finally:
        cutting.cancel()


async def _cut_off(stopped: asyncio.Event, server: ServerConfig) -> None:
    """End the connections that are left when their time is over.

    Hypercorn cancels them once, and then waits for their clients to take all that was sent.
    """
    await stopped.wait()
    await asyncio.sleep(server.drain_seconds + server.grace_seconds)
    while True:
        await asyncio.sleep(_CUT_OFF_SECONDS)
        for task in asyncio.all_tasks():
            code = getattr(task.get_coro(), "cr_code", None)
            if code and code.co_name in _OF_A_CONNECTION and "hypercorn" in code.co_filename:
                task.cancel()


def _hypercorn_config(settings: Settings) -> HypercornConfig:
    listen = settings.listen
    config = HypercornConfig()
    config.bind = [f"0.0.0.0{listen}" if listen.startswith(":") else listen]  # noqa: S104  # asked for
    config.graceful_timeout = settings.config.server.grace_seconds
    config.keep_alive_max_requests = _MANY_REQUESTS
    config.include_server_header = False
    config.loglevel = "WARNING"
    return config


def _stop_signal(
    settings: Settings, stopping: Callable[[], None]
) -> Callable[..., Awaitable[None]]:
    """What Hypercorn awaits from when it listens to when it shall stop."""

    async def wait_for_stop() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            _greet(settings)
            await anext(signals)
            stopping()
            with anyio.move_on_after(settings.config.server.drain_seconds):
                await anext(signals)  # whoever signals twice does not want to wait

    return wait_for_stop


def _greet(settings: Settings) -> None:
    host, _, port = settings.listen.rpartition(":")
    base = f"http://{host or 'localhost'}:{port}"
    registries = ", ".join(registry.name for registry in settings.config.registries)
    click.echo(
        f"Annals serves {registries} at {base} out of {settings.data_dir}. Try:\n"
        f"  {base}/v0.1/servers?version=latest\n"
        f"  {base}/v0.1/servers?search=git\n"
        f"  {base}/api/v0/servers\n"
        f"  {base}/openapi.yaml"
    )


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _log_to_stderr(*, json_logs: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonFormatter()
        if json_logs
        else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
