"""Who is trusted with a Git source's token or key, and who is not."""

import logging
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.sources.git import GitSettings
from adapters.sources.git_remote import RemoteCallbacks
from domain.errors import SourceAccessError, SourceError
from tests.harness.git_http import GitAnswer, GitHttpServer, GitRequest, serve_git
from tests.harness.git_repository import GitRepository
from tests.harness.git_sources import content, fetch, git_source

REPOSITORY = "catalog/.git"
TOKEN = "ghs_s3cr3t"
BASIC = {"WWW-Authenticate": 'Basic realm="git"'}


@pytest.fixture
def private(origin: GitRepository) -> Iterator[GitHttpServer]:
    """A server of the repository for those who have the token."""
    with serve_git(origin.path.parent, TOKEN) as server:
        yield server


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """The token, as an editor saves it."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


def write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The cache directory of all sources of a test."""
    return tmp_path / "cache"


async def test_token_is_read_at_every_fetch(
    private: GitHttpServer, cache: Path, token_file: Path
) -> None:
    """A rotated token is used without a restart, as the password of the configured user."""
    private.token = "next"
    mine = git_source(
        private.url(REPOSITORY), cache, token_file=str(token_file), token_user="deploy"
    )
    with pytest.raises(SourceAccessError, match="refuses the credentials: renew what tokenFile"):
        await fetch(mine)
    write(token_file, b"next\r\n")
    assert await content(mine) == b"{}"
    assert private.requests[-1].authorization == "Basic ZGVwbG95Om5leHQ="


async def test_default_user_of_a_token(
    private: GitHttpServer, cache: Path, token_file: Path
) -> None:
    """Without a configured user, the one that forges take for any token is sent."""
    await fetch(git_source(private.url(REPOSITORY), cache, token_file=str(token_file)))
    assert private.requests[-1].authorization == "Basic eC1hY2Nlc3MtdG9rZW46Z2hzX3MzY3IzdA=="


async def test_token_is_needed(private: GitHttpServer, cache: Path) -> None:
    """The message names the setting that is missing."""
    with pytest.raises(SourceAccessError, match="asks for a token: let tokenFile name"):
        await fetch(git_source(private.url(REPOSITORY), cache))


async def test_server_that_takes_no_password(
    origin: GitRepository, cache: Path, token_file: Path
) -> None:
    """libgit2 sends passwords alone: a server that wants a Bearer token is told as such."""
    with (
        serve_git(origin.path.parent, TOKEN, scheme="Bearer") as server,
        pytest.raises(SourceAccessError, match="requires authentication that we do not support"),
    ):
        await fetch(git_source(server.url(REPOSITORY), cache, token_file=str(token_file)))


async def test_server_that_wants_a_ticket(
    server: GitHttpServer, cache: Path, token_file: Path
) -> None:
    """Kerberos is not offered."""
    server.intercept = lambda _: GitAnswer(status=401, headers={"WWW-Authenticate": "Negotiate"})
    with pytest.raises(SourceAccessError, match="takes no token: use an address that does"):
        await fetch(git_source(server.url(REPOSITORY), cache, token_file=str(token_file)))


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read .No such file"), (b"", "does not hold a token"), (b"a\nb", "one line")],
)
async def test_unusable_token_file(
    server: GitHttpServer, cache: Path, tmp_path: Path, content: bytes | None, told: str
) -> None:
    """A token file that is wrong is told before anybody is asked, even if nobody wants it."""
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(SourceAccessError, match=rf"tokenFile .*{told}"):
        await fetch(git_source(server.url(REPOSITORY), cache, token_file=str(tmp_path / "token")))
    assert server.requests == []


async def test_unreadable_key_file(cache: Path, tmp_path: Path) -> None:
    """A missing SSH key is told before a connection is tried."""
    missing = str(tmp_path / "id_ed25519")
    with pytest.raises(SourceAccessError, match=r"sshKeyFile .*id_ed25519 cannot be read \(No su"):
        await fetch(git_source("git@localhost:x", cache, ssh_key_file=missing))


