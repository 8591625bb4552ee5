"""Brings the log to what the configuration says: which sources and registries there are."""

import uuid
from collections.abc import Sequence
from datetime import datetime

import attrs

from application.event_log import CONFIG_STREAM, EventLog, Write, catalog_stream
from application.projector import Projector
from application.source_catalog import StoredCatalog
from domain.definitions import Desired, redefinitions
from domain.errors import WrongExpectedVersionError
from domain.events import ConfigEvent, DelistReason, EntryDelisted, SourceRetired
from domain.identifiers import CommitId, SourceName
from domain.log import Exactly
from domain.ports.storage import StoragePort

_DECISIONS = 3


@attrs.frozen(kw_only=True)
class ConfigurationReport:
    """Since when a configuration is in force, and where it came from: None is the example.

    `problem` tells why the file, as it is by now, is not in force.
    """

    file: str | None
    loaded_at: datetime
    problem: str | None = None


async def apply_configuration(
    desired: Desired, store: StoragePort, log: EventLog, projector: Projector
) -> Sequence[ConfigEvent]:
    """Record what differs, as one commit. A retired source delists all it offered.

    Raises:
        StorageError
    """
    for _ in range(_DECISIONS - 1):
        try:
            return await _apply(desired, store, log, projector)
        except WrongExpectedVersionError:
            continue
    return await _apply(desired, store, log, projector)


async def _apply(
    desired: Desired, store: StoragePort, log: EventLog, projector: Projector
) -> Sequence[ConfigEvent]:
    version = await store.stream_version(CONFIG_STREAM)
    live = await projector.catch_up()
    events = redefinitions(live.definitions, desired)
    if events:
        retired = [event.name for event in events if isinstance(event, SourceRetired)]
        await log.append(
            CommitId(f"config-{uuid.uuid4().hex}"),
            [
                Write(CONFIG_STREAM, Exactly(version), events),
                *[await _delisting(source, store, projector) for source in retired],
            ],
        )
        await projector.catch_up()
    return events


async def _delisting(source: SourceName, store: StoragePort, projector: Projector) -> Write:
    """Of what is offered at one version of the catalog: another process may sync the source."""
    version = await store.stream_version(catalog_stream(source))
    await projector.catch_up()
    pages = StoredCatalog(store, source).entries()
    keys = [entry.key async for entries in pages for entry in entries]
    events = [
        EntryDelisted(key=key, reason=DelistReason.SOURCE_RETIRED)
        for key in sorted(keys, key=lambda key: key.sort_key)
    ]
    return Write(catalog_stream(source), Exactly(version), events)
