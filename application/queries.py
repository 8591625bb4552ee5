"""What can be asked of a registry version (spec sections 2 and 3). Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import attrs

from application.cursor import Cursor, ListFilters
from application.registry_version import RegistryVersion, ServerKey
from domain.composition import RegistryEntry
from domain.entry import Status
from domain.errors import ServerNotFoundError
from domain.identifiers import DocumentHash

LATEST = "latest"


@attrs.frozen
class Page:
    """Some servers in the order of lists, and where the next page starts if there is one."""

    servers: Sequence[RegistryEntry]
    next_cursor: Cursor | None


def list_servers(
    registry: RegistryVersion,
    filters: ListFilters,
    *,
    after: ServerKey | None,
    limit: int,
    texts: Mapping[DocumentHash, str],
) -> Page:
    """One page. *texts* holds the search text of every document where a search is asked for."""
    matching = _matching(registry, filters, registry.after(after), texts)
    return page_of(list(islice(matching, limit + 1)), filters, limit)


def page_of(found: Sequence[RegistryEntry], filters: ListFilters, limit: int) -> Page:
    """A page of what was found, which is more than *limit* where another page follows."""
    servers = found[:limit]
    if len(found) <= limit:
        return Page(servers, None)
    last = servers[-1].entry.key
    return Page(servers, Cursor((last.name, last.version), filters))


def _matching(
    registry: RegistryVersion,
    filters: ListFilters,
    start: int,
    texts: Mapping[DocumentHash, str],
) -> Iterator[RegistryEntry]:
    needle = (filters.search or "").lower()
    for index in range(start, len(registry.servers)):
        served = registry.servers[index]
        if needle and needle not in texts[served.entry.document_hash]:
            continue
        if passes(served, filters):
            yield served


def passes(served: RegistryEntry, filters: ListFilters) -> bool:
    """Whether a list shows a server, as far as that can be told without a look into it."""
    if served.entry.status is Status.DELETED and not filters.shows_deleted:
        return False
    if filters.updated_since and served.updated_at <= filters.updated_since:
        return False
    if filters.version == LATEST:
        return served.entry.is_latest
    return not filters.version or served.entry.version == filters.version


def versions_of(
    entries: Sequence[RegistryEntry], *, include_deleted: bool
) -> Sequence[RegistryEntry]:
    """All that is to be shown of the versions of a server, the newest publication first.

    Raises:
        ServerNotFoundError: there is none.
    """
    found = [
        served for served in entries if include_deleted or served.entry.status is not Status.DELETED
    ]
    if not found:
        raise ServerNotFoundError("Server not found")
    return sorted(
        found,
        key=lambda served: (
            served.entry.published_at,
            served.entry.is_latest,
            served.entry.version,
        ),
        reverse=True,
    )


def server_version(
    entries: Sequence[RegistryEntry], version: str, *, include_deleted: bool
) -> RegistryEntry:
    """One of the versions of a server, by itself or as `latest`.

    Raises:
        ServerNotFoundError
    """
    for served in versions_of(entries, include_deleted=include_deleted):
        if served.entry.is_latest if version == LATEST else served.entry.version == version:
            return served
    raise ServerNotFoundError("Server not found")


def live_servers(registry: RegistryVersion) -> Sequence[RegistryEntry]:
    """Every version that a plain list shows."""
    return [served for served in registry.servers if passes(served, ListFilters())]
