"""The parameters of queries: what they may be, and what they are."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import parse_qsl

import attrs
from starlette.requests import Request

from application.cursor import Cursor, ListFilters, continued, decode_cursor
from application.registry_version import ServerKey
from domain.asof import NOW, Asked, parse_as_of, parse_effective_at
from domain.errors import (
    InvalidCursorError,
    InvalidInputError,
    InvalidQueryError,
    MalformedQueryError,
)
from domain.timestamps import from_rfc_3339
from entrypoints.http.endpoint import Parameter

DEFAULT_LIMIT, MOST = 30, 100

LIMIT = Parameter(
    name="limit",
    schema={"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
    description="How many servers a page holds at most.",
)
CURSOR = Parameter(
    name="cursor",
    schema={"type": "string"},
    description="The `nextCursor` of the page before. It carries the filters of the list.",
)
SEARCH = Parameter(
    name="search",
    schema={"type": "string"},
    description="Only servers with this text in their name, title or description, in any case.",
)
UPDATED_SINCE = Parameter(
    name="updated_since",
    schema={"type": "string", "format": "date-time"},
    description="Only versions changed later than this RFC 3339 time with an offset. Shows "
    "deleted versions too.",
)
VERSION = Parameter(
    name="version",
    schema={"type": "string"},
    description="Only this version of each server; `latest` for the latest ones.",
)
INCLUDE_DELETED = Parameter(
    name="include_deleted",
    schema={"type": "boolean", "default": False},
    description="Whether deleted versions are shown.",
)
AT = Parameter(
    name="at",
    schema={"type": "string"},
    description="The registry as it had been recorded by then: a time with an offset, a date, a "
    "position such as @4711, or the name of a pin.",
)
EFFECTIVE_AT = Parameter(
    name="effective_at",
    schema={"type": "string"},
    description="What the sources themselves said by then: a time with an offset, or a date.",
)
MOMENT = (AT, EFFECTIVE_AT)
FORMAT = Parameter(
    name="format",
    schema={"type": "string", "enum": ["toolhive", "upstream"], "default": "toolhive"},
    description="In which shape servers are shown: ToolHive's own, or as server.json.",
)

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_LIMIT = re.compile("0*[1-9][0-9]{0,3}", re.ASCII)


@attrs.frozen(kw_only=True)
class ListQuery:
    """Which page of which list is asked for.

    `asked` is the moment of the list that a cursor of ours goes on with.
    """

    filters: ListFilters
    after: ServerKey | None
    limit: int
    asked: Asked | None = None


def read_query(request: Request) -> Mapping[str, str]:
    """The parameters of a query. The last of a name counts; an empty one is as if not there.

    Raises:
        InvalidInputError: it is not UTF-8.
    """
    return _parsed(request.scope["query_string"])


# What a request is made of is read by several, each for itself.
_decoded = lru_cache(maxsize=16)(decode_cursor)


@lru_cache(maxsize=16)
def _parsed(query: bytes) -> Mapping[str, str]:
    try:
        return MappingProxyType(dict(parse_qsl(query.decode(), errors="strict")))
    except UnicodeDecodeError as error:
        raise InvalidInputError("The query is not UTF-8: percent-encode it as UTF-8") from error


def list_query(request: Request) -> ListQuery:
    """The parameters of a list.

    Raises:
        InvalidInputError: one of them cannot be used.
    """
    query = read_query(request)
    asked = ListFilters(
        search=query.get("search"),
        updated_since=_updated_since(query),
        version=query.get("version"),
        include_deleted=_boolean(query, "include_deleted"),
    )
    limit = asked_limit(query)
    if "cursor" not in query:
        return ListQuery(filters=asked, after=None, limit=limit)
    cursor, filters = _continued(asked, query["cursor"])
    moment = cursor.asked if cursor.filters else None
    return ListQuery(filters=filters, after=cursor.after, limit=limit, asked=moment)


def asked_moment(request: Request) -> Asked:
    """The moment that the query asks for.

    Raises:
        InvalidInputError
    """
    query = read_query(request)
    at, effective_at = query.get("at"), query.get("effective_at")
    if not (at or effective_at):
        return NOW
    return Asked(
        at=parse_as_of(at) if at else None,
        effective_at=parse_effective_at(effective_at) if effective_at else None,
    )


def cursor_moment(request: Request) -> Asked:
    """The moment of the list that the query goes on with."""
    if (cursor := read_query(request).get("cursor")) is None:
        return NOW
    try:
        return _decoded(cursor).asked
    except InvalidCursorError:
        return NOW  # who reads the list tells of it


def include_deleted(request: Request) -> bool:
    """Whether deleted versions are shown.

    Raises:
        InvalidInputError
    """
    return _boolean(read_query(request), "include_deleted") or False


def wants_upstream(request: Request) -> bool:
    """Whether ToolHive's API is asked for server.json in place of its own shape.

    Raises:
        InvalidInputError
    """
    wanted = read_query(request).get("format", "toolhive")
    if wanted not in FORMAT.schema["enum"]:
        raise MalformedQueryError("format", wanted, "format: expected toolhive or upstream")
    return wanted == "upstream"


def asked_limit(query: Mapping[str, str], parameter: Parameter = LIMIT) -> int:
    """How many a page may hold.

    Raises:
        InvalidQueryError
    """
    most, default = parameter.schema["maximum"], parameter.schema["default"]
    text = query.get("limit", str(default))
    if not _LIMIT.fullmatch(text) or int(text) > most:
        raise InvalidQueryError("limit", text, f"limit: expected a number from 1 to {most}")
    return int(text)


def _boolean(query: Mapping[str, str], name: str) -> bool | None:
    text = query.get(name)
    if text is None:
        return None
    if text not in _BOOLEANS:
        raise InvalidQueryError(name, text, f"{name}: expected true, false, 1 or 0")
    return _BOOLEANS[text]


def _updated_since(query: Mapping[str, str]) -> datetime | None:
    text = query.get("updated_since")
    if text is None:
        return None
    if _boolean(query, "include_deleted") is False:
        message = "include_deleted: expected true beside updated_since, which tells of deletions"
        raise MalformedQueryError("include_deleted", query["include_deleted"], message)
    try:
        return from_rfc_3339(text)
    except ValueError as error:
        message = (
            "updated_since: expected a time like 2026-11-22T08:00:00Z or with +01:00 at its end"
        )
        hint = "; in a URL the + of an offset is written %2B" if " " in text else ""
        raise MalformedQueryError("updated_since", text, message + hint) from error


def _continued(asked: ListFilters, text: str) -> tuple[Cursor, ListFilters]:
    try:
        cursor = _decoded(text)
        return cursor, continued(asked, cursor)
    except InvalidCursorError as error:
        raise MalformedQueryError("cursor", text, str(error)) from error
