"""Witnesses over HTTP (C2SP tlog-witness)."""

import re
from collections.abc import Sequence

import attrs
import httpx

from domain.errors import WitnessError
from domain.identifiers import Position
from domain.notes import to_base64
from domain.ports.witness import Cosigned, OtherSize, WitnessAnswer

_TIMEOUT_SECONDS = 20.0
_MOST_BYTES = 64 * 1024
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n?", re.ASCII)


@attrs.frozen
class HttpWitness:
    """WitnessPort. `url` is what the witness calls its submission prefix."""

    url: str

    async def add_checkpoint(
        self, old_size: Position, proof: Sequence[bytes], note: str
    ) -> WitnessAnswer:
        lines = [f"old {old_size}", *map(to_base64, proof), "", note]
        try:
            status, text = await self._post("\n".join(lines).encode())
        except httpx.HTTPError as error:
            raise WitnessError(f"{self.url}: {str(error) or type(error).__name__}") from error
        if status == httpx.codes.OK:
            return Cosigned(text)
        if status == httpx.codes.CONFLICT and (size := _SIZE.fullmatch(text)):
            return OtherSize(int(size[1]))
        raise WitnessError(f"{self.url} answered {status}: {text.strip()[:200]}")

    async def _post(self, body: bytes) -> tuple[int, str]:
        url = f"{self.url.rstrip('/')}/add-checkpoint"
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client,
            client.stream("POST", url, content=body) as answer,
        ):
            text = bytearray()
            async for part in answer.aiter_bytes():
                text += part
                if len(text) > _MOST_BYTES:
                    raise WitnessError(f"{self.url} answered with more than {_MOST_BYTES} bytes")
            return answer.status_code, text.decode(errors="replace")
