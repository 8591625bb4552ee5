"""One walk through the pages of a list, and what it has shown."""

import time
from array import array
from collections.abc import AsyncGenerator, Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import attrs
from anyio import to_thread

from adapters.sources.api_mark import mark_after, trusted_until
from adapters.sources.api_page import Page, read_page
from adapters.sources.http_client import Answer, HttpClient, require_json
from domain.errors import SourceContentError, SourceLimitError
from domain.timestamps import to_micros

_REDIRECTION = 300
_MOST_EMPTY_PAGES = 10
_POSITION = "Registry-Position"


@attrs.define(kw_only=True)
class Walk:
    """The list at `url`, whose `first` page was asked for at `started`, in monotonic seconds.

    What a walk has shown can be asked for when its payloads have been read. It may have
    `max_pages` with `max_bytes` together. An answer that is no success has nothing to walk through.
    """

    url: str
    first: Answer
    started: float
    open_client: Callable[[], HttpClient]
    max_pages: int
    max_bytes: int
    pages: int = 0
    _page: Page = attrs.field(init=False, default=Page(body=b"", updated=(), next_cursor=None))
    _updated: "array[int]" = attrs.field(init=False, factory=lambda: array("q"))
    _has_undated: bool = attrs.field(init=False, default=False)
    _cursors: set[str] = attrs.field(init=False, factory=set)
    _positions: set[str | None] = attrs.field(init=False, factory=set)
    _empty_pages: int = attrs.field(init=False, default=0)
    _bytes: int = attrs.field(init=False, default=0)
    _elapsed: float = attrs.field(init=False, default=0.0)

    async def begin(self) -> None:
        """Read the first page; nothing else can be asked before.

        Raises:
            SourceError
        """
        if self.first.status < _REDIRECTION:
            self._page = await self._read(self.url, self.first)

    @property
    def is_empty(self) -> bool:
        """Whether the first page is all there is, and has no servers."""
        return not self._page.updated and self._page.next_cursor is None

    def shows_before(self, moment: int) -> bool:
        """Whether anything was shown that was updated before *moment*, in microseconds."""
        return min(self._updated, default=moment) < moment

    async def payloads(self) -> AsyncGenerator[bytes, None]:
        """Every page as it came.

        Raises:
            SourceError: also for a list that has no end.
        """
        yield self._page.body
        if self._page.next_cursor is None:
            return
        async with self.open_client() as client:
            while self._page.next_cursor is not None:
                cursor = quote(self._page.next_cursor, safe="", errors="replace")
                url = f"{self.url}&cursor={cursor}"
                self._page = await self._read(url, await client.get(url))
                yield self._page.body

    def mark(self, known: int | None) -> int | None:
        """The time to ask for later updates of, in microseconds; None where that is unsafe."""
        if self._has_undated:
            return None
        if not self._updated:
            return known
        until = trusted_until(
            max(self._updated),
            _date_of(self.first),
            round(self._elapsed * 10**6),
            is_snapshot=self.pages == 1 or (self._tells_positions and len(self._positions) == 1),
            is_late=self._tells_positions,
        )
        return mark_after(self._updated, until, known)

    @property
    def _tells_positions(self) -> bool:
        return None not in self._positions

    async def _read(self, url: str, answer: Answer) -> Page:
        require_json(answer)
        page = await to_thread.run_sync(read_page, answer.body, url)
        self._note(page)
        self._positions.add(answer.headers.get(_POSITION))
        self._elapsed = time.monotonic() - self.started
        self._check(page, url)
        return page

    def _note(self, page: Page) -> None:
        self.pages += 1
        self._bytes += len(page.body)
        self._empty_pages = 0 if page.updated else self._empty_pages + 1
        for moment in page.updated:
            if moment is None:
                self._has_undated = True
            else:
                self._updated.append(moment)

    def _check(self, page: Page, url: str) -> None:
        """Refuse a list that goes on for ever. The cursor is followed only if this passes."""
        if self._bytes > self.max_bytes:
            raise SourceLimitError(f"{self.url} sent more than {self.max_bytes} bytes{_ADVICE}")
        if page.next_cursor is None:
            return
        if self.pages >= self.max_pages:
            raise SourceLimitError(f"{self.url} has more than {self.max_pages} pages{_ADVICE}")
        if self._empty_pages >= _MOST_EMPTY_PAGES:
            raise SourceContentError(
                f"{url} is the {_MOST_EMPTY_PAGES}th page in a row without a server{_BROKEN}"
            )
        if page.next_cursor in self._cursors:
            raise SourceContentError(f"{url} gives a cursor that was given before{_BROKEN}")
        self._cursors.add(page.next_cursor)


_ADVICE = ": check that `url` leads to a registry of a size that it can have"
_BROKEN = ": its paging is broken, which only its owner can repair"


def _date_of(answer: Answer) -> int | None:
    """The server's clock (RFC 9110 section 6.6.1), in microseconds."""
    try:
        date = parsedate_to_datetime(answer.headers.get("Date") or "")
        return to_micros(date if date.tzinfo else date.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
