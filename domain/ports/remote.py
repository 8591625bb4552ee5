"""Another registry, as anybody can ask it."""

from collections.abc import Mapping
from typing import Protocol

import attrs

from domain.identifiers import Position


@attrs.frozen
class RemoteAnswer:
    """What came, and the position of the registry that it was made from, where it says so."""

    body: bytes
    position: Position | None


class RemotePort(Protocol):
    """GET, and nothing else."""

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> RemoteAnswer:
        """The answer to a path, which is escaped already and starts with a slash.

        Raises:
            RemoteLogError: there is none, or it is an error.
        """
        ...
