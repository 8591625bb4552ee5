"""What a sync keeps of a source that sends pages of the official API, without a log."""

import json
from typing import Any

import attrs

from adapters.sources.api import ApiSettings, ApiSource
from domain.ports.source import Fetched, FetchResult


def api_source(url: str, **options: Any) -> ApiSource:
    """A source of the API at *url* that does not wait."""
    return ApiSource(settings=ApiSettings(url=url), first_wait_seconds=0.0, **options)


@attrs.define
class Mirror:
    """Follows a source. `entries` are envelopes by name and version."""

    source: ApiSource
    revision: str | None = None
    entries: dict[tuple[str, str], dict[str, Any]] = attrs.field(factory=dict)

    async def sync(self) -> FetchResult:
        """Take over what is new."""
        result = await self.source.fetch(self.revision)
        if isinstance(result, Fetched):
            payloads = [json.loads(payload) async for payload in result.payloads]
            if result.complete:
                self.entries = {}
            for envelope in (e for payload in payloads for e in payload["servers"]):
                self.entries[envelope["server"]["name"], envelope["server"]["version"]] = envelope
            self.revision = result.revision()
        return result

    @property
    def names(self) -> list[str]:
        """The names without their namespace."""
        return sorted(name.partition("/")[2] for name, _ in self.entries)