def test_unknown_host_key_is_refused() -> None:
    """pygit2's own callback accepts any SSH server: this one does as known_hosts says."""
    callbacks = RemoteCallbacks(GitSettings(repository="git@localhost:x"), None)
    assert [callbacks.certificate_check(None, valid, b"") for valid in (False, True)] == [
        False,
        True,
    ]


@pytest.mark.parametrize("asked_first", [False, True])
async def test_token_does_not_follow_to_another_host(
    private: GitHttpServer, server: GitHttpServer, cache: Path, token_file: Path, asked_first: bool
) -> None:
    """A redirect to another host is refused, whether before or after the token was shown."""

    def redirect(request: GitRequest) -> GitAnswer | None:
        if asked_first and request.authorization is None:
            return GitAnswer(status=401, headers=BASIC)
        location = private.url(request.path[1:], host="localhost")
        return GitAnswer(status=302, headers={"Location": location})

    server.intercept = redirect
    with pytest.raises(SourceAccessError, match="cannot redirect from '127"):
        await fetch(git_source(server.url(REPOSITORY), cache, token_file=str(token_file)))
    assert private.requests == []


@pytest.mark.parametrize("asked_first", [False, True])
async def test_token_does_not_follow_to_another_port(
    private: GitHttpServer, server: GitHttpServer, cache: Path, token_file: Path, asked_first: bool
) -> None:
    """Another port of the same host may be somebody else's: it is asked without the token."""

    def redirect(request: GitRequest) -> GitAnswer | None:
        if asked_first and request.authorization is None:
            return GitAnswer(status=401, headers=BASIC)
        return GitAnswer(status=302, headers={"Location": private.url(request.path[1:])})

    server.intercept = redirect
    with pytest.raises(SourceAccessError, match="which does not get the token"):
        await fetch(git_source(server.url(REPOSITORY), cache, token_file=str(token_file)))
    assert {request.authorization for request in private.requests} == {None}


async def test_moved_repository_is_followed(
    private: GitHttpServer, cache: Path, token_file: Path
) -> None:
    """A renamed repository answers with its new path on the same host: the token goes there."""

    def redirect(request: GitRequest) -> GitAnswer | None:
        location = request.path.replace("/old/", "/catalog/.git/")
        moved = GitAnswer(status=301, headers={"Location": location})
        return moved if request.path.startswith("/old/") else None

    private.intercept = redirect
    moved = git_source(private.url("old/"), cache, token_file=str(token_file))
    assert await content(moved) == b"{}"


async def test_token_is_in_no_message(
    private: GitHttpServer, cache: Path, token_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails, with whatever retry: neither error nor log shows the token."""
    caplog.set_level(logging.DEBUG)
    private.token = "other"
    told = []
    for status in (None, 403, 503):
        private.intercept = lambda _, status=status: status and GitAnswer(status=status)
        private.token = "other" if status is None else TOKEN
        with pytest.raises(SourceError) as raised:
            await fetch(
                git_source(private.url(REPOSITORY), cache, token_file=str(token_file), attempts=2)
            )
        told.append(repr(raised.value))
    assert len(set(told)) == 3
    assert TOKEN not in caplog.text + "".join(told)


@pytest.fixture
def untrusted(server: GitHttpServer, tmp_path: Path) -> str:
    """The address of the repository on a server that made its certificate itself."""
    if shutil.which("openssl") is None:
        pytest.skip("makes a certificate with openssl")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    files = ["-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=localhost"]
    subprocess.run([*command.split(), *files], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server.url(REPOSITORY, "localhost").replace("http:", "https:")


async def test_untrusted_certificate(untrusted: str, cache: Path) -> None:
    """A server that nobody vouches for is refused, and the message says how to trust it."""
    with pytest.raises(SourceAccessError, match="Let SSL_CERT_FILE name a file"):
        await fetch(git_source(untrusted, cache))
