"""A conversation with a remote repository through libgit2: credentials, limits and errors.

A redirect is followed on the same host only, and a token goes to nothing but the scheme, host and
port that the configuration names. An SSH server's key has to be in the user's known_hosts file.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pygit2
from pygit2.enums import CredentialType

from adapters.sources.git import GitSettings
from adapters.sources.git_refs import Advertised
from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceLimitError,
    SourceUnreachableError,
)

_UNSHALLOW = 2**31 - 1
_MEANINGS: tuple[tuple[str, type[SourceError], str], ...] = (
    (
        "unsupported URL protocol|failed to resolve path",
        SourceUnreachableError,
        "Check that this path exists, and that its volume is mounted",
    ),
    (
        "redirect",
        SourceAccessError,
        "If you trust the address it leads to, write that into `repository`",
    ),
    (
        "hostkey",
        SourceAccessError,
        "Compare the server's key with the one its owner publishes, and add it to known_hosts",
    ),
    (
        "certificate",
        SourceAccessError,
        "Let SSL_CERT_FILE name a file that holds the authority which signed it",
    ),
    (
        "not owned by current user",
        SourceAccessError,
        "Run as its owner, or add it to safe.directory in Git's global configuration",
    ),
    (
        "authenticat|status code: (40[1347]|410)",
        SourceAccessError,
        "Check the address; a private repository needs tokenFile (https) or sshKeyFile (ssh)",
    ),
    (
        "could not find repository|content-type|status code: (3|4(?!08|29))",
        SourceContentError,
        "Let `repository` be the address that `git clone` takes",
    ),
    ("", SourceUnreachableError, "Check the address and the network, then sync again"),
)
"""What libgit2 says, what kind of error it is, and what to do: the first that fits."""


def source_error(settings: GitSettings, error: Exception) -> SourceError:
    """What libgit2's *error* means to an operator."""
    said = "".join(filter(str.isprintable, str(error)))[:300]
    if re.search("[Oo]ut of memory|allocate memory", said):
        return out_of_memory(settings)
    kind, advice = next(
        (kind, advice) for pattern, kind, advice in _MEANINGS if re.search(pattern, said)
    )
    return kind(f"{settings.repository}: {said}. {advice}")


def out_of_memory(settings: GitSettings) -> SourceLimitError:
    """What it means that no memory was left for the refs or the packs of a repository."""
    return SourceLimitError(
        f"{settings.repository} has more refs or objects than fit into memory: raise"
        " maxRepositoryMiB, or move the registry file into a smaller repository"
    )


class GitRemote:
    """The repository that *settings* name; what is fetched goes into *repo*.

    Of the history *depth* commits are fetched, or all of it where that is 0.
    """

    def __init__(self, repo: pygit2.Repository, settings: GitSettings, depth: int) -> None:
        self._depth = depth
        self._settings = settings
        self._repo = repo
        self._token = _read_token(settings)
        if settings.ssh_key_file is not None:
            _read_secret("sshKeyFile", settings.ssh_key_file)
        self._remote = self._connect()

    def list_refs(self) -> Advertised:
        """What the repository has."""
        heads = self._remote.list_heads(connect=False)
        default = next((head.symref_target for head in heads if head.name == "HEAD"), None)
        return Advertised(
            refs={head.name: str(head.oid) for head in heads if head.name}, default=default
        )

    def fetch_ref(self, ref: str) -> None:
        """Fetch *ref* as deep as wanted, where the transport can.

        Raises:
            SourceLimitError: it is larger than the configured limit.
            GitError: libgit2 failed, or it found the cache damaged.
        """
        self._fetch([f"+{ref}:refs/annals/{ref}"], self._depth)

    def fetch_commit(self, commit: str) -> None:
        """Fetch one commit; if the server serves refs only, then everything that it has.

        Raises:
            SourceLimitError: it is larger than the configured limit.
            GitError: libgit2 failed, or it found the cache damaged.
        """
        try:
            self._fetch([f"+{commit}:refs/annals/commits/{commit}"], self._depth)
        except pygit2.GitError:
            self._remote = self._connect()
            everything = [f"+refs/{kind}/*:refs/annals/refs/{kind}/*" for kind in ("heads", "tags")]
            self._fetch(everything, _UNSHALLOW if self._depth else 0)

    def _connect(self) -> pygit2.Remote:
        try:
            remote = self._repo.remotes.create_anonymous(self._settings.repository)
            remote.connect(callbacks=self._callbacks(), proxy=True)
        except pygit2.GitError as error:
            raise source_error(self._settings, error) from error
        return remote

    def _fetch(self, refspecs: list[str], depth: int) -> None:
        # libgit2 refuses to fetch a part of the history from the file system.
        depth = 0 if self._settings.is_local else depth
        self._remote.fetch(refspecs, callbacks=self._callbacks(), proxy=True, depth=depth)

    def _callbacks(self) -> "RemoteCallbacks":
        return RemoteCallbacks(self._settings, self._token)


