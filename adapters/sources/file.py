"""A registry file on this machine, such as one that Kubernetes mounts, or at an address."""

import hashlib
import os
import stat
import time
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import IO

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
from adapters.sources.source_type import SourceType
from adapters.sources.spool import CHUNK_BYTES, Spool, close, only
from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceLimitError,
    SourceUnreachableError,
)
from domain.ports.source import Fetched, FetchResult, Payload, SourcePort, Unchanged

MAX_BYTES = 512 * 1024 * 1024


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


@attrs.define
class _LastRead:
    """What a file looked like when it was read, where that tells it from any other content."""

    look: tuple[int, ...] | None = None
    size: int | None = None
    revision: str | None = None

    def note(
        self,
        before: os.stat_result,
        after: os.stat_result,
        revision: str | None,
        settled_seconds: float,
    ) -> None:
        age = time.time() - max(after.st_mtime, after.st_ctime)
        is_settled = age > settled_seconds and _look(before) == _look(after)
        self.look = _look(after) if is_settled else None
        self.size = after.st_size
        self.revision = revision

    def was(self, status: os.stat_result, revision: str | None) -> bool:
        return revision is not None and (self.look, self.revision) == (_look(status), revision)

    def may_be(self, status: os.stat_result, revision: str | None) -> bool:
        """Whether a look into it may show the same content."""
        return revision is not None and (self.size, self.revision) == (status.st_size, revision)


def _look(status: os.stat_result) -> tuple[int, ...]:
    """What of a file changes with its content. Its `ctime` is the system's alone."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@attrs.frozen(kw_only=True)
class FileSource:
    """Reads one file, through symbolic links. Its revision is the SHA-256 of the content.

    It reads a copy, in `spool_dir` where that is large: others may write to the file meanwhile.
    A file that was last written `settled_seconds` before it was read, or more, is not read again
    while it looks the same: two writes within one tick of its clock would look the same too.
    """

    path: str
    max_bytes: int = MAX_BYTES
    spool_dir: Path | None = None
    settled_seconds: float = 2.0
    _last: _LastRead = attrs.field(factory=_LastRead, init=False, eq=False, repr=False)

    async def fetch(self, known_revision: str | None) -> FetchResult:
        """Read the file, unless its content is the known one.

        Raises:
            SourceError: there is no such file, it may not be read, is no file, or is too large.
        """
        found = await to_thread.run_sync(self._read, known_revision)
        if found is None:
            return Unchanged()
        content, revision = found
        return Fetched(revision=lambda: revision, payloads=only(content))

    def _read(self, known_revision: str | None) -> tuple[Payload, str] | None:
        """The content and its revision, None if that is the known one."""
        try:
            with open(self.path, "rb", buffering=0, opener=_open_at_once) as file:
                before = os.fstat(file.fileno())
                self._check(before)
                if self._last.was(before, known_revision):
                    return None
                found = None
                if not (self._last.may_be(before, known_revision) and _is(file, known_revision)):
                    found = self._copied(file)
                revision = found[1] if found else known_revision
                self._last.note(before, os.fstat(file.fileno()), revision, self.settled_seconds)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if found and revision == known_revision:
            close(found[0])
            return None
        return found

    def _copied(self, file: IO[bytes]) -> tuple[Payload, str]:
        """A copy of the content, and its revision."""
        spool, hashed = Spool(self.spool_dir), hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            spool.add(chunk)
            hashed.update(chunk)
            if spool.size > self.max_bytes:
                spool.close()
                raise self._too_large()
        return spool.payload(), f"sha256:{hashed.hexdigest()}"

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


def _is(file: FileIO, revision: str | None) -> bool:
    """Whether that is the revision of a file, of which nothing was read so far or is then."""
    found = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    file.seek(0)
    return found == revision


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


def _open(settings: FileSettings, cache_dir: Path) -> SourcePort:
    if settings.url is not None:
        return FileUrlSource(url=settings.url, access=settings.access, spool_dir=cache_dir)
    return FileSource(path=settings.path or "", spool_dir=cache_dir)


def _location(settings: FileSettings) -> str:
    return shown(settings.url) if settings.url is not None else settings.path or ""


FILE = SourceType(name="file", settings=FileSettings, open=_open, location=_location)
