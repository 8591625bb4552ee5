"""The ASGI application, for `hypercorn entrypoints.asgi:app` and every other ASGI server.

REGISTRY_CONFIG names the configuration and REGISTRY_DATA_DIR the data directory.
"""

import logging
import signal
from collections.abc import Callable, Sequence
from typing import Any

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from application.change_feed import ChangeFeed
from application.configuration import ConfigurationReport
from application.registries import Registries
from application.registry_diff import RegistryDiff
from application.source_catalog import sizes
from application.source_overview import SourceOverview
from application.sync import SyncOutcome
from application.webhooks import WebhookOverview
from domain.asof import Asked
from domain.errors import AnnalsError, NotSupportedError
from entrypoints import sigterm
from entrypoints.container import Container, to_toolhive
from entrypoints.http.app import create_app
from entrypoints.http.services import Services
from entrypoints.interpreter import collect_seldom, take_short_turns
from entrypoints.release import current_release
from entrypoints.running import Running, running
from entrypoints.settings import Settings, read_settings

_log = logging.getLogger(__name__)


class Application:
    """Opens Annals when the server says that it starts, and closes it when it stops."""

    def __init__(self, read: Callable[[], Settings] = read_settings) -> None:
        self._read = read
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is None:
            raise RuntimeError("the server must run the lifespan protocol: switch it on")
        else:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """The lifespan protocol (ASGI specification, Lifespan)."""
        await receive()
        collect_seldom()
        take_short_turns()
        with sigterm.taken() as signals:
            told = await self._run(receive, send, signals)
        if not told:
            signal.raise_signal(signal.SIGTERM)

    async def _run(self, receive: Receive, send: Send, signals: sigterm.Signals) -> bool:
        """Whether the server has said that it stops, or that it has failed."""
        told = True
        message: dict[str, Any] = {"type": "lifespan.shutdown.complete"}
        try:
            settings = self._read()
            async with running(settings) as started:
                self._app = make_app(started)
                await send({"type": "lifespan.startup.complete"})
                grace_seconds = settings.config.server.grace_seconds
                told = await sigterm.wait(receive, signals, started.readiness.stop, grace_seconds)
        except Exception as error:  # noqa: BLE001  # the server has to be told, whatever it is
            _log.error("Annals stopped: %s", error, exc_info=not isinstance(error, AnnalsError))
            kind = "shutdown" if self._app else "startup"
            message = {"type": f"lifespan.{kind}.failed", "message": str(error)}
        await send(message)
        return told


def make_app(started: Running) -> ASGIApp:
    """The HTTP application over what has been started."""
    container = started.container
    return create_app(
        _services(
            container,
            registries=container.registries(),
            readiness=started.readiness.reason,
            stopping=started.readiness.stopping,
            overviews=started.overviews,
            configuration=lambda: started.configuration.report,
            sync_now=container.scheduler().sync_now,
            syncs=container.syncs().counts,
            holds_lease=lambda: started.holds_lease,
            measures=started.measures,
            webhooks=container.webhooks().overviews,
        )
    )


def make_past_app(container: Container, moment: Asked, stopping: anyio.Event) -> ASGIApp:
    """The HTTP application over a log as of a moment: it reads, and nothing else.

    Streams end when *stopping* is set.
    """
    registries = Registries(
        container.projector(),
        container.storage(),
        container.documents(),
        container.clock(),
        container.scratch(),
        frozen=moment,
    )
    return create_app(
        _services(
            container,
            registries=registries,
            readiness=lambda: None,
            stopping=stopping,
            overviews=_no_overviews,
            configuration=lambda: ConfigurationReport(file=None, loaded_at=container.clock().now()),
            sync_now=_refuse_to_sync,
            webhooks=_no_webhooks,
        )
    )


def _services(container: Container, registries: Registries, **others: Any) -> Services:
    storage, documents = container.storage(), container.documents()
    return Services(
        registries=registries,
        feed=ChangeFeed(storage, registries, documents),
        diff=RegistryDiff(storage, documents),
        documents=documents,
        transparency=container.transparency(),
        to_toolhive=to_toolhive,
        deployed=container.deployed(),
        release=current_release(),
        sizes=lambda: sizes(storage, registries.live.definitions.sources),
        **others,
    )


async def _no_overviews() -> Sequence[SourceOverview]:
    return ()


async def _no_webhooks() -> Sequence[WebhookOverview]:
    return ()


async def _refuse_to_sync(_name: str) -> SyncOutcome:
    raise NotSupportedError("This server shows a moment of the past: no source is synced here")


app = Application()
