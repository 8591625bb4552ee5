"""Reading the official registry API: all of it, or what was updated since the last time."""

import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from urllib.parse import urlencode

import attrs

from adapters.sources.api_dialect import get_here
from adapters.sources.api_mark import PAGE
from adapters.sources.api_memory import Memory, Tagged
from adapters.sources.api_revision import OfficialRevision, digest, token
from adapters.sources.api_walk import Walk
from adapters.sources.http_client import Answer, HttpClient
from domain.ports.source import Fetched, FetchResult, Unchanged
from domain.timestamps import from_micros, to_rfc_3339

_NOT_MODIFIED = 304
_NOT_UNDERSTOOD = (400, 422)


@attrs.frozen(kw_only=True)
class OfficialApi:
    """The official API below *url*, whose list may have `max_pages` with `max_bytes` together."""

    url: str
    prefix: str
    open_client: Callable[[], HttpClient]
    max_pages: int
    max_bytes: int
    full_sync_interval: timedelta
    memory: Memory

    async def fetch(
        self, client: HttpClient, now: datetime, known: OfficialRevision | None
    ) -> FetchResult:
        """What was updated since the *known* revision, or all where that would not do.

        Raises:
            NotHereError: this API is not here any more.
            SourceError
        """
        if known is None or known.since is None or not self._is_recent(known.full_at, now):
            ignores_since = known is not None and known.ignores_since
            return await self._fetch_all(client, now, ignores_since=ignores_since)
        return await self._fetch_updates(client, now, known, known.since)

    async def _fetch_all(
        self, client: HttpClient, now: datetime, *, ignores_since: bool = False
    ) -> Fetched:
        walk = await self._begin(client, self._url_of_list())

        def revision() -> str:
            after = OfficialRevision(
                prefix=self.prefix,
                full_at=now,
                since=None if ignores_since else walk.mark(None),
                ignores_since=ignores_since,
                withdrawals=_withdrawals(walk.first),
            )
            return str(after)

        return Fetched(payloads=walk.payloads(), revision=revision)

    async def _fetch_updates(
        self, client: HttpClient, now: datetime, known: OfficialRevision, since: int
    ) -> FetchResult:
        url = self._url_of_list(updated_since=to_rfc_3339(from_micros(since)))
        walk = await self._begin(client, url, self._known_tag(url, known), _NOT_UNDERSTOOD)
        if walk.first.status in _NOT_UNDERSTOOD or walk.shows_before(since):
            return await self._fetch_all(client, now, ignores_since=True)
        if _has_withdrawn(walk.first, known):
            return await self._fetch_all(client, now)
        if walk.first.status == _NOT_MODIFIED:
            return Unchanged()
        answer = digest(walk.first.body)
        is_same = walk.is_empty or answer == known.answer
        self._remember(url, known.answer if is_same else answer, walk.first)
        if is_same:
            return Unchanged()
        return Fetched(
            payloads=walk.payloads(),
            revision=lambda: str(_after_updates(walk, known, since, answer)),
            complete=False,
        )

    def _is_recent(self, full_at: datetime, now: datetime) -> bool:
        """A clock that went back tells nothing of how long ago something was."""
        return timedelta() <= now - full_at < self.full_sync_interval

    async def _begin(
        self,
        client: HttpClient,
        url: str,
        etag: str | None = None,
        accepting: Collection[int] = (),
    ) -> Walk:
        started = time.monotonic()
        walk = Walk(
            url=url,
            first=await get_here(client, url, etag, accepting),
            started=started,
            open_client=self.open_client,
            max_pages=self.max_pages,
            max_bytes=self.max_bytes,
        )
        await walk.begin()
        return walk

    def _url_of_list(self, **asked: str) -> str:
        query = urlencode({"limit": PAGE, "include_deleted": "true", **asked})
        return f"{self.url}{self.prefix}/servers?{query}"

    def _known_tag(self, url: str, known: OfficialRevision) -> str | None:
        """The entity tag of what *url* answered when it led to the *known* revision."""
        tagged = self.memory.tagged
        is_known = tagged is not None and (tagged.url, tagged.answer) == (url, known.answer)
        return tagged.etag if tagged and is_known else None

    def _remember(self, url: str, answer: str | None, first: Answer) -> None:
        self.memory.tagged = Tagged(url=url, answer=answer, etag=first.headers.get("ETag"))


def _after_updates(
    walk: Walk, known: OfficialRevision, since: int, answer: str
) -> OfficialRevision:
    mark = walk.mark(since)
    is_settled = mark == since and walk.pages == 1
    return attrs.evolve(
        known,
        since=mark,
        ignores_since=walk.shows_before(since),
        answer=answer if is_settled else None,
    )


def _withdrawals(answer: Answer) -> str | None:
    return token(answer.headers.get("Registry-Withdrawals"))


def _has_withdrawn(answer: Answer, known: OfficialRevision) -> bool:
    """Whether something has left the registry that no list of updates tells of."""
    told = _withdrawals(answer)
    if answer.status == _NOT_MODIFIED and told is None:
        return False
    return told != known.withdrawals
