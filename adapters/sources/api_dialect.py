"""Which API is at an address: the official one or ToolHive's own, found out by asking."""

import json
from collections.abc import Collection
from typing import Any

from adapters.sources.api_memory import Dialect, Spoken
from adapters.sources.http_access import shown
from adapters.sources.http_client import Answer, HttpClient, require_json
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


def json_of(answer: Answer) -> Any:
    """The JSON of an answer. What only spoils the entry that it stands in is let through.

    Raises:
        SourceContentError: it is not JSON, or is nested too deeply.
    """
    require_json(answer)
    try:
        return json.loads(answer.body.decode("utf-8-sig", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise SourceContentError(
            f"{shown(answer.url)}: expected JSON, found something else ({error}): check that `url`"
            " leads to a registry"
        ) from error


def has(found: Any, **kinds: type) -> bool:
    """Whether JSON is an object with members of these kinds."""
    return isinstance(found, dict) and all(
        isinstance(found.get(member), kind) for member, kind in kinds.items()
    )


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
