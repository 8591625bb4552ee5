"""What has to be known of a page of the official API to walk on; all else passes unread."""

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

import attrs
import msgspec

from domain.entry import OFFICIAL_META
from domain.errors import SourceContentError
from domain.timestamps import from_rfc_3339, to_micros

_Other: TypeAlias = list[Any] | str | float | int | bool | None


class _Official(msgspec.Struct):
    updated_at: Any = msgspec.field(name="updatedAt", default=None)


class _Meta(msgspec.Struct):
    official: _Official | _Other = msgspec.field(name=OFFICIAL_META, default=None)


class _Server(msgspec.Struct):
    meta: _Meta | _Other = msgspec.field(name="_meta", default=None)


class _Metadata(msgspec.Struct):
    next_cursor: str | None = msgspec.field(name="nextCursor", default=None)


class _List(msgspec.Struct):
    servers: list[_Server | _Other]
    metadata: _Metadata


_NO_TIME_YET = 366 * 24 * 60 * 60 * 10**6
"""Microseconds. Times before 1971 are how programs write that there is none."""

_KNOWN = frozenset(("servers", "metadata", "nextCursor", "_meta", OFFICIAL_META, "updatedAt"))


@attrs.frozen(kw_only=True)
class Page:
    """A page as it came, the times its servers were updated at in microseconds, and what follows.

    A server without such a time has None in its place.
    """

    body: bytes
    updated: tuple[int | None, ...]
    next_cursor: str | None


def read_page(body: bytes, url: str) -> Page:
    """Read what *url* answered.

    Raises:
        SourceContentError: it is no page of the official API.
    """
    try:
        page = _decode(body)
    except (ValueError, RecursionError) as error:
        raise SourceContentError(
            f"{url}: expected a page of the official registry API, an object with the array"
            f" `servers` and the object `metadata` ({error}): check that `url` leads to a registry"
        ) from error
    return Page(
        body=body,
        updated=tuple(map(_updated_at, page.servers)),
        next_cursor=page.metadata.next_cursor or None,
    )


def _decode(body: bytes) -> _List:
    try:
        return msgspec.json.decode(body, type=_List)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # A surrogate or NaN spoils the entry that it stands in, not the page.
        text = body.decode("utf-8-sig", "surrogateescape")
        return msgspec.convert(json.loads(text, parse_int=float, object_pairs_hook=_known), _List)


def _known(members: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {member: value for member, value in members if member in _KNOWN}


def _updated_at(server: _Server | _Other) -> int | None:
    match server:
        case _Server(meta=_Meta(official=_Official(updated_at=str(text)))):
            try:
                updated_at = to_micros(from_rfc_3339(text))
            except ValueError:
                return None
            return updated_at if updated_at > _NO_TIME_YET else None
        case _:
            return None
