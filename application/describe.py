"""Events as sentences."""

from domain.events import (
    ConfigEvent,
    DocumentRedacted,
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
    Event,
    HistoryCompleted,
    HistoryEvent,
    PinRemoved,
    PinSet,
    RegistryDefined,
    RegistryRetired,
    RevisionRecorded,
    SourceDefined,
    SourceRetired,
    SyncCompleted,
    SyncCounts,
    SyncFailed,
)


def describe(event: Event) -> str:
    """What happened, in a line."""
    match event:
        case EntryListed() | EntryRevised() | EntryStatusChanged() | EntryDelisted():
            return _describe_entry(event)
        case SyncCompleted(unread=True):
            return "synced: the source is unchanged"
        case SyncCompleted(counts=counts):
            return f"synced: {_describe_counts(counts)}"
        case SyncFailed(stage=stage, reason=reason):
            return f"sync failed at {stage}: {reason}"
        case RevisionRecorded() | HistoryCompleted():
            return _describe_history(event)
        case PinSet(name=name, position=position):
            return f"pin {name} set at @{position}"
        case PinRemoved(name=name):
            return f"pin {name} removed"
        case DocumentRedacted(document_hash=document_hash, reason=reason, redacted_by=by):
            return f"document {document_hash} redacted by {by}: {reason}"
        case _:
            return _describe_definition(event)


def _describe_counts(counts: SyncCounts) -> str:
    return (
        f"{counts.listed} listed, {counts.revised} revised, "
        f"{counts.status_changed} with another status, {counts.delisted} delisted, "
        f"{counts.unchanged} unchanged, {counts.rejected} rejected"
    )


def _describe_history(event: HistoryEvent) -> str:
    match event:
        case RevisionRecorded(revision=revision, problem=None, counts=counts):
            return f"revision {revision[:12]}: {_describe_counts(counts)}"
        case RevisionRecorded(revision=revision, problem=problem):
            return f"revision {revision[:12]} is left out: {problem}"
        case HistoryCompleted(problem=None):
            return "history recorded"
        case HistoryCompleted(problem=problem):
            return f"history recorded in part: {problem}"


def _describe_definition(event: ConfigEvent) -> str:
    match event:
        case SourceDefined(name=name, type=kind, location=location):
            return f"source {name} defined: {kind} {location}"
        case SourceRetired(name=name):
            return f"source {name} retired"
        case RegistryDefined(name=name, sources=sources):
            return f"registry {name} defined: {', '.join(sources)}"
        case RegistryRetired(name=name):
            return f"registry {name} retired"


def _describe_entry(
    event: EntryListed | EntryRevised | EntryStatusChanged | EntryDelisted,
) -> str:
    match event:
        case EntryListed(key=key):
            return f"{key} listed"
        case EntryRevised(key=key, change=change):
            return f"{key} revised: {', '.join(change.classes)}"
        case EntryStatusChanged(key=key, lifecycle=lifecycle):
            return f"{key} is {lifecycle.status} now"
        case EntryDelisted(key=key, reason=reason):
            return f"{key} delisted: {reason.replace('_', ' ')}"
