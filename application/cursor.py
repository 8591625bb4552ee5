"""Where the next page of a list starts, as one URL-safe word that carries its filters."""

import base64
from datetime import datetime
from operator import attrgetter

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
        return _cursor_of(_decoder.decode(raw))
    except (ValueError, msgspec.DecodeError, RecursionError, InvalidAsOfError) as error:
        raise InvalidCursorError(f"{text!r} is not a cursor: {_EXPECTED}") from error


class _Parts(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What `encode_cursor` writes. A live list has no moment."""

    name: str
    version: str
    search: str | None
    updated_since: str | None
    wanted_version: str | None
    include_deleted: bool | None
    at: str | msgspec.UnsetType = msgspec.UNSET
    effective_at: str | msgspec.UnsetType | None = msgspec.UNSET


_decoder = msgspec.json.Decoder(_Parts)


def _cursor_of(parts: _Parts) -> Cursor:
    since = parts.updated_since
    filters = ListFilters(
        search=parts.search,
        updated_since=from_rfc_3339(since) if since else None,
        version=parts.wanted_version,
        include_deleted=parts.include_deleted,
    )
    asked = NOW if parts.at is msgspec.UNSET else _asked(parts.at, parts.effective_at)
    return Cursor((parts.name, parts.version), filters, asked)


def _asked(at: str, effective_at: str | msgspec.UnsetType | None) -> Asked:
    if effective_at is msgspec.UNSET:
        raise ValueError("expected two parts of a moment")
    return Asked(
        at=parse_as_of(at), effective_at=from_rfc_3339(effective_at) if effective_at else None
    )


# What a request may repeat, and what of the cursor's filters it then has to be.
_REPEATED = {
    "search": attrgetter("search"),
    "updated_since": attrgetter("updated_since"),
    "version": attrgetter("version"),
    "include_deleted": attrgetter("shows_deleted"),
}


def continued(asked: ListFilters, cursor: Cursor) -> ListFilters:
    """The filters of a further page: the cursor's, with which the request may only agree.

    Raises:
        InvalidCursorError: the request repeats a filter with another value.
    """
    carried = cursor.filters
    if carried is None:
        return asked
    for name, meant in _REPEATED.items():
        if (value := getattr(asked, name)) is not None and value != meant(carried):
            raise InvalidCursorError(
                f"{name} is not what the first page was asked with: {_EXPECTED}, with the same "
                "filters or without them"
            )
    return carried
