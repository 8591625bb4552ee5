"""The feed as server-sent events (WHATWG HTML, section 9.2): changes are told as they come."""

import logging
from collections.abc import AsyncGenerator

import anyio
import attrs
from starlette.requests import Request
from starlette.responses import StreamingResponse

from application.change_details import ALL_CLASSES, ServerChange
from application.change_feed import FeedPage, Mark, parse_mark
from application.change_rendering import change_json
from domain.change import ChangeClass
from domain.errors import AnnalsError, InvalidAsOfError
from entrypoints.http.answer import CORS, Answer
from entrypoints.http.asked import asked_span
from entrypoints.http.endpoint import Endpoint
from entrypoints.http.history import AFTER, BASES, CLASS, GROUP, asked_after, asked_classes
from entrypoints.http.services import Services

_log = logging.getLogger(__name__)

EVENT_STREAM = "text/event-stream"
_HEADERS = {
    "Content-Type": EVENT_STREAM,
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep the events to itself
}
_FROM_NOW = attrs.evolve(
    AFTER,
    schema={"type": "string"},
    description="As of /changes, but from now on if it is left out. The header Last-Event-ID, "
    "which clients send by themselves when they come back, counts in place of it.",
)
_RETRY_MILLISECONDS = 2000
_KEEP_ALIVE = b":\n\n"
_AT_A_TIME = 50  # changes that are held in memory for one client


async def stream(services: Services, request: Request) -> Answer | StreamingResponse:
    registry, upto = await asked_span(services, request)
    if upto is not None:
        raise InvalidAsOfError("A stream has no end: leave the moment out, or read /changes")
    end = await services.registries.horizon()
    await services.feed.page(registry, Mark(end), 1, upto=end)  # a 404 where there is none
    mark, classes = _start(request, Mark(end)), asked_classes(request, ALL_CLASSES)
    if request.method == "HEAD":
        return Answer(headers=_HEADERS)
    return StreamingResponse(
        _blocks(services, registry, classes, mark), headers={**_HEADERS, **CORS}
    )


def _start(request: Request, end: Mark) -> Mark:
    """Where a client goes on that has lost its connection, else where the query says."""
    if header := request.headers.get("last-event-id"):
        return parse_mark(header.encode("latin-1").decode(errors="replace"))
    return asked_after(request, end)


async def _blocks(
    services: Services, registry: str | None, classes: frozenset[ChangeClass], mark: Mark
) -> AsyncGenerator[bytes, None]:
    """What is sent, a page of the feed at a time: the next is read when this one is away."""
    yield b"retry: %d\n" % _RETRY_MILLISECONDS + _position(mark)
    while not services.stopping.is_set():
        if not await _is_more(services, mark):
            yield _KEEP_ALIVE
            continue
        try:
            mark, blocks = await _page(services, registry, classes, mark)
        except AnnalsError as error:
            _log.warning("a stream of changes ends: %s", error)
            return
        yield blocks


async def _page(
    services: Services, registry: str | None, classes: frozenset[ChangeClass], mark: Mark
) -> tuple[Mark, bytes]:
    """A page of the feed as blocks, and where it ends. Made once for all who have come as far."""
    upto = await services.registries.horizon()

    key = registry, mark, classes, upto
    async with services.told.alone(key):
        if (told := services.told.find(key)) is None:
            page = await services.feed.page(registry, mark, _AT_A_TIME, classes, upto=upto)
            told = page.next, _rendered(page, classes)
            services.told.keep(key, told, len(told[1]))
    return told


def _rendered(page: FeedPage, classes: frozenset[ChangeClass]) -> bytes:
    blocks = b"".join(_event(change, classes) for change in page.changes)
    last = page.changes[-1].mark if page.changes else ""
    return blocks if last == str(page.next) else blocks + _position(page.next)


async def _is_more(services: Services, mark: Mark) -> bool:
    """Wait until there is. False when it is time for a sign of life, or to stop."""
    more = False
    with anyio.move_on_after(services.keep_alive_seconds):
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(_cancel_at, services.stopping, waiting.cancel_scope)
            await services.registries.beyond(mark.seen)
            more = True
            waiting.cancel_scope.cancel()
    return more


async def _cancel_at(event: anyio.Event, scope: anyio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def _event(change: ServerChange, classes: frozenset[ChangeClass]) -> bytes:
    data = change_json(change, classes, with_entries=True)
    return b"id: %b\nevent: change\ndata: %b\n\n" % (change.mark.encode(), data)


def _position(mark: Mark) -> bytes:
    """A block that tells nothing but how far the client has come."""
    return b"id: %b\n\n" % str(mark).encode()


ENDPOINTS = (
    Endpoint(
        bases=BASES,
        path="/changes/stream",
        handler=stream,
        summary="The same as server-sent events, each as soon as it is recorded.",
        group=GROUP,
        query=(_FROM_NOW, CLASS),
        media_type=EVENT_STREAM,
        errors=(400, 404),
    ),
)
