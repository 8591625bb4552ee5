"""A server in this process around the application, with an orderly stop."""

import json
import logging
import signal
import sys
from collections.abc import Callable
from functools import partial

import anyio
import attrs
import click
from starlette.types import ASGIApp

from domain.asof import Asked, AtPosition
from domain.errors import CannotListenError
from entrypoints.asgi import make_app, make_past_app
from entrypoints.container import opened
from entrypoints.running import running
from entrypoints.servers import Listening, server_of
from entrypoints.settings import Settings


async def serve(settings: Settings, server: str, *, json_logs: bool) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        AnnalsError: it could not be started.
    """
    _log_to_stderr(json_logs=json_logs)
    async with running(settings) as started:
        await _listen(make_app(started), settings, started.readiness.stop, server)


async def serve_past(settings: Settings, moment: Asked, server: str, *, json_logs: bool) -> None:
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
            app = make_past_app(container, fixed, stopping)
            await _listen(app, settings, stopping.set, server)
            tasks.cancel_scope.cancel()


async def _listen(
    app: ASGIApp, settings: Settings, stopping: Callable[[], None], server: str
) -> None:
    host, _, port = settings.listen.rpartition(":")
    listening = Listening(
        host=host.strip("[]") or "0.0.0.0",  # noqa: S104  # asked for
        port=int(port),
        grace_seconds=settings.config.server.grace_seconds,
        until_stopped=partial(_until_stopped, settings, stopping),
    )
    try:
        await server_of(server)(app, listening)
    except OSError as error:
        raise CannotListenError(
            f"cannot listen on {settings.listen}: {error.strerror}: choose another --address"
        ) from error


async def _until_stopped(settings: Settings, stopping: Callable[[], None]) -> None:
    """Greet, wait for a signal, and then for load balancers to see that this server stops."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        _greet(settings)
        await anext(signals)
        stopping()
        with anyio.move_on_after(settings.config.server.drain_seconds):
            await anext(signals)  # whoever signals twice does not want to wait


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
