"""How what a source sends is taken apart, wherever that is done."""

from collections.abc import AsyncGenerator
from typing import Protocol

import attrs

from domain.ports.format import Parsed
from domain.ports.source import Payload


@attrs.frozen(kw_only=True)
class Parsing:
    """A payload, page by page.

    Where it is `compared` the pages hold only what is not as it was in the payload of the known
    revision, and the keys that are `gone` since.
    """

    compared: bool
    pages: AsyncGenerator[Parsed, None]


class ParserPort(Protocol):
    """Takes the payloads of one source apart, beside the event loop."""

    async def parse(
        self, payload: Payload, *, revision: str | None = None, known_revision: str | None = None
    ) -> Parsing:
        """Begin to take a payload apart.

        *revision* is what the source calls the state that this payload is the whole of, None
        where there are several payloads; *known_revision* is that of a state that was taken in
        whole before, and by the same rules. Errors may also come while pages are read.

        Raises:
            SourceContentError: it is not of the format at all.
        """
        ...