class RemoteCallbacks(pygit2.RemoteCallbacks):
    """What libgit2 asks while it connects or fetches. It raises what is raised here."""

    # The inherited one fails where a server's message is cut within a character.
    sideband_progress = None  # type: ignore[assignment]

    def __init__(self, settings: GitSettings, token: str | None) -> None:
        super().__init__()
        self._settings = settings
        self._token = token
        self._offered = False

    def certificate_check(self, _certificate: None, valid: bool, _host: bytes) -> bool:
        """Accept what libgit2 found valid: the inherited method accepts every SSH host key."""
        return valid

    def credentials(
        self, url: str, username_from_url: str | None, allowed_types: CredentialType
    ) -> pygit2.UserPass | pygit2.Keypair | pygit2.Username:
        """The token or key, once: libgit2 asks again when the server refuses it."""
        user = username_from_url or "git"
        if self._settings.is_ssh and not allowed_types & CredentialType.SSH_KEY:
            return pygit2.Username(user)
        own = self._keypair(user) if self._settings.is_ssh else self._user_pass(url, allowed_types)
        if self._offered:
            setting = "sshKeyFile" if self._settings.is_ssh else "tokenFile"
            raise self._refused(f"refuses the credentials: renew what {setting} names")
        self._offered = True
        return own

    def transfer_progress(self, stats: pygit2.remotes.TransferProgress) -> None:
        """Stop when too much has been received."""
        limit = self._settings.max_repository_mib
        if stats.received_bytes > limit * 1024 * 1024:
            raise SourceLimitError(
                f"{self._settings.repository} sent more than {limit} MiB: raise maxRepositoryMiB,"
                " or move the registry file into a smaller repository"
            )

    def _keypair(self, user: str) -> pygit2.Keypair:
        if self._settings.ssh_key_file is None:
            raise self._refused("asks for a key: let sshKeyFile name a private key that it knows")
        return pygit2.Keypair(user, None, self._settings.ssh_key_file, "")

    def _user_pass(self, url: str, allowed_types: CredentialType) -> pygit2.UserPass:
        if self._token is None:
            raise self._refused("asks for a token: let tokenFile name a file that holds one")
        if _origin(url) != _origin(self._settings.repository):
            raise self._refused(
                f"redirects to {url}, which does not get the token: if you trust that address,"
                " write it into `repository`"
            )
        if not allowed_types & CredentialType.USERPASS_PLAINTEXT:
            raise self._refused("takes no token: use an address that does, or ssh")
        return pygit2.UserPass(self._settings.token_user, self._token)

    def _refused(self, what: str) -> SourceAccessError:
        return SourceAccessError(f"{self._settings.repository} {what}")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _read_token(settings: GitSettings) -> str | None:
    if settings.token_file is None:
        return None
    token = _read_secret("tokenFile", settings.token_file).decode("latin-1").strip()
    if not token or not token.isprintable():
        raise SourceAccessError(
            f"tokenFile {settings.token_file} does not hold a token: write it there in one line"
        )
    return token


def _read_secret(setting: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SourceAccessError(
            f"{setting} {path} cannot be read ({error.strerror}): name a file that exists and that"
            " this process may read"
        ) from error
