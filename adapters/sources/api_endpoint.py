"""One fetch from an endpoint: in the dialect that is known of it, else in the one found there."""

from contextlib import suppress
from datetime import timedelta
from functools import partial

from adapters.sources.api import ApiSource
from adapters.sources.api_dialect import NotHereError, find_spoken
from adapters.sources.api_memory import Dialect, Spoken
from adapters.sources.api_official import OfficialApi
from adapters.sources.api_revision import (
    OfficialRevision,
    Revision,
    ToolhiveRevision,
    read_revision,
)
from adapters.sources.api_toolhive import ToolhiveApi
from adapters.sources.http_client import MAX_BYTES, HttpClient
from domain.errors import SourceContentError
from domain.ports.source import FetchResult


async def read_endpoint(source: ApiSource, known_revision: str | None) -> FetchResult:
    """What *source* has that its *known_revision* has not.

    Raises:
        SourceError
    """
    known = read_revision(known_revision)
    spoken = known.spoken if known else source.memory.spoken
    async with _open_client(source) as client:
        if spoken is not None:
            with suppress(NotHereError):
                return await _read(source, client, spoken, known)
        source.memory.spoken = await find_spoken(client, _base(source))
        try:
            return await _read(source, client, source.memory.spoken, None)
        except NotHereError as error:
            raise SourceContentError(
                f"{error}: there was a registry API a moment ago: sync again"
            ) from error


async def _read(
    source: ApiSource, client: HttpClient, spoken: Spoken, known: Revision | None
) -> FetchResult:
    open_client = partial(_open_client, source)
    if spoken.dialect is Dialect.TOOLHIVE:
        toolhive = ToolhiveApi(
            url=_base(source),
            prefix=spoken.prefix,
            open_client=open_client,
            max_bytes=min(source.max_bytes, MAX_BYTES),  # they are held in memory together
        )
        return await toolhive.fetch(client, known if isinstance(known, ToolhiveRevision) else None)
    official = OfficialApi(
        url=_base(source),
        prefix=spoken.prefix,
        open_client=open_client,
        max_pages=source.max_pages,
        max_bytes=source.max_bytes,
        full_sync_interval=timedelta(seconds=source.settings.full_sync_interval_seconds),
        memory=source.memory,
    )
    known = known if isinstance(known, OfficialRevision) else None
    return await official.fetch(client, source.now(), known)


def _open_client(source: ApiSource) -> HttpClient:
    return HttpClient(
        source.settings.access,
        attempts=source.attempts,
        first_wait_seconds=source.first_wait_seconds,
    )


def _base(source: ApiSource) -> str:
    return source.settings.url.rstrip("/")
