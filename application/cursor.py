"""Where the next page of a list starts, as one URL-safe word that carries its filters."""

import base64
import json
from datetime import datetime
from typing import Any

import attrs
import msgspec

from application.registry_version import ServerKey
from domain.asof import NOW, Asked, parse_as_of
from domain.errors import InvalidAsOfError, InvalidCursorError
from domain.timestamps import from_rfc_3339, to_rfc_3339

_encoder = msgspec.json.Encoder()
_EXPECTED = "send the nextCursor of the page before, unchanged, or none for the first page"


@attrs.frozen(kw_only=True)
class ListFilters:
    """What a list is restricted to; None where the request did not say."""

    search: str | None = None
    updated_since: datetime | None = None
    version: str | None = None
    include_deleted: bool | None = None

    @property
    def shows_deleted(self) -> bool:
        """Who asks what changed must hear of deletions too."""
        return bool(self.include_deleted or self.updated_since)


@attrs.frozen
class Cursor:
    """The last key of the page before, and the filters of the list; None where it has none.

    `asked` is the moment of the list, so that all pages of a walk are of one.
    """

    after: ServerKey
    filters: ListFilters | None
    asked: Asked = NOW


def encode_cursor(cursor: Cursor) -> str:
    """base64url without padding, because clients put it into URLs as it is."""
    filters = cursor.filters or ListFilters()
    parts = [
        *cursor.after,
        filters.search,
        to_rfc_3339(filters.updated_since) if filters.updated_since else None,
        filters.version,
        filters.include_deleted,
        *_moment_parts(cursor.asked),
    ]
    return base64.urlsafe_b64encode(_encoder.encode(parts)).rstrip(b"=").decode()


def _moment_parts(asked: Asked) -> list[str | None]:
    if asked.is_live:
        return []
    return [str(asked.at), to_rfc_3339(asked.effective_at) if asked.effective_at else None]


def decode_cursor(text: str) -> Cursor:
    """Read a cursor of ours, or one in the official form `name:version`.

    Raises:
        InvalidCursorError
    """
    name, colon, version = text.partition(":")
    if colon:
        return Cursor((name, version), None)
    try:
        raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), b"-_", validate=True)
        return _cursor_of(*json.loads(raw))
    except (ValueError, TypeError, RecursionError, InvalidAsOfError) as error:
        raise InvalidCursorError(f"{text!r} is not a cursor: {_EXPECTED}") from error


def _cursor_of(
    name: str,
    version: str,
    search: str | None,
    updated_since: str | None,
    wanted_version: str | None,
    include_deleted: bool | None,
    *moment: str | None,
) -> Cursor:
    at, effective_at = moment or (None, None)
    texts = (
        name,
        version,
        *(t or "" for t in (search, updated_since, wanted_version, at, effective_at)),
    )
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a member is not a text")
    filters = ListFilters(
        search=search,
        updated_since=from_rfc_3339(updated_since) if updated_since else None,
        version=wanted_version,
        include_deleted=include_deleted,
    )
    asked = Asked(
        at=parse_as_of(at) if at else None,
        effective_at=from_rfc_3339(effective_at) if effective_at else None,
    )
    return Cursor((name, version), filters, asked)


def continued(asked: ListFilters, cursor: Cursor) -> ListFilters:
    """The filters of a further page: the cursor's, with which the request may only agree.

    Raises:
        InvalidCursorError: the request repeats a filter with another value.
    """
    carried = cursor.filters
    if carried is None:
        return asked
    meant = attrs.evolve(carried, include_deleted=carried.shows_deleted)
    for name, value in _said(asked).items():
        if value != getattr(meant, name):
            raise InvalidCursorError(
                f"{name} is not what the first page was asked with: {_EXPECTED}, with the same "
                "filters or without them"
            )
    return carried


def _said(filters: ListFilters) -> dict[str, Any]:
    return {name: v for name, v in attrs.asdict(filters).items() if v is not None}
