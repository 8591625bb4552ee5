"""The bytes of answers. Live and past answers are made here and nowhere else."""

import json
from collections.abc import Iterable, Sequence

from domain.composition import RegistryEntry
from domain.entry import OFFICIAL_META
from domain.timestamps import to_rfc_3339


def server_response(served: RegistryEntry, document: bytes) -> bytes:
    """A ServerResponse (spec section 2). The document stands in it as it was hashed."""
    return b'{"server":%b,"_meta":{"%b":%b}}' % (
        document,
        OFFICIAL_META.encode(),
        _official(served),
    )


def _official(served: RegistryEntry) -> bytes:
    """Written out, because a page has many of them: times and statuses need no escapes."""
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
    metadata = {"count": len(responses), **({"nextCursor": next_cursor} if next_cursor else {})}
    return b'{"servers":[%b],"metadata":%b}' % (
        b",".join(responses),
        json.dumps(metadata, separators=(",", ":")).encode(),
    )


def search_text(name: str, texts: Iterable[object]) -> str:
    """What a search looks into: name, title and description, in lower case."""
    return "\n".join((name, *(text for text in texts if isinstance(text, str)))).lower()
