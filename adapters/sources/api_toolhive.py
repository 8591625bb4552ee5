"""Reading ToolHive's own API: its list and the details of each server, as one registry file."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any
from urllib.parse import quote

import attrs
from anyio import create_task_group, to_thread

from adapters.sources.api_dialect import get_here
from adapters.sources.api_json import has, json_of
from adapters.sources.api_revision import ToolhiveRevision, token
from adapters.sources.api_toolhive_entry import registry_file
from adapters.sources.http_access import shown
from adapters.sources.http_client import Answer, HttpClient
from domain.errors import SourceContentError, SourceLimitError
from domain.ports.source import Fetched, FetchResult, Unchanged

_AT_ONCE = 8


@attrs.frozen(kw_only=True)
class ToolhiveApi:
    """What is served below *url*. All details together may have `max_bytes`."""

    url: str
    prefix: str
    open_client: Callable[[], HttpClient]
    max_bytes: int

    async def fetch(self, client: HttpClient, known: ToolhiveRevision | None) -> FetchResult:
        """All servers, unless the registry says that nothing has changed.

        Raises:
            NotHereError: this API is not here any more.
            SourceError
        """
        info = json_of(await get_here(client, f"{self.url}{self.prefix}/info"))
        revision = ToolhiveRevision(
            prefix=self.prefix,
            updated=token(info["last_updated"]) if has(info, last_updated=str) else None,
            total=info["total_servers"] if has(info, total_servers=int) else None,
        )
        if revision.updated and revision == known:
            return Unchanged()
        return Fetched(payloads=self._registry_file(), revision=revision.__str__)

    async def _registry_file(self) -> AsyncGenerator[bytes, None]:
        async with self.open_client() as client:
            names = await self._names(client)
            details = await self._details(client, names)
        yield await to_thread.run_sync(_written, details)

    async def _names(self, client: HttpClient) -> list[str]:
        """The names of all servers, each once."""
        answer = await client.get(f"{self.url}{self.prefix}/servers")
        found = await to_thread.run_sync(json_of, answer)
        if not has(found, servers=list) or not all(has(s, name=str) for s in found["servers"]):
            raise SourceContentError(
                f"{shown(answer.url)}: expected the array `servers`, with a `name` in each"
            )
        return list(dict.fromkeys(server["name"] for server in found["servers"]))

    async def _details(self, client: HttpClient, names: list[str]) -> dict[str, Any]:
        """The details of servers by name, several asked for at once."""
        details: dict[str, Any] = dict.fromkeys(names)
        room = self.max_bytes
        waiting = iter(names)

        async def ask() -> None:
            nonlocal room
            for name in waiting:
                answer = await client.get(self._url_of(name))
                room -= len(answer.body)
                if room < 0:
                    raise self._too_large()
                details[name] = await to_thread.run_sync(_details_of, answer)

        try:
            async with create_task_group() as tasks:
                for _ in range(_AT_ONCE):
                    tasks.start_soon(ask)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return details

    def _url_of(self, name: str) -> str:
        return f"{self.url}{self.prefix}/servers/{quote(name, safe='', errors='replace')}"

    def _too_large(self) -> SourceLimitError:
        return SourceLimitError(
            f"{self.url}: the details of all servers have more than {self.max_bytes} bytes:"
            " divide that registry, or use its official API"
        )


def _details_of(answer: Answer) -> dict[str, Any]:
    details = json_of(answer)
    if not has(details, name=str):
        raise SourceContentError(
            f"{shown(answer.url)}: expected the details of a server, an object with a `name`"
        )
    found: dict[str, Any] = details
    return found


def _written(details: Mapping[str, Mapping[str, Any]]) -> bytes:
    return json.dumps(registry_file(details)).encode()
