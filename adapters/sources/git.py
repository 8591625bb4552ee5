"""A registry file in a Git repository: what can be configured, and the source itself.

Nothing here imports libgit2: a process that syncs no repository does not load it.
"""

import re
from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path

import attrs
from anyio import fail_after

from adapters.sources.source_type import SourceType
from adapters.sources.spool import only
from domain.asof import parse_effective_at
from domain.errors import InvalidAsOfError, SourceUnreachableError
from domain.ports.source import Fetched, FetchResult, PastRevision, Unchanged

MAX_BYTES = 100 * 1024 * 1024
_SCHEMES = ("https", "http", "ssh", "file")


def _check_repository(_settings: object, _attribute: object, value: str) -> None:
    """Refuse what cannot be fetched from, and every secret, without repeating it."""
    scheme, is_url, rest = value.partition("://")
    if not value or not value.isprintable() or (is_url and scheme not in _SCHEMES):
        raise ValueError(
            "expected the address of a Git repository: https://, http://, ssh:// or file://,"
            " user@host:path, or a path on this machine"
        )
    user, at, _ = (rest or value).partition("@")
    if (_is_http(value) and re.search("[@?#]", rest)) or (at and ":" in user):
        raise ValueError(
            "expected an address without user name, password, query or fragment: put the token"
            " into a file and name that in tokenFile, its user in tokenUser"
        )


def _check_path(_settings: object, _attribute: object, value: str) -> None:
    if any(part in ("", ".", "..") for part in value.split("/")):
        raise ValueError(
            "expected a path from the top of the repository, such as catalog/registry.json:"
            " without leading slash, empty part, '.' or '..'"
        )


def _check_commit(_settings: object, _attribute: object, value: str | None) -> None:
    if value is not None and not re.fullmatch("[0-9a-f]{40}", value):
        raise ValueError(
            "expected the full commit id, 40 lower-case hexadecimal digits:"
            " `git rev-parse <abbreviation>` prints it"
        )


def _check_timeout(_settings: object, _attribute: object, value: float) -> None:
    if value <= 0:
        raise ValueError("expected a duration above 0s")


def _is_http(repository: str) -> bool:
    return repository.startswith(("https://", "http://"))


def _check_since(_history: object, _attribute: object, value: str | None) -> None:
    try:
        if value is not None:
            parse_effective_at(value)
    except InvalidAsOfError as error:
        raise ValueError(
            "expected a date such as 2025-01-01, or an RFC 3339 time with an offset"
        ) from error


@attrs.frozen(kw_only=True)
class History:
    """How much of the past of a file is recorded: all of it, or from a date or time on."""

    since: str | None = attrs.field(default=None, validator=_check_since)

    @property
    def since_time(self) -> datetime | None:
        """The time that `since` stands for."""
        return parse_effective_at(self.since) if self.since else None


@attrs.frozen(kw_only=True)
class GitSettings:
    """Which file of which repository, at which branch, tag or commit.

    Without any of the three, the repository's own default branch is followed. `token_file`
    holds a token, sent as the password of `token_user`; `ssh_key_file` a private key without
    passphrase. Both are read again at every fetch. `max_repository_mib` limits what one fetch
    may receive, and `timeout_seconds` how long it may take, with all its attempts. `history`
    is what of the file's past the first sync records.
    """

    repository: str = attrs.field(validator=_check_repository, metadata={"path": "or URL"})
    path: str = attrs.field(default="registry.json", validator=_check_path)
    branch: str | None = None
    tag: str | None = None
    commit: str | None = attrs.field(default=None, validator=_check_commit)
    token_file: str | None = attrs.field(default=None, metadata={"path": True})
    token_user: str = "x-access-token"  # noqa: S105 - a user name
    ssh_key_file: str | None = attrs.field(default=None, metadata={"path": True})
    max_repository_mib: int = attrs.field(default=500, validator=attrs.validators.ge(1))
    timeout_seconds: float = attrs.field(default=300.0, validator=_check_timeout)
    history: History | None = attrs.field(default=None, metadata={"word": "full"})

    def __attrs_post_init__(self) -> None:
        if sum(ref is not None for ref in (self.branch, self.tag, self.commit)) > 1:
            raise ValueError("expected at most one of branch, tag and commit")
        if self.token_file is not None and not _is_http(self.repository):
            raise ValueError("tokenFile is for an https:// repository: remove it")
        if self.ssh_key_file is not None and not self.is_ssh:
            raise ValueError("sshKeyFile is for an ssh:// or user@host:path repository: remove it")

    @property
    def is_ssh(self) -> bool:
        """Whether the repository is spoken to over SSH, as libgit2 decides it."""
        _, is_url, _ = self.repository.partition("://")
        return self.repository.startswith("ssh://") or (not is_url and ":" in self.repository)

    @property
    def is_local(self) -> bool:
        """Whether the repository is on this machine's file system."""
        return not self.is_ssh and not _is_http(self.repository)


