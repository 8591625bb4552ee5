"""A past registry, from the log alone."""

from collections.abc import Callable, Sequence

import anyio.to_thread
import attrs

from application.documents import Documents
from application.event_log import CATALOG, CONFIG, EventLog, LoggedEvent
from application.projections.catalogs import Catalogs, fold_catalogs
from application.projections.definitions import fold_definitions
from application.queries import live_servers
from application.registry_version import RegistryVersion, find_registry, registry_version
from application.rendering import server_list, server_response
from domain.composition import RegistryEntry
from domain.definitions import Definitions
from domain.entry import Status
from domain.identifiers import EntryKind, Position
from domain.log import StoredCommit
from domain.ports.format import FormatPort, Listed

Progress = Callable[[Position, Position], None]
"""Told the position that was reached, and the last one."""


@attrs.frozen(kw_only=True)
class Past:
    """Everything that was known when a commit had been recorded."""

    commit: StoredCommit
    definitions: Definitions
    catalogs: Catalogs

    def registry(self, name: str | None = None) -> RegistryVersion:
        """The registry of that name, or the default one, as it was then.

        Raises:
            RegistryNotFoundError
        """
        definition = find_registry(self.definitions, name)
        return registry_version(definition, self.catalogs, self.commit.last_position)


async def replay(
    log: EventLog, commit: StoredCommit, progress: Progress = lambda _done, _all: None
) -> Past:
    """Fold the log up to *commit*, which is included."""
    definitions = Definitions()
    catalogs: Catalogs = {}
    events = log.read(upto=commit.last_position, categories=(CATALOG, CONFIG))
    async for batch in events:
        definitions, catalogs = await anyio.to_thread.run_sync(_fold, definitions, catalogs, batch)
        progress(batch[-1].position, commit.last_position)
    return Past(commit=commit, definitions=definitions, catalogs=catalogs)


def _fold(
    definitions: Definitions, catalogs: Catalogs, batch: Sequence[LoggedEvent]
) -> tuple[Definitions, Catalogs]:
    config = [logged for logged in batch if logged.stream == CONFIG]
    changes = [logged for logged in batch if logged.stream != CONFIG]
    return fold_definitions(definitions, config), fold_catalogs(catalogs, changes)


async def render_file(
    registry: RegistryVersion, documents: Documents, format_: FormatPort
) -> bytes:
    """The registry as a file that any registry can be fed from."""
    entries = [e for e in registry.entries if e.entry.status is not Status.DELETED]
    bodies = await documents.bodies(entries)
    listed = [_listed(served, body) for served, body in zip(entries, bodies, strict=True)]
    return await anyio.to_thread.run_sync(format_.render, listed, registry.changed_at)


async def render_answer(registry: RegistryVersion, documents: Documents) -> bytes:
    """The registry as `GET /v0.1/servers` answers it, as if a page had no end."""
    servers = live_servers(registry)
    bodies = await documents.bodies(servers)
    responses = [server_response(*pair) for pair in zip(servers, bodies, strict=True)]
    return server_list(responses, None)


def _listed(served: RegistryEntry, document: bytes) -> Listed:
    kind: EntryKind = served.entry.key.kind
    return Listed(kind=kind, document=document, is_latest=served.entry.is_latest)
