"""A past registry, from the log alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, groupby
from typing import cast

import anyio.to_thread
import attrs

from application.codec import decode
from application.documents import Documents
from application.event_log import CONFIG, EventLog, source_of
from application.moments import Moment
from application.projections.catalogs import Catalogs, fold_recorded
from application.projections.definitions import fold_definitions
from application.queries import live_servers
from application.registry_version import ALWAYS, RegistryVersion, find_registry, registry_version
from application.rendering import LIST_OPENING, list_closing, server_response
from domain.canonical_json import separated
from domain.catalog import Catalog, Recorded
from domain.composition import RegistryEntry
from domain.definitions import Definitions
from domain.entry import Status
from domain.errors import NothingInEffectError
from domain.events import CatalogEvent
from domain.identifiers import ORIGIN, Position, SourceName, StreamName
from domain.log import Payload
from domain.ports.format import FormatPort, Listed
from domain.ports.storage import Stretch
from domain.redaction import Redaction
from domain.timestamps import from_micros

Progress = Callable[[Position, Position], None]
"""Told the position that was reached, and the last one."""

_AT_ONCE = 500_000
"""Positions: the more are read at once, the fewer revisions that are superseded later."""


@attrs.frozen(kw_only=True)
class Past:
    """Everything that was known at a moment. `began` is when each source first had something."""

    moment: Moment
    definitions: Definitions
    catalogs: Catalogs
    began: Mapping[SourceName, datetime | None]

    def registry(self, name: str | None = None) -> RegistryVersion:
        """The registry of that name, or the default one, as it was then.

        Raises:
            RegistryNotFoundError
            NothingInEffectError: none of its sources had anything then.
        """
        definition = find_registry(self.definitions, name)
        if (effective_at := self.moment.effective_at) is not None:
            definition = attrs.evolve(definition, defined_at=ALWAYS)
            began = [at for name in definition.sources if (at := self.began.get(name))]
            if min(began, default=effective_at) > effective_at or not began:
                raise NothingInEffectError(effective_at, min(began, default=None))
        return registry_version(definition, self.catalogs, self.moment.position)


async def replay(
    log: EventLog, moment: Moment, progress: Progress = lambda _done, _all: None
) -> Past:
    """Fold the log up to a moment, which is included."""
    last, by = moment.position, moment.effective_at
    definitions = await _definitions(log, last)
    catalogs: Catalogs = {}
    times: dict[datetime, datetime] = {}
    reached = ORIGIN
    while reached < last:
        after, reached = reached, await log.end_of_commit(min(reached + _AT_ONCE, last))
        changes = await log.catalog_changes(Stretch(after=after, upto=reached, by=by))
        catalogs = await anyio.to_thread.run_sync(_folded, catalogs, changes)
        times |= _effective_times(changes)
        progress(reached, last)
    if by is not None:
        catalogs = await anyio.to_thread.run_sync(_at_source, catalogs, times)
    return Past(
        moment=moment,
        definitions=definitions,
        catalogs=catalogs,
        began={source: await log.began(source, last) for source in definitions.sources},
    )


async def _definitions(log: EventLog, upto: Position) -> Definitions:
    definitions = Definitions()
    async for batch in log.read(upto=upto, categories=[CONFIG]):
        definitions = fold_definitions(definitions, batch)
    return definitions


def _folded(catalogs: Catalogs, changes: Sequence[Payload]) -> Catalogs:
    times = {micros: from_micros(micros) for micros in {one.recorded_at for one in changes}}
    events: dict[StreamName, list[Recorded]] = {}
    for change in changes:
        event = cast("CatalogEvent", decode(change))
        recorded = events.setdefault(change.stream, [])
        recorded.append((times[change.recorded_at], change.position, event))
    return fold_recorded(catalogs, {source_of(stream): told for stream, told in events.items()})


def _effective_times(changes: Sequence[Payload]) -> dict[datetime, datetime]:
    """When what was recorded at a time had taken effect."""
    commits = {(change.recorded_at, change.effective_at) for change in changes}
    return {from_micros(recorded): from_micros(effective) for recorded, effective in commits}


def _at_source(catalogs: Catalogs, times: Mapping[datetime, datetime]) -> Catalogs:
    return {
        source: Catalog({name: found.at_source(times) for name, found in catalog.names.items()})
        for source, catalog in catalogs.items()
    }


async def render_file(
    registry: RegistryVersion, documents: Documents, format_: FormatPort
) -> Iterator[bytes]:
    """The registry as a file that any registry can be fed from, without what was redacted."""
    by_kind = groupby(_undeleted(registry), key=lambda served: served.entry.key.kind)
    listed = {kind: await _listed(list(entries), documents) for kind, entries in by_kind}
    return format_.render(listed, registry.changed_at)


async def render_answer(registry: RegistryVersion, documents: Documents) -> Iterator[bytes]:
    """The registry as `GET /v0.1/servers` answers it, as if a page had no end."""
    servers = live_servers(registry)
    bodies = await documents.streamed(servers)
    responses = (server_response(*pair) for pair in zip(servers, bodies, strict=True))
    return chain([LIST_OPENING], separated(responses), [list_closing(len(servers), None)])


def redacted_entries(registry: RegistryVersion, documents: Documents) -> int:
    """How many entries of a registry that was rendered have no document any longer."""
    redactions = documents.redactions
    return sum(e.entry.document_hash in redactions for e in _undeleted(registry))


def _undeleted(registry: RegistryVersion) -> Sequence[RegistryEntry]:
    return [e for e in registry.entries if e.entry.status is not Status.DELETED]


async def _listed(entries: Sequence[RegistryEntry], documents: Documents) -> Iterator[Listed]:
    bodies = await documents.streamed(entries)
    return (
        Listed(document=body, is_latest=served.entry.is_latest)
        for served, body in zip(entries, bodies, strict=True)
        if not isinstance(body, Redaction)
    )
