"""What changed: the feed of a registry, the history of a server, and the diff of two moments."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request

from application.change_details import ALL_CLASSES, SHOWN, parse_classes
from application.change_feed import BEGINNING, FeedPage, Mark, parse_mark
from application.change_rendering import changes_json, feed_metadata, side_metadata
from application.served import PastRegistry
from domain.asof import EXPECTED, Asked, parse_as_of, parse_effective_at
from domain.change import ChangeClass
from domain.errors import InvalidCursorError, InvalidInputError, MalformedQueryError
from domain.identifiers import EntryKind, EntryName
from entrypoints.http.answer import Answer
from entrypoints.http.answers import JSON, passing_answer
from entrypoints.http.asked import asked_span, named, together
from entrypoints.http.endpoint import Endpoint, Parameter, in_every_registry
from entrypoints.http.parameters import AT, asked_limit, read_query
from entrypoints.http.services import Services

GROUP = "history"
BASES = in_every_registry("/v0.1/x/dev.annals")

AFTER = Parameter(
    name="after",
    schema={"type": "string", "default": "0"},
    description="Only changes beyond this: the `id` of the last change you have, `metadata.next` "
    "of the page before, or a position, all of whose changes you have.",
)
CLASS = Parameter(
    name="class",
    schema={"type": "string"},
    description="Only changes of these classes, with commas between: "
    + ", ".join(ChangeClass)
    + "; or `all`.",
)
_AS_OF: Mapping[str, Any] = {"type": "string"}
FROM = Parameter(name="from", schema=_AS_OF, description="The moment to compare: see `at`.")
TO = Parameter(
    name="to", schema=_AS_OF, description="The moment to compare it with. Now, if left out."
)
FROM_EFFECTIVE_AT = Parameter(
    name="from_effective_at", schema=_AS_OF, description="Beside or in place of `from`."
)
TO_EFFECTIVE_AT = Parameter(
    name="to_effective_at", schema=_AS_OF, description="Beside or in place of `to`."
)
TO_REGISTRY = Parameter(
    name="to_registry",
    schema={"type": "string"},
    description="The registry to compare with, where it is another one.",
)
AFTER_NAME = Parameter(
    name="after",
    schema={"type": "string"},
    description="The `metadata.next` of the page before.",
)
LIMIT = Parameter(
    name="limit",
    schema={"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    description="How many changes a page holds at most.",
)


async def changes(services: Services, request: Request) -> Answer:
    registry, upto = await asked_span(services, request)
    classes = asked_classes(request, ALL_CLASSES)
    limit = asked_limit(read_query(request), LIMIT)
    page = await services.feed.page(registry, asked_after(request), limit, classes, upto=upto)
    return _feed_answer(page, classes, with_entries=True)


async def diff(services: Services, request: Request) -> Answer:
    query = read_query(request)
    old, new = await _sides(services, request, query)
    classes = asked_classes(request, SHOWN)
    limit = asked_limit(query, LIMIT)
    page = await services.diff.page(old, new, _after_name(query), limit, classes)
    metadata = {
        "count": len(page.changes),
        "next": f"{page.next.kind}:{page.next.name}" if page.next else None,
        "from": side_metadata(old),
        "to": side_metadata(new),
    }
    return passing_answer(changes_json(page.changes, metadata, classes), JSON)


async def _sides(
    services: Services, request: Request, query: Mapping[str, str]
) -> tuple[PastRegistry, PastRegistry]:
    """What is compared: the registry of the path at `from`, and it or another one at `to`."""
    name, in_path = named(request.path_params.get("registryName"))
    before, after = _moment(query, "from"), together(_moment(query, "to"), in_path)
    old = await services.registries.past(name, before)
    return old, await services.registries.past(query.get("to_registry", name), after)


def _moment(query: Mapping[str, str], side: str) -> Asked:
    at, effective_at = query.get(side), query.get(f"{side}_effective_at")
    if side == "from" and at is None and effective_at is None:
        raise MalformedQueryError("from", "", f"from: missing, {EXPECTED}")
    return Asked(
        at=parse_as_of(at) if at else None,
        effective_at=parse_effective_at(effective_at) if effective_at else None,
    )


def _after_name(query: Mapping[str, str]) -> EntryName | None:
    if (text := query.get("after")) is None:
        return None
    kind, _, name = text.partition(":")
    if kind not in set(EntryKind) or not name:
        message = "after: expected the `next` of the page before, unchanged"
        raise MalformedQueryError("after", text, message)
    return EntryName(EntryKind(kind), name)


async def server_history(services: Services, request: Request) -> Answer:
    registry, upto = await asked_span(services, request)
    name = EntryName(EntryKind.SERVER, request.path_params["serverName"])
    classes = asked_classes(request, SHOWN)
    limit = asked_limit(read_query(request), LIMIT)
    page = await services.feed.history(
        registry, name, asked_after(request), limit, classes, upto=upto
    )
    return _feed_answer(page, classes, with_entries=False)


def asked_after(request: Request, default: Mark = BEGINNING) -> Mark:
    """Where in the feed the query goes on.

    Raises:
        InvalidInputError
    """
    text = read_query(request).get("after")
    if text is None:
        return default
    try:
        return parse_mark(text)
    except InvalidCursorError as error:
        raise MalformedQueryError("after", text, f"after: {error}") from error


def asked_classes(request: Request, default: frozenset[ChangeClass]) -> frozenset[ChangeClass]:
    """The classes that the query wants to see.

    Raises:
        InvalidInputError
    """
    text = read_query(request).get("class")
    if text is None:
        return default
    try:
        return parse_classes(text)
    except InvalidInputError as error:
        raise MalformedQueryError("class", text, f"class: {error}") from error


def _feed_answer(page: FeedPage, classes: frozenset[ChangeClass], *, with_entries: bool) -> Answer:
    body = changes_json(page.changes, feed_metadata(page), classes, with_entries=with_entries)
    return passing_answer(body, JSON)


_endpoint = partial(Endpoint, bases=BASES, group=GROUP)

ENDPOINTS = (
    _endpoint(
        path="/changes",
        handler=changes,
        summary="What changed, in the order of the log: follow it to know every registry version.",
        query=(AFTER, CLASS, LIMIT, AT),
        answer="ChangeList",
        errors=(400, 404, 422),
    ),
    _endpoint(
        path="/diff",
        handler=diff,
        summary="What lies between two moments, or two registries, in the order of names.",
        query=(FROM, TO, FROM_EFFECTIVE_AT, TO_EFFECTIVE_AT, TO_REGISTRY, AFTER_NAME, CLASS, LIMIT),
        answer="Diff",
        errors=(400, 404, 422),
    ),
    _endpoint(
        path="/servers/{serverName}/history",
        handler=server_history,
        summary="Every change of one server, the first one first.",
        query=(AFTER, CLASS, LIMIT, AT),
        answer="ChangeList",
        errors=(400, 404, 422),
    ),
)
