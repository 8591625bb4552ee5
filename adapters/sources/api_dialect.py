"""Which API is at an address: the official one or ToolHive's own, found out by asking."""

from collections.abc import Collection
from typing import Any

from adapters.sources.api_json import has, json_of
from adapters.sources.api_memory import Dialect, Spoken
from adapters.sources.http_client import Answer, HttpClient
from domain.errors import SourceContentError

_NOT_HERE = (404, 405, 410)
"""The statuses by which a server says that it has nothing at an address."""


class NotHereError(Exception):
    """A server has nothing at an address."""


async def get_here(
    client: HttpClient, url: str, etag: str | None = None, accepting: Collection[int] = ()
) -> Answer:
    """The answer of an address that may have nothing.

    Raises:
        NotHereError
        SourceError
    """
    answer = await client.get(url, etag=etag, accepting=(*_NOT_HERE, *accepting))
    if answer.status in _NOT_HERE:
        raise NotHereError(f"{url} ({answer.status})")
    return answer


async def find_spoken(client: HttpClient, url: str) -> Spoken:
    """What is spoken below *url*.

    Raises:
        SourceContentError: nothing that is known. The message names what was tried.
        SourceError: it could not be found out.
    """
    tried: list[str] = []
    found = None
    for prefix in ("/v0.1", "/v0"):
        found = await _probe(client, f"{url}{prefix}/servers?limit=1", tried)
        if has(found, servers=list, metadata=dict):
            return Spoken(Dialect.OFFICIAL, prefix)
    if has(found, servers=list, total=int) and has(await _probe(client, f"{url}/v0/info", tried)):
        return Spoken(Dialect.TOOLHIVE, "/v0")
    raise SourceContentError(
        f"{url}: found no registry API; tried {', '.join(tried)}. Let `url` be the address that"
        " clients put before /v0.1/servers, or before /v0/servers of ToolHive's own API"
    )


async def _probe(client: HttpClient, url: str, tried: list[str]) -> Any:
    """The JSON of an address, None where there is none; *tried* gets what was found."""
    try:
        found = json_of(await get_here(client, url))
    except NotHereError as error:
        tried.append(str(error))
    except SourceContentError:
        tried.append(f"{url} (no JSON)")
    else:
        tried.append(f"{url} (other JSON)")
        return found
    return None
