"""What a source offers: one version of a server, skill or plugin, and its document."""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs

from domain.canonical_json import canonical_json
from domain.identifiers import DocumentHash, EntryKey, EntryKind

OFFICIAL_META = "io.modelcontextprotocol.registry/official"
PUBLISHER_META = "io.modelcontextprotocol.registry/publisher-provided"
TOOLHIVE_META = "io.github.stacklok"
REDACTED_META = "dev.annals/redacted"
"""Where an answer of Annals tells why there is no document."""


class Status(StrEnum):
    """The life cycle of a version, as the official API names it."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    DELETED = "deleted"


@attrs.frozen(kw_only=True)
class Lifecycle:
    """What a source says about a version beside its document; None where it is silent."""

    status: Status = Status.ACTIVE
    status_message: str | None = None
    status_changed_at: datetime | None = None
    published_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Entry:
    """One version as a source offers it. `document` is in canonical form (RFC 8785)."""

    key: EntryKey
    document: bytes
    document_hash: DocumentHash
    title: str | None
    tags: tuple[str, ...]
    lifecycle: Lifecycle


def make_entry(
    kind: EntryKind,
    document: dict[str, Any],
    lifecycle: Lifecycle | None = None,
    body: bytes | None = None,
) -> Entry:
    """Make an entry of a document that has a name and a version.

    *body* is its canonical form, where that is at hand.

    Raises:
        InvalidDocumentError: the document has no canonical form.
    """
    body = canonical_json(document) if body is None else body
    title = document.get("title")
    return Entry(
        key=EntryKey(kind, full_name(kind, document), document["version"]),
        document=body,
        document_hash=document_hash(body),
        title=title if isinstance(title, str) else None,
        tags=tags_of(document),
        lifecycle=lifecycle or Lifecycle(),
    )


def document_hash(canonical_document: bytes) -> DocumentHash:
    """SHA-256 of a document that is in canonical form."""
    return DocumentHash(hashlib.sha256(canonical_document).hexdigest())


def full_name(kind: EntryKind, document: dict[str, Any]) -> str:
    """The name a document is listed by: skills and plugins keep their namespace apart."""
    name: str = document["name"]
    return name if kind is EntryKind.SERVER else f"{document['namespace']}/{name}"


def toolhive_extensions(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What ToolHive says about a server, by image or URL; empty where it says nothing."""
    extensions = document
    for member in ("_meta", PUBLISHER_META, TOOLHIVE_META):
        found = extensions.get(member)
        if not isinstance(found, dict):
            return {}
        extensions = found
    return {key: value for key, value in extensions.items() if isinstance(value, dict)}


def tags_of(document: dict[str, Any]) -> tuple[str, ...]:
    """The tags that filters see, in the order of the document."""
    found: dict[str, None] = {}
    for extension in toolhive_extensions(document).values():
        tags = extension.get("tags")
        if isinstance(tags, list):
            found.update(dict.fromkeys(tag for tag in tags if isinstance(tag, str)))
    return tuple(found)
