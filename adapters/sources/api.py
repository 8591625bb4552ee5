"""Another registry, read through its API: what can be configured, and the source itself.

Nothing here imports httpx: a process that reads no registry by its API does not load it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import attrs

from adapters.sources.api_memory import Memory
from adapters.sources.http_access import (
    NO_HEADERS,
    HttpAccess,
    check_headers,
    check_timeout,
    check_url,
    shown,
)
from adapters.sources.source_type import SourceType
from domain.ports.source import FetchResult

_DAY_SECONDS = 24 * 60 * 60.0


def _check_url(settings: object, attribute: object, value: str) -> None:
    check_url(settings, attribute, value)
    if "?" in value:
        raise ValueError(
            "expected the address that clients put before /v0.1/servers, without a query"
        )


def _check_interval(_settings: object, _attribute: object, value: float) -> None:
    if value <= 0:
        raise ValueError("expected a duration above 0s")


@attrs.frozen(kw_only=True)
class ApiSettings:
    """Where the API is, and how it is asked.

    `full_sync_interval_seconds` is after how long everything is compared again, where a registry
    otherwise tells only what was updated. The rest is as in `HttpAccess`.
    """

    url: str = attrs.field(validator=_check_url)
    timeout_seconds: float = attrs.field(default=60.0, validator=check_timeout)
    headers: Mapping[str, str] = attrs.field(
        default=NO_HEADERS, validator=check_headers, repr=False
    )
    bearer_token_file: str | None = attrs.field(default=None, metadata={"path": True})
    ca_file: str | None = attrs.field(default=None, metadata={"path": True})
    full_sync_interval_seconds: float = attrs.field(default=_DAY_SECONDS, validator=_check_interval)

    @property
    def access(self) -> HttpAccess:
        """How the server is asked."""
        return HttpAccess(
            timeout_seconds=self.timeout_seconds,
            headers=self.headers,
            bearer_token_file=self.bearer_token_file,
            ca_file=self.ca_file,
        )


def _now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen(kw_only=True)
class ApiSource:
    """Reads the registry at an address, in whichever API is found there.

    A list may have `max_pages`, a walk through it `max_bytes`. `attempts` and
    `first_wait_seconds` are for a server that does not answer, `now` is this machine's clock.
    """

    settings: ApiSettings
    attempts: int = 3
    first_wait_seconds: float = 0.5
    max_pages: int = 10_000
    max_bytes: int = 2**30
    now: Callable[[], datetime] = _now
    memory: Memory = attrs.field(factory=Memory, eq=False)

    async def fetch(self, known_revision: str | None) -> FetchResult:
        """Read what has changed since the known revision, else everything.

        Raises:
            SourceError: there is no registry, or it cannot be read.
        """
        from adapters.sources.api_endpoint import read_endpoint

        return await read_endpoint(self, known_revision)


def _open(settings: ApiSettings, _cache_dir: Path) -> ApiSource:
    return ApiSource(settings=settings)


def _location(settings: ApiSettings) -> str:
    return shown(settings.url)


API = SourceType(name="api", settings=ApiSettings, open=_open, location=_location)
