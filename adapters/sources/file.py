"""A registry file on this machine, such as one that Kubernetes mounts, or at an address."""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import attrs
from anyio import to_thread

from adapters.sources.file_url import FileUrlSource
from adapters.sources.http_access import (
    NO_HEADERS,
    HttpAccess,
    check_headers,
    check_timeout,
    check_url,
    shown,
)
from adapters.sources.source_type import SourceType, only
from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceLimitError,
    SourceUnreachableError,
)
from domain.ports.source import Fetched, FetchResult, SourcePort, Unchanged

MAX_BYTES = 100 * 1024 * 1024


def _check_path(_settings: object, _attribute: object, value: str) -> None:
    if not value or "\0" in value:
        raise ValueError("expected the path of a file, such as /etc/annals/registry.json")


@attrs.frozen(kw_only=True)
class FileSettings:
    """Where the file is: at a path or at a URL. How to ask is for a URL only: see HttpAccess."""

    path: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(_check_path), metadata={"path": True}
    )
    url: str | None = attrs.field(default=None, validator=attrs.validators.optional(check_url))
    timeout_seconds: float = attrs.field(default=60.0, validator=check_timeout)
    headers: Mapping[str, str] = attrs.field(
        default=NO_HEADERS, validator=check_headers, repr=False
    )
    bearer_token_file: str | None = attrs.field(default=None, metadata={"path": True})
    ca_file: str | None = attrs.field(default=None, metadata={"path": True})

    def __attrs_post_init__(self) -> None:
        if (self.path is None) == (self.url is None):
            raise ValueError("expected exactly one of path and url")
        if self.path is not None and self.access != HttpAccess():
            raise ValueError(
                "timeout, headers, bearerTokenFile and caFile are for a url: remove them"
            )

    @property
    def access(self) -> HttpAccess:
        """How to ask for the URL."""
        return HttpAccess(
            timeout_seconds=self.timeout_seconds,
            headers=self.headers,
            bearer_token_file=self.bearer_token_file,
            ca_file=self.ca_file,
        )


@attrs.frozen(kw_only=True)
class FileSource:
    """Reads one file, through symbolic links. Its revision is the SHA-256 of the content."""

    path: str
    max_bytes: int = MAX_BYTES

    async def fetch(self, known_revision: str | None) -> FetchResult:
        """Read the file, unless its content is the known one.

        Raises:
            SourceError: there is no such file, it may not be read, is no file, or is too large.
        """
        content, revision = await to_thread.run_sync(self._read_and_digest)
        if revision == known_revision:
            return Unchanged()
        return Fetched(revision=lambda: revision, payloads=only(content))

    def _read_and_digest(self) -> tuple[bytes, str]:
        content = self._read()
        return content, f"sha256:{hashlib.sha256(content).hexdigest()}"

    def _read(self) -> bytes:
        try:
            with open(self.path, "rb", opener=_open_at_once) as file:
                self._check(os.fstat(file.fileno()))
                content = file.read(self.max_bytes + 1)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if len(content) > self.max_bytes:
            raise self._too_large()
        return content

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise _not_a_file(self.path)
        if status.st_size > self.max_bytes:
            raise self._too_large()

    def _too_large(self) -> SourceLimitError:
        return SourceLimitError(
            f"{self.path} is larger than {self.max_bytes} bytes: split it into several"
            " sources, or check that `path` names a registry file"
        )


def _open_at_once(path: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a FIFO waits for somebody to write into it.
    return os.open(path, flags | os.O_NONBLOCK)


def _not_a_file(path: str) -> SourceContentError:
    return SourceContentError(
        f"{path} is a directory or a device: let `path` name the registry file itself"
    )


def _unreadable(path: str, error: OSError) -> SourceError:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return SourceUnreachableError(
                f"{path} does not exist: check `path`, and that its volume is mounted"
            )
        case IsADirectoryError():
            return _not_a_file(path)
        case PermissionError():
            return SourceAccessError(
                f"{path} may not be read by the user that runs this process (uid {os.geteuid()}):"
                " grant it read permission on the file and on the directories above it"
            )
        case _:
            return SourceUnreachableError(
                f"{path} cannot be read ({error.strerror}): check `path` and its volume"
            )


def _open(settings: FileSettings, _cache_dir: Path) -> SourcePort:
    if settings.url is not None:
        return FileUrlSource(url=settings.url, access=settings.access)
    return FileSource(path=settings.path or "")


def _location(settings: FileSettings) -> str:
    return shown(settings.url) if settings.url is not None else settings.path or ""


FILE = SourceType(name="file", settings=FileSettings, open=_open, location=_location)
