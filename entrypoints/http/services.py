"""What the endpoints answer from: plain collaborators, put together elsewhere."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import anyio
import attrs

from application.change_feed import ChangeFeed, Mark
from application.configuration import ConfigurationReport
from application.documents import Documents
from application.projections.catalogs import Size
from application.registries import Registries
from application.registry_diff import RegistryDiff
from application.source_overview import SourceOverview
from application.sync import SyncOutcome
from application.sync_counts import SyncCount
from application.transparency import Transparency
from application.webhooks import WebhookOverview
from domain.identifiers import SourceName
from domain.ports.deployed import DeployedPort
from entrypoints.http.kept_answers import Kept
from entrypoints.http.measures import Measures

ToToolhive: TypeAlias = Callable[[Mapping[str, Any]], tuple[str, str, dict[str, Any]]]


async def _no_sizes() -> Mapping[SourceName, Size]:
    return {}


@attrs.frozen(kw_only=True)
class Services:
    """`to_toolhive` makes section, key and entry of a server.json. `readiness` tells why
    requests should go elsewhere, None when they should not. `overviews` tells of every source,
    `configuration` of the file they come from. `sync_now` waits for a sync of the source of a
    name, which begins after the call, and raises SourceNotFoundError. `webhooks` tells of every
    webhook. `release` has `version`, `commit`, `build_date`, `python_version` and `platform`.
    `measures` is what monitoring is told of requests and of the event loop, `syncs` of syncs,
    `holds_lease` whether this process is the one that makes them, `sizes` how much each source
    offers.
    `told` keeps pages of the feed and where they end: many who follow it want the same.
    `stopping` is set when answers that have no end shall end; such an answer gives a sign of
    life after `keep_alive_seconds`.
    """

    registries: Registries
    feed: ChangeFeed
    diff: RegistryDiff
    documents: Documents
    transparency: Transparency
    to_toolhive: ToToolhive
    deployed: DeployedPort
    readiness: Callable[[], str | None]
    overviews: Callable[[], Awaitable[Sequence[SourceOverview]]]
    configuration: Callable[[], ConfigurationReport]
    sync_now: Callable[[str], Awaitable[SyncOutcome]]
    webhooks: Callable[[], Awaitable[Sequence[WebhookOverview]]]
    release: Mapping[str, str]
    syncs: Callable[[], Sequence[SyncCount]] = tuple
    holds_lease: Callable[[], bool] = lambda: False
    sizes: Callable[[], Awaitable[Mapping[SourceName, Size]]] = _no_sizes
    measures: Measures = attrs.field(factory=Measures)
    told: Kept[tuple[Mark, bytes]] = attrs.field(factory=lambda: Kept(8 * 1024 * 1024))
    stopping: anyio.Event = attrs.field(factory=anyio.Event)
    keep_alive_seconds: float = 15.0
