"""How payloads are taken apart: in a thread."""

from collections.abc import AsyncGenerator

import anyio.to_thread
import attrs

from domain.ports.format import FormatPort, Parsed
from domain.ports.parser import Parsing
from domain.ports.source import LargePayload, Payload


@attrs.frozen
class Parser:
    """PLACEHOLDER by the lead until helper F lands."""

    format: FormatPort

    async def parse(
        self, payload: Payload, *, revision: str | None = None, known_revision: str | None = None
    ) -> Parsing:
        body = payload.file.read() if isinstance(payload, LargePayload) else payload
        parsed = await anyio.to_thread.run_sync(self.format.parse, body)
        return Parsing(compared=False, pages=_one(parsed))


async def _one(parsed: Parsed) -> AsyncGenerator[Parsed, None]:
    yield parsed
