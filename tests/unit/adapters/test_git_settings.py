"""What a Git source may be configured with, and which ref that means."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.git import GIT, GitSettings, GitSource
from adapters.sources.git_refs import Advertised, choose_target
from domain.errors import SourceContentError

HTTPS = "https://git.example.org/catalog.git"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
words = st.text("abcdefghijklmnop-_:", min_size=1)


def test_nothing_but_the_repository_is_needed() -> None:
    """The registry file of the default branch is what most people mean."""
    settings = GitSettings(repository=HTTPS)
    assert (settings.path, settings.branch, settings.max_repository_mib) == (
        "registry.json",
        None,
        500,
    )


@pytest.mark.parametrize(
    ("repository", "ssh", "local"),
    [
        (HTTPS, False, False),
        ("http://[::1]:8080/catalog", False, False),
        ("ssh://git@git.example.org:2222/catalog.git", True, False),
        ("git@git.example.org:org/catalog.git", True, False),
        ("git.example.org:catalog.git", True, False),
        ("file:///srv/catalog.git", False, True),
        ("/srv/catalog.git", False, True),
        ("../catalog", False, True),
    ],
)
def test_addresses(repository: str, ssh: bool, local: bool) -> None:
    """Every address that `git clone` takes for these transports is taken."""
    settings = GitSettings(repository=repository)
    assert (settings.is_ssh, settings.is_local) == (ssh, local)


@pytest.mark.parametrize(
    "repository", ["", "ftp://git.example.org/x", "ext::sh -c x://", "HTTPS://x/y", "/a\nb"]
)
def test_no_address(repository: str) -> None:
    """What libgit2 cannot fetch from is told when the configuration is read."""
    with pytest.raises(ValueError, match="expected the address of a Git repository"):
        GitSettings(repository=repository)


@given(user=words, secret=words, scheme=st.sampled_from(["https", "http", "ssh"]))
def test_password_in_the_address_is_refused_unseen(user: str, secret: str, scheme: str) -> None:
    """A secret belongs into a file, and the refusal does not repeat it."""
    with pytest.raises(ValueError, match="put the token into a file") as refusal:
        GitSettings(repository=f"{scheme}://{user}:{secret}SECRET@git.example.org/catalog.git")
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize(
    "repository",
    [
        "https://SECRET@git.example.org/x",
        "https://git.example.org/x?token=SECRET",
        "https://git.example.org/x#SECRET",
        "git:SECRET@git.example.org:x",
    ],
)
def test_token_in_the_address_is_refused_unseen(repository: str) -> None:
    """A token is also recognised where others put it."""
    with pytest.raises(ValueError, match="put the token into a file") as refusal:
        GitSettings(repository=repository)
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize(
    "path", ["", "/registry.json", "a//b", "a/", "../x", "a/../b", "./x", "a/."]
)
def test_path_outside_of_the_tree_is_refused(path: str) -> None:
    """A path names one file from the top of the repository, in one way."""
    with pytest.raises(ValueError, match="expected a path from the top of the repository"):
        GitSettings(repository=HTTPS, path=path)


@given(st.lists(st.text(min_size=1).filter(lambda part: "/" not in part), min_size=1))
def test_any_other_path_is_taken(parts: list[str]) -> None:
    """A path is refused exactly for its empty, `.` and `..` parts."""
    try:
        settings = GitSettings(repository=HTTPS, path="/".join(parts))
    except ValueError:
        assert {".", ".."} & set(parts)
    else:
        assert settings.path.split("/") == parts


@pytest.mark.parametrize("commit", ["", COMMIT[:12], COMMIT.upper(), f"{COMMIT}\n", "main"])
def test_abbreviated_commit_is_refused(commit: str) -> None:
    """What is short today may be ambiguous tomorrow: only the full id pins a commit."""
    with pytest.raises(ValueError, match="expected the full commit id, 40 lower-case"):
        GitSettings(repository=HTTPS, commit=commit)


@pytest.mark.parametrize(
    "refs",
    [
        {"branch": "main", "tag": "v1"},
        {"branch": "main", "commit": COMMIT},
        {"tag": "v1", "commit": COMMIT},
    ],
)
def test_two_refs_are_refused(refs: dict[str, str]) -> None:
    """A source follows one thing."""
    with pytest.raises(ValueError, match="expected at most one of branch, tag and commit"):
        GitSettings(repository=HTTPS, **refs)


def test_credentials_fit_the_transport() -> None:
    """A token or a key that would never be used is a mistake that is told."""
    with pytest.raises(ValueError, match="tokenFile is for an https://"):
        GitSettings(repository="git@git.example.org:x", token_file="token")
    with pytest.raises(ValueError, match="sshKeyFile is for an ssh://"):
        GitSettings(repository=HTTPS, ssh_key_file="key")


def test_limit_is_positive() -> None:
    """A repository of no size at all cannot be meant."""
    with pytest.raises(ValueError, match="must be >= 1"):
        GitSettings(repository=HTTPS, max_repository_mib=0)


@pytest.mark.parametrize(
    ("ref", "shown"),
    [
        ({}, "HEAD"),
        ({"branch": "next"}, "next"),
        ({"tag": "v1"}, "v1"),
        ({"commit": COMMIT}, COMMIT),
    ],
)
def test_location(ref: dict[str, str], shown: str) -> None:
    """A location is the repository and what Git calls the file in it, and no file with a secret."""
    settings = GitSettings(repository=HTTPS, path="a/b.json", token_file="/run/token", **ref)
    assert GIT.location(settings) == f"{HTTPS} {shown}:a/b.json"


def test_kind_opens_a_source_of_its_settings(tmp_path: Path) -> None:
    """The composition root needs nothing but the kind."""
    settings = GitSettings(repository=HTTPS)
    assert GIT.open(settings, tmp_path) == GitSource(settings=settings, cache_dir=tmp_path)


def test_libgit2_is_loaded_by_the_first_fetch_only() -> None:
    """A process that syncs no repository does not pay for libgit2, nor for retries."""
    loaded = "import sys, adapters.sources; print({'pygit2', 'stamina'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True)
    assert done.stdout.strip() == b"set()"


REFS = {
    "HEAD": "1" * 40,
    "refs/heads/main": "1" * 40,
    "refs/heads/release/2": "2" * 40,
    "refs/tags/v1.0.0": "3" * 40,
    "refs/tags/v1.0.1": "4" * 40,
    "refs/tags/v1.0.1^{}": "5" * 40,
    "refs/pull/7/head": "6" * 40,
}
ADVERTISED = Advertised(refs=REFS, default="refs/heads/main")


@pytest.mark.parametrize(
    ("ref", "commit", "label"),
    [
        ({}, "1", "branch main"),
        ({"branch": "release/2"}, "2", "branch release/2"),
        ({"tag": "v1.0.0"}, "3", "tag v1.0.0"),
        ({"tag": "v1.0.1"}, "5", "tag v1.0.1"),
    ],
)
def test_target(ref: dict[str, str], commit: str, label: str) -> None:
    """A name is looked up among its own kind, and an annotated tag means its commit."""
    target = choose_target(GitSettings(repository=HTTPS, **ref), ADVERTISED)
    assert (target.commit, target.label) == (commit * 40, label)


@pytest.mark.parametrize(
    ("default", "label"),
    [(None, "branch HEAD"), ("refs/heads/a\n\udcff", r"branch 'a\n\udcff'")],
)
def test_name_of_the_default_branch(default: str | None, label: str) -> None:
    """A detached HEAD is followed too, and a name that the server made up is quoted."""
    advertised = Advertised(refs={"HEAD": "1" * 40}, default=default)
    assert choose_target(GitSettings(repository=HTTPS), advertised).label == label


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        ({"branch": "mian"}, "has no branch 'mian'. Nearest: 'main'"),
        ({"branch": "refs/heads/main"}, "It has, among others: 'main', 'release/2'"),
        ({"branch": "v1.0.0"}, "It has, among others: 'main', 'release/2'"),
        ({"tag": "1.0.1"}, "has no tag '1.0.1'. Nearest: 'v1.0.1', 'v1.0.0'"),
        ({"tag": "v1.0.1^{}"}, "has no tag"),
    ],
)
def test_unknown_ref_names_the_nearest(ref: dict[str, str], told: str) -> None:
    """A typing mistake is found by reading the message."""
    with pytest.raises(SourceContentError) as raised:
        choose_target(GitSettings(repository=HTTPS, **ref), ADVERTISED)
    assert told in str(raised.value)


def test_repository_without_default_branch() -> None:
    """Where HEAD leads nowhere, the branches are named."""
    advertised = Advertised(refs={"refs/heads/trunk": "1" * 40}, default=None)
    with pytest.raises(SourceContentError, match=r"has no default branch: set branch\. .*'trunk'"):
        choose_target(GitSettings(repository=HTTPS), advertised)


def test_empty_repository() -> None:
    """A new repository needs a first commit."""
    with pytest.raises(SourceContentError, match=r"is empty: push a commit that has 'registry"):
        choose_target(GitSettings(repository=HTTPS), Advertised(refs={}, default=None))
