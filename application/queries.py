"""What can be asked of the versions that a registry serves (spec sections 2 and 3). Pure."""

from collections.abc import Sequence
from operator import attrgetter

import attrs

from application.cursor import Cursor, ListFilters
from application.registry_version import RegistryVersion
from application.shelves import ServedVersion
from domain.composition import RegistryEntry
from domain.entry import Status
from domain.errors import ServerNotFoundError
from domain.ports.scratch import Readable

LATEST = "latest"


@attrs.frozen
class Page:
    """Some servers in the order of lists, what they are shown as, and where the next page starts.

    `responses` has the places of the servers.
    """

    servers: Sequence[ServedVersion]
    responses: Readable
    next_cursor: Cursor | None = None


def page_of(
    found: Sequence[ServedVersion], responses: Readable, filters: ListFilters, limit: int
) -> Page:
    """A page of what was found, which is more than *limit* where another page follows."""
    servers = found[:limit]
    if len(found) <= limit:
        return Page(servers, responses)
    last = servers[-1]
    return Page(servers, responses, Cursor((last.name, last.version), filters))


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
    versions: Sequence[ServedVersion], *, include_deleted: bool
) -> Sequence[ServedVersion]:
    """All that is to be shown of the versions of a server, the newest publication first.

    Raises:
        ServerNotFoundError: there is none.
    """
    found = [served for served in versions if include_deleted or not served.is_deleted]
    if not found:
        raise ServerNotFoundError("Server not found")
    return sorted(found, key=attrgetter("published_us", "is_latest", "version"), reverse=True)


def server_version(
    versions: Sequence[ServedVersion], version: str, *, include_deleted: bool
) -> ServedVersion:
    """One of the versions of a server, by itself or as `latest`.

    Raises:
        ServerNotFoundError
    """
    for served in versions:
        if served.is_deleted and not include_deleted:
            continue
        if served.is_latest if version == LATEST else served.version == version:
            return served
    raise ServerNotFoundError("Server not found")


def live_servers(registry: RegistryVersion) -> Sequence[RegistryEntry]:
    """Every version that a plain list shows."""
    return [served for served in registry.servers if passes(served, ListFilters())]
