"""Everything that can happen to a registry, in the past tense."""

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

import attrs

from domain.change import Change
from domain.entry import Lifecycle
from domain.identifiers import (
    DocumentHash,
    EntryKey,
    PinName,
    Position,
    RegistryName,
    SourceName,
)


class DelistReason(StrEnum):
    """Why a source no longer offers an entry."""

    WITHDRAWN = "withdrawn"
    FILTERED = "filtered"
    SOURCE_RETIRED = "source_retired"


class SyncStage(StrEnum):
    """How far a failed sync came."""

    FETCH = "fetch"
    PARSE = "parse"
    GUARD = "guard"


@attrs.frozen(kw_only=True)
class EntryListed:
    """A source offers a version that it did not offer before."""

    key: EntryKey
    document_hash: DocumentHash
    title: str | None
    tags: tuple[str, ...]
    lifecycle: Lifecycle


@attrs.frozen(kw_only=True)
class EntryRevised:
    """The document of a listed version is another one now."""

    key: EntryKey
    document_hash: DocumentHash
    previous_hash: DocumentHash
    title: str | None
    tags: tuple[str, ...]
    change: Change


@attrs.frozen(kw_only=True)
class EntryStatusChanged:
    """A source says something else about a version beside its document."""

    key: EntryKey
    lifecycle: Lifecycle


@attrs.frozen(kw_only=True)
class EntryDelisted:
    """A version is no longer offered."""

    key: EntryKey
    reason: DelistReason


@attrs.frozen(kw_only=True)
class RejectedEntry:
    """An entry of a source that could not be used, or is used with something amiss.

    `path` points into what the source sent.
    """

    name: str
    reason: str
    path: str


@attrs.frozen(kw_only=True)
class SyncCounts:
    """What one sync did, in entries; `warned` counts those kept with something amiss."""

    listed: int = 0
    revised: int = 0
    status_changed: int = 0
    delisted: int = 0
    unchanged: int = 0
    rejected: int = 0
    warned: int = 0


@attrs.frozen(kw_only=True)
class SyncCompleted:
    """The catalog of a source agrees with it. `revision` is the source's own mark.

    Where the source was still at that revision it was not read (`unread`), and what was
    rejected last time still is, without being told again.
    """

    revision: str
    unread: bool
    filter_hash: str
    settings_hash: str
    counts: SyncCounts
    rejected: tuple[RejectedEntry, ...]
    notes: tuple[str, ...]


@attrs.frozen(kw_only=True)
class SyncFailed:
    """A source could not be read or was not believed; its catalog stays as it was."""

    stage: SyncStage
    reason: str


@attrs.frozen(kw_only=True)
class RevisionRecorded:
    """The catalog of a source is what it was at one revision of its own history.

    `number` is the place of the revision in that history, counted from 1. Where it could not be
    read (`problem`), the catalog stays that of the revision before.
    """

    revision: str
    number: int
    problem: str | None
    filter_hash: str
    settings_hash: str
    counts: SyncCounts
    rejected: tuple[RejectedEntry, ...]


@attrs.frozen(kw_only=True)
class HistoryCompleted:
    """No more of a source's history will be recorded: `problem` says why, where some is missing."""

    problem: str | None


@attrs.frozen(kw_only=True)
class SourceDefined:
    """The configuration has a source, new or with other settings than before."""

    name: SourceName
    type: str
    format: str
    location: str
    settings_hash: str


@attrs.frozen(kw_only=True)
class SourceRetired:
    """The configuration no longer has a source."""

    name: SourceName


@attrs.frozen(kw_only=True)
class RegistryDefined:
    """The configuration has a registry, new or with other sources than before.

    `sources` come in their order of precedence; `rank` is the place in the configuration,
    counted from 0.
    """

    name: RegistryName
    sources: tuple[SourceName, ...]
    rank: int


@attrs.frozen(kw_only=True)
class RegistryRetired:
    """The configuration no longer has a registry."""

    name: RegistryName


@attrs.frozen(kw_only=True)
class PinSet:
    """A moment has a name: a position, and the effective time where it is asked for."""

    name: PinName
    position: Position
    effective_at: datetime | None


@attrs.frozen(kw_only=True)
class PinRemoved:
    """A name no longer stands for a moment."""

    name: PinName


@attrs.frozen(kw_only=True)
class DocumentRedacted:
    """A document was taken away for good, from every moment that it was served at."""

    document_hash: DocumentHash
    reason: str
    redacted_by: str


CatalogEvent: TypeAlias = EntryListed | EntryRevised | EntryStatusChanged | EntryDelisted
SyncEvent: TypeAlias = SyncCompleted | SyncFailed
HistoryEvent: TypeAlias = RevisionRecorded | HistoryCompleted
ConfigEvent: TypeAlias = SourceDefined | SourceRetired | RegistryDefined | RegistryRetired
PinEvent: TypeAlias = PinSet | PinRemoved
Event: TypeAlias = (
    CatalogEvent | SyncEvent | HistoryEvent | ConfigEvent | PinEvent | DocumentRedacted
)
