"""A registry file at an address of HTTP. It is loaded anew only when it may have changed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import attrs
from anyio import to_thread

from adapters.sources.http_access import HttpAccess
from adapters.sources.spool import LARGE_BYTES, close, digest, only
from domain.ports.source import Fetched, FetchResult, Payload, Unchanged

MAX_BYTES = 512 * 1024 * 1024

_ETAG = r'(?:W/)?"[!#-~]{0,200}"'  # RFC 9110, section 8.8.3
_MODIFIED = "[A-Za-z0-9,: ]{1,40}"
_REVISION = re.compile(rf"(sha256:[0-9a-f]{{64}})(?: etag:({_ETAG}))?(?: modified:({_MODIFIED}))?")


@attrs.frozen(kw_only=True)
class UrlRevision:
    """The SHA-256 of a content, and what its server calls it and the time of its last change."""

    digest: str
    etag: str | None = None
    modified: str | None = None

    @classmethod
    def of(cls, body: Payload, headers: Mapping[str, str]) -> Self:
        """The revision of an answer. What its headers should not hold is left out."""
        return cls(
            digest=digest(body),
            etag=_if_fits(_ETAG, headers.get("etag")),
            modified=_if_fits(_MODIFIED, headers.get("last-modified")),
        )

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """What `str` of a revision gave, or None for anything else."""
        match = _REVISION.fullmatch(text or "")
        return cls(digest=match[1], etag=match[2], modified=match[3]) if match else None

    def __str__(self) -> str:
        etag = f" etag:{self.etag}" if self.etag else ""
        modified = f" modified:{self.modified}" if self.modified else ""
        return f"{self.digest}{etag}{modified}"


def _if_fits(pattern: str, text: str | None) -> str | None:
    return text if text is not None and re.fullmatch(pattern, text) else None


@attrs.frozen(kw_only=True)
class FileUrlSource:
    """Reads one file by its URL, in `spool_dir` where it is large.

    `attempts` and `first_wait_seconds` are as of an HttpClient.
    """

    url: str
    access: HttpAccess
    attempts: int = 3
    first_wait_seconds: float = 0.5
    max_bytes: int = MAX_BYTES
    spool_dir: Path | None = None

    async def fetch(self, known_revision: str | None) -> FetchResult:
        """Ask for the file, unless its server says that it is the known one.

        Raises:
            SourceError: there is no answer with content, or it is too large.
        """
        from adapters.sources.http_client import HttpClient

        known = UrlRevision.parse(known_revision)
        async with HttpClient(
            self.access,
            max_bytes=self.max_bytes,
            attempts=self.attempts,
            first_wait_seconds=self.first_wait_seconds,
            spool_dir=self.spool_dir,
            large_bytes=LARGE_BYTES,
        ) as client:
            answer = await client.get(
                self.url,
                etag=known.etag if known else None,
                last_modified=known.modified if known else None,
            )
        if answer.status == 304:
            return Unchanged()
        content = answer.large or answer.body
        revision = await to_thread.run_sync(UrlRevision.of, content, answer.headers)
        if known is not None and revision.digest == known.digest:
            close(content)
            return Unchanged()
        return Fetched(revision=lambda: str(revision), payloads=only(content))
