"""One listing for all who ask the same at the same time."""

from collections.abc import Awaitable, Callable, Sequence

import anyio
import attrs

from domain.errors import SourceError
from domain.ports.deployed import DeployedServer


@attrs.define
class _Turn:
    """A listing to come, shared by all who asked before it began. Cut off, it has no end."""

    end: Sequence[DeployedServer] | SourceError | None = None


class SharedListing:
    """Lists by *lists*, never twice at a time, and never what was before somebody asked."""

    def __init__(self, lists: Callable[[], Awaitable[Sequence[DeployedServer]]]) -> None:
        self._lists = lists
        self._one_at_a_time = anyio.Lock()
        self._next = _Turn()

    async def servers(self) -> Sequence[DeployedServer]:
        """What a listing tells that begins from now on.

        Raises:
            SourceError
        """
        turn = self._next
        async with self._one_at_a_time:
            # Whoever should have listed for all may have been cancelled: then the next one does.
            if turn.end is None:
                self._next = _Turn()
                turn.end = await self._end_of_listing()
        if isinstance(turn.end, SourceError):
            raise turn.end
        return turn.end

    async def _end_of_listing(self) -> Sequence[DeployedServer] | SourceError:
        try:
            return await self._lists()
        except SourceError as error:
            return error
