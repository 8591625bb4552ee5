"""The bytes of answers. Live and past answers are made here and nowhere else."""

import json
from collections.abc import Iterable

from domain.canonical_json import canonical_json
from domain.composition import RegistryEntry
from domain.entry import OFFICIAL_META, REDACTED_META
from domain.redaction import Redaction
from domain.timestamps import to_rfc_3339

_OFFICIAL_META, _REDACTED_META = OFFICIAL_META.encode(), REDACTED_META.encode()
_LONGEST_DESCRIPTION = 100  # as clients of the standard may demand


def server_response(served: RegistryEntry, document: bytes | Redaction) -> bytes:
    """A ServerResponse (spec section 2). The document stands in it as it was hashed."""
    said = official_meta(served)
    if isinstance(document, Redaction):
        key, members = served.entry.key, canonical_json(redaction_members(document))
        said = b'%b,"%b":%b' % (said, _REDACTED_META, members)
        document = redacted_document(key.name, key.version, document)
    return b'{"server":%b,"_meta":{"%b":%b}}' % (document, _OFFICIAL_META, said)


def redacted_document(name: str, version: str, redaction: Redaction) -> bytes:
    """The server.json that lists have in the place of one that was redacted."""
    description = f"Redacted: {redaction.reason}"
    if len(description) > _LONGEST_DESCRIPTION:
        description = description[: _LONGEST_DESCRIPTION - 1] + "…"
    return canonical_json({"name": name, "version": version, "description": description})


def redaction_members(redaction: Redaction) -> dict[str, str]:
    """A redaction as JSON tells of it."""
    return {
        "reason": redaction.reason,
        "by": redaction.redacted_by,
        "at": to_rfc_3339(redaction.recorded_at),
        "documentHash": redaction.document_hash,
    }


def official_meta(served: RegistryEntry) -> bytes:
    """What the registry says of a version beside its document.

    Written out, because there are many: times and statuses need no escapes.
    """
    entry = served.entry
    message = entry.lifecycle.status_message
    said = (
        f'"statusMessage":{json.dumps(message, ensure_ascii=False)},' if message is not None else ""
    )
    return (
        f'{{"status":"{entry.status.value}",{said}'
        f'"statusChangedAt":"{to_rfc_3339(entry.status_changed_at)}",'
        f'"publishedAt":"{to_rfc_3339(entry.published_at)}",'
        f'"updatedAt":"{to_rfc_3339(served.updated_at)}",'
        f'"isLatest":{"true" if entry.is_latest else "false"}}}'
    ).encode()


LIST_OPENING = b'{"servers":['
"""What stands before the responses of a ServerList (spec section 2)."""


def list_closing(count: int, next_cursor: str | None) -> bytes:
    """What stands behind so many. A cursor is one word that needs no escapes."""
    following = f',"nextCursor":"{next_cursor}"' if next_cursor else ""
    return b'],"metadata":{"count":%d%b}}' % (count, following.encode())


def search_text(name: str, texts: Iterable[object]) -> str:
    """What a search looks into: name, title and description, in lower case."""
    return "\n".join((name, *(text for text in texts if isinstance(text, str)))).lower()
