"""A past registry, from the log alone."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import inf
from operator import attrgetter
from typing import cast

import anyio.to_thread
import attrs

from application.codec import decode
from application.documents import Documents
from application.event_log import CATALOG, CONFIG, EventLog, source_of
from application.moments import Moment
from application.plain_revisions import revised_key
from application.projections.catalogs import Catalogs, fold_recorded
from application.queries import live_servers
from application.registry_version import ALWAYS, RegistryVersion, find_registry, registry_version
from application.rendering import server_list, server_response
from domain.catalog import Catalog, Recorded
from domain.composition import RegistryEntry
from domain.definitions import Definitions, redefine
from domain.entry import Status
from domain.errors import NothingInEffectError
from domain.events import CatalogEvent, ConfigEvent
from domain.identifiers import EntryKind, Position, SourceName, StreamName
from domain.log import Payload
from domain.ports.format import FormatPort, Listed
from domain.redaction import Redaction
from domain.timestamps import from_micros, to_micros

Progress = Callable[[Position, Position], None]
"""Told the position that was reached, and the last one."""

_FOLDED_AT_ONCE = 200_000
"""Each fold copies the names, and each name its versions: the more at once, the fewer copies."""


@attrs.frozen(kw_only=True)
class Past:
    """Everything that was known at a moment. `began` is when each source first had something."""

    moment: Moment
    definitions: Definitions
    catalogs: Catalogs
    began: Mapping[SourceName, datetime]

    def registry(self, name: str | None = None) -> RegistryVersion:
        """The registry of that name, or the default one, as it was then.

        Raises:
            RegistryNotFoundError
            NothingInEffectError: none of its sources had anything then.
        """
        definition = find_registry(self.definitions, name)
        if (effective_at := self.moment.effective_at) is not None:
            definition = attrs.evolve(definition, defined_at=ALWAYS)
            began = [self.began[name] for name in definition.sources if name in self.began]
            if min(began, default=effective_at) > effective_at or not began:
                raise NothingInEffectError(effective_at, min(began, default=None))
        return registry_version(definition, self.catalogs, self.moment.position)


async def replay(
    log: EventLog, moment: Moment, progress: Progress = lambda _done, _all: None
) -> Past:
    """Fold the log up to a moment, which is included."""
    folding = _Folding(moment.effective_at)
    async for batch in log.payloads(upto=moment.position, categories=(CATALOG, CONFIG)):
        await anyio.to_thread.run_sync(folding.add, batch)
        progress(batch[-1].position, moment.position)
    return Past(
        moment=moment,
        definitions=folding.definitions,
        catalogs=await anyio.to_thread.run_sync(folding.result),
        began=folding.began,
    )


class _Folding:
    """What was recorded, or what of it had taken effect by a time."""

    def __init__(self, effective_at: datetime | None) -> None:
        self.definitions = Definitions()
        self._began: dict[StreamName, int] = {}
        self._until = None if effective_at is None else to_micros(effective_at)
        self._catalogs: Catalogs = {}
        self._times: dict[datetime, datetime] = {}
        self._revisions: dict[tuple[StreamName, bytes], Payload] = {}
        self._others: list[Payload] = []
        self._enough = _FOLDED_AT_ONCE

    @property
    def began(self) -> Mapping[SourceName, datetime]:
        return {source_of(stream): from_micros(at) for stream, at in self._began.items()}

    def add(self, batch: Sequence[Payload]) -> None:
        for payload in batch:
            if payload.stream == CONFIG:
                self._define(payload)
            else:
                self._keep(payload)
        if len(self._revisions) + len(self._others) >= self._enough:
            self._fold(before=batch[-1].recorded_at)

    def _define(self, payload: Payload) -> None:
        event = cast("ConfigEvent", decode(payload))
        self.definitions = redefine(self.definitions, [(from_micros(payload.recorded_at), event)])

    def _keep(self, payload: Payload) -> None:
        """Of revisions the last of each entry, which says all that those before it said."""
        _, _, effective_at, stream, name, schema_version, data = payload
        if stream not in self._began:
            self._began[stream] = effective_at
        if self._until is not None and effective_at > self._until:
            return
        if key := revised_key(name, schema_version, data):
            self._revisions[stream, key] = payload
        else:
            self._others.append(payload)

    def _fold(self, before: float = inf) -> None:
        """Fold what was recorded earlier: commits that are known as a whole."""
        kept = sorted([*self._revisions.values(), *self._others])
        whole = bisect_left(kept, before, key=attrgetter("recorded_at"))
        self._revisions, self._others = {}, kept[whole:]
        self._enough = len(self._others) + _FOLDED_AT_ONCE  # or a long commit is sorted each time
        events: dict[SourceName, list[Recorded]] = {}
        for payload in kept[:whole]:
            at = from_micros(payload.recorded_at)
            event = cast("CatalogEvent", decode(payload))
            self._times[at] = from_micros(payload.effective_at)
            recorded = events.setdefault(source_of(payload.stream), [])
            recorded.append((at, payload.position, event))
        self._catalogs = fold_recorded(self._catalogs, events)

    def result(self) -> Catalogs:
        self._fold()
        if self._until is None:
            return self._catalogs
        return {source: self._at_source(catalog) for source, catalog in self._catalogs.items()}

    def _at_source(self, catalog: Catalog) -> Catalog:
        names = catalog.names.items()
        return Catalog({name: versions.at_source(self._times) for name, versions in names})


async def render_file(
    registry: RegistryVersion, documents: Documents, format_: FormatPort
) -> bytes:
    """The registry as a file that any registry can be fed from, without what was redacted."""
    entries = _undeleted(registry)
    bodies = await documents.bodies_or_redactions(entries)
    listed = [
        _listed(served, body)
        for served, body in zip(entries, bodies, strict=True)
        if not isinstance(body, Redaction)
    ]
    return await anyio.to_thread.run_sync(format_.render, listed, registry.changed_at)


async def render_answer(registry: RegistryVersion, documents: Documents) -> bytes:
    """The registry as `GET /v0.1/servers` answers it, as if a page had no end."""
    servers = live_servers(registry)
    bodies = await documents.bodies_or_redactions(servers)
    responses = [server_response(*pair) for pair in zip(servers, bodies, strict=True)]
    return server_list(responses, None)


def redacted_entries(registry: RegistryVersion, documents: Documents) -> int:
    """How many entries of a registry that was rendered have no document any longer."""
    redactions = documents.redactions
    return sum(e.entry.document_hash in redactions for e in _undeleted(registry))


def _undeleted(registry: RegistryVersion) -> Sequence[RegistryEntry]:
    return [e for e in registry.entries if e.entry.status is not Status.DELETED]


def _listed(served: RegistryEntry, document: bytes) -> Listed:
    kind: EntryKind = served.entry.key.kind
    return Listed(kind=kind, document=document, is_latest=served.entry.is_latest)