@attrs.frozen(kw_only=True)
class Found:
    """A commit, and the content of the file in it."""

    commit: str
    content: bytes
    effective_at: datetime | None
    notes: tuple[str, ...]


@attrs.frozen(kw_only=True)
class GitSource:
    """Reads one file of one commit. Its revision is the commit id that the ref resolves to.

    `attempts` and `first_wait_seconds` are for a remote that does not answer, and after
    `stall_seconds` without a byte it does not.
    """

    settings: GitSettings
    cache_dir: Path
    attempts: int = 3
    first_wait_seconds: float = 0.5
    stall_seconds: float = 20.0
    max_bytes: int = MAX_BYTES

    async def fetch(self, known_revision: str | None) -> FetchResult:
        """Ask the remote for the ref, and fetch its commit unless it is the known one.

        Raises:
            SourceError: the repository, the ref or the path cannot be read.
        """
        if known_revision is not None and known_revision == self.settings.commit:
            return Unchanged()
        try:
            with fail_after(self.settings.timeout_seconds):
                found = await self._read(known_revision)
        except TimeoutError as error:
            raise too_late(self.settings) from error
        if found is None:
            return Unchanged()
        return Fetched(
            revision=lambda: found.commit,
            payloads=only(found.content),
            effective_at=found.effective_at,
            notes=found.notes,
        )

    @property
    def keeps_history(self) -> bool:
        return self.settings.history is not None

    def history(self, after: str | None) -> AsyncGenerator[PastRevision, None]:
        """Every commit of the first parents that changed the file, the oldest first.

        Raises:
            HistoryRewrittenError: *after* is none of them.
            SourceError: the repository, the ref or the path cannot be read.
        """
        from adapters.sources.git_process import tell_apart

        return tell_apart(self, after)

    async def _read(self, known_revision: str | None) -> Found | None:
        import stamina

        from adapters.sources.git_process import read_apart

        caller = stamina.AsyncRetryingCaller(
            attempts=1 if self.settings.is_local else self.attempts,
            wait_initial=self.first_wait_seconds,
            wait_jitter=self.first_wait_seconds,
        )
        return await caller(SourceUnreachableError, read_apart, self, known_revision)


def too_late(settings: GitSettings) -> SourceUnreachableError:
    """What it means that nothing came in time."""
    return SourceUnreachableError(
        f"{settings.repository} was not read within {settings.timeout_seconds:g}"
        " seconds: check the server, or raise `timeout`"
    )


def _open(settings: GitSettings, cache_dir: Path) -> GitSource:
    return GitSource(settings=settings, cache_dir=cache_dir)


def _location(settings: GitSettings) -> str:
    ref = settings.branch or settings.tag or settings.commit or "HEAD"
    return f"{settings.repository} {ref}:{settings.path}"


GIT = SourceType(name="git", settings=GitSettings, open=_open, location=_location)
