"""Statuses that live as long as the process."""

from collections.abc import Mapping

from domain.identifiers import SourceName
from domain.ports.status import SourceStatus


class MemoryStatus:
    """StatusPort in a dict."""

    def __init__(self) -> None:
        self._statuses: dict[SourceName, SourceStatus] = {}

    async def save(self, source: SourceName, status: SourceStatus) -> None:
        self._statuses[source] = status

    async def load(self) -> Mapping[SourceName, SourceStatus]:
        return dict(self._statuses)

    async def discard(self, source: SourceName) -> None:
        self._statuses.pop(source, None)

    async def close(self) -> None:
        pass
