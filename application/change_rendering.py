"""Changes as JSON: one shape for the feed, the stream, webhooks, histories and diffs."""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from application.change_details import ServerChange, VersionChange
from application.change_feed import FeedPage
from application.rendering import server_response
from application.served import PastRegistry
from domain.change import ChangeClass, Difference
from domain.composition import RegistryEntry
from domain.timestamps import to_rfc_3339


def change_json(
    change: ServerChange, classes: Collection[ChangeClass], *, with_entries: bool
) -> bytes:
    """One change with those of its differences that belong to *classes*.

    With entries, each version stands in it as a list of servers has it from then on.
    """
    versions = b",".join(
        _version_json(version, classes, with_entries=with_entries) for version in change.versions
    )
    return b'%b,"versions":[%b]}' % (_encode(_members(change))[:-1], versions)


def changes_json(
    changes: Iterable[ServerChange],
    metadata: Mapping[str, Any],
    classes: Collection[ChangeClass],
    *,
    with_entries: bool = False,
) -> bytes:
    """A page of changes."""
    listed = b",".join(change_json(one, classes, with_entries=with_entries) for one in changes)
    return b'{"changes":[%b],"metadata":%b}' % (listed, _encode(metadata))


def feed_metadata(page: FeedPage) -> dict[str, Any]:
    """What a page of the feed, or of a history, says about itself."""
    return {
        "count": len(page.changes),
        "next": str(page.next),
        "isLast": page.is_last,
        "position": page.position,
    }


def side_metadata(registry: PastRegistry) -> dict[str, Any]:
    """What a diff says about one of its sides."""
    moment = registry.moment
    return {
        "registry": registry.definition.name,
        "position": moment.position,
        "recordedAt": to_rfc_3339(moment.commit.recorded_at),
        "effectiveAt": to_rfc_3339(moment.effective_at) if moment.effective_at else None,
    }


def _members(change: ServerChange) -> dict[str, Any]:
    return {
        **_place(change),
        "kind": change.name.kind,
        "name": change.name.name,
        "change": change.outcome,
        "classes": sorted(change.classes),
        "versionReused": change.version_reused,
    }


def _place(change: ServerChange) -> dict[str, Any]:
    if (commit := change.commit) is None:
        return {}
    return {
        "id": change.mark,
        "position": commit.last_position,
        "recordedAt": to_rfc_3339(commit.recorded_at),
        "effectiveAt": to_rfc_3339(commit.effective_at),
    }


def _version_json(
    version: VersionChange, classes: Collection[ChangeClass], *, with_entries: bool
) -> bytes:
    compared = version.comparison
    members = {
        "version": compared.version,
        "change": compared.outcome,
        "classes": sorted(version.classes),
        "versionReused": version.version_reused,
        "comparedTo": compared.other.entry.version if compared.other else None,
        "before": _side(compared.before),
        "after": _side(compared.after),
        "redacted": version.redacted,
        "differences": differences_json(version.shown_differences(classes)),
    }
    if not with_entries:
        return _encode(members)
    after, body = compared.after, version.body
    entry = server_response(after, body) if after and body is not None else b"null"
    return b'%b,"entry":%b}' % (_encode(members)[:-1], entry)


def _side(served: RegistryEntry | None) -> dict[str, Any] | None:
    if served is None:
        return None
    entry = served.entry
    return {
        "source": served.source,
        "documentHash": entry.document_hash,
        "status": entry.status,
        "isLatest": entry.is_latest,
    }


def differences_json(differences: Iterable[Difference]) -> list[dict[str, Any]]:
    """Differences with JSON pointers (RFC 6901); a side that a value is not on is left out."""
    return [_difference(one) for one in differences]


def _difference(one: Difference) -> dict[str, Any]:
    members: dict[str, Any] = {"op": one.operation, "path": one.path, "class": one.change_class}
    if one.origin is not None:
        members["from"] = one.origin
    if one.operation in ("remove", "replace"):
        members["old"] = one.old
    if one.operation in ("add", "replace"):
        members["new"] = one.new
    return members


def _encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
