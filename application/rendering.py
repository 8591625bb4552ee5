"""The bytes of answers. Live and past answers are made here and nowhere else."""

import json
from collections.abc import Iterable, Sequence

from application.shelves import ServedVersion
from domain.canonical_json import canonical_json
from domain.composition import RegistryEntry
from domain.entry import OFFICIAL_META, REDACTED_META
from domain.redaction import Redaction
from domain.timestamps import to_rfc_3339

_OFFICIAL_META = OFFICIAL_META.encode()
_LONGEST_DESCRIPTION = 100  # as clients of the standard may demand


def server_response(served: RegistryEntry, document: bytes | Redaction) -> bytes:
    """A ServerResponse (spec section 2). The document stands in it as it was hashed."""
    key = served.entry.key
    return version_response(key.name, key.version, official_meta(served), document)


def version_response(
    name: str, version: str, official: bytes, document: bytes | Redaction
) -> bytes:
    """The same of its parts."""
    shown, said = _parts(name, version, official, document)
    return b'{"server":%b,"_meta":{"%b":%b}}' % (shown, _OFFICIAL_META, said)


def _parts(
    name: str, version: str, official: bytes, document: bytes | Redaction
) -> tuple[bytes, bytes]:
    """What stands in a ServerResponse as the document, and what the registry says of it."""
    if isinstance(document, Redaction):
        stub = redacted_document(name, version, document)
        return stub, b'%b,"%b":%b' % (official, *_redacted_meta(document))
    return document, official


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


def _redacted_meta(redaction: Redaction) -> tuple[bytes, bytes]:
    return REDACTED_META.encode(), canonical_json(redaction_members(redaction))


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


def server_list(responses: Sequence[bytes], next_cursor: str | None) -> bytes:
    """A ServerList (spec section 2)."""
    return _OPENING + b",".join(responses) + _metadata(len(responses), next_cursor)


def version_list(
    versions: Sequence[ServedVersion],
    documents: Sequence[bytes | Redaction],
    next_cursor: str | None,
) -> bytes:
    """The same of versions and their documents, which are copied once."""
    pieces: list[bytes] = []
    for served, document in zip(versions, documents, strict=True):
        shown, said = _parts(served.name, served.version, served.official, document)
        pieces += (_NEXT, shown, _BETWEEN, said)
    if pieces:
        pieces[0] = _FIRST
    return b"".join((_OPENING, *pieces, _ended(len(versions), next_cursor)))


_OPENING, _FIRST, _NEXT = b'{"servers":[', b'{"server":', b'}},{"server":'
_BETWEEN = b',"_meta":{"%b":' % _OFFICIAL_META


def _ended(count: int, next_cursor: str | None) -> bytes:
    """What closes the last response, if there is one, and the list."""
    return (b"}}" if count else b"") + _metadata(count, next_cursor)


def _metadata(count: int, next_cursor: str | None) -> bytes:
    """A cursor is one word that needs no escapes."""
    following = f',"nextCursor":"{next_cursor}"' if next_cursor else ""
    return b'],"metadata":{"count":%d%b}}' % (count, following.encode())


def search_text(name: str, texts: Iterable[object]) -> str:
    """What a search looks into: name, title and description, in lower case."""
    return "\n".join((name, *(text for text in texts if isinstance(text, str)))).lower()
