"""Statuses in one place, and a copy in another for others to read."""

from collections.abc import Mapping

from domain.identifiers import SourceName
from domain.ports.status import SourceStatus, StatusPort


class MirroredStatus:
    """StatusPort that reads from *main* and writes to both."""

    def __init__(self, main: StatusPort, copy: StatusPort) -> None:
        self._main = main
        self._copy = copy

    async def save(self, source: SourceName, status: SourceStatus) -> None:
        await self._main.save(source, status)
        await self._copy.save(source, status)

    async def load(self) -> Mapping[SourceName, SourceStatus]:
        return await self._main.load()

    async def discard(self, source: SourceName) -> None:
        await self._main.discard(source)
        await self._copy.discard(source)

    async def close(self) -> None:
        await self._main.close()
        await self._copy.close()
