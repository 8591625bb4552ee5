"""A bare repository on disk that keeps what was fetched, and what is read from it."""

import fcntl
import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pygit2
from pygit2.enums import FileMode, RepositoryOpenFlag

from adapters.sources.git import Found, GitSettings, GitSource
from adapters.sources.git_refs import Target, choose_target, nearest
from adapters.sources.git_remote import GitRemote, source_error
from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceLimitError,
    SourceUnreachableError,
)

_MAX_PACKS = 100
REFUSED = {FileMode.LINK: "a symbolic link", FileMode.COMMIT: "a submodule"}


def read_registry(source: GitSource, known_revision: str | None) -> Found | None:
    """Read the configured file, using and filling the cache of its repository.

    None stands for a repository that is at the known revision.

    Raises:
        SourceError: the repository, the ref or the path cannot be read.
    """
    with exclusive(source, f"git-{digest(source.settings.repository)}") as directory:
        return _read_or_rebuild(source, directory, known_revision)


def digest(*parts: str | None) -> str:
    """What tells apart the directories of different repositories, or different files of one."""
    return hashlib.sha256("\0".join(part or "" for part in parts).encode()).hexdigest()[:16]


@contextmanager
def exclusive(source: GitSource, name: str) -> Iterator[Path]:
    """A directory of that name in the cache. Those who use it, in any process, take turns.

    Raises:
        SourceAccessError: the cache cannot be used.
    """
    directory = source.cache_dir / name
    try:
        source.cache_dir.mkdir(parents=True, exist_ok=True)
        with directory.with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield directory
    except OSError as error:
        raise SourceAccessError(
            f"The cache directory {source.cache_dir} cannot be used ({error}): make it writable for"
            " this process, on a disk with free space"
        ) from error


def _read_or_rebuild(
    source: GitSource, directory: Path, known_revision: str | None
) -> Found | None:
    try:
        with opened(directory) as repo:
            return _read(source, repo, known_revision)
    except pygit2.GitError:
        # What libgit2 stumbles over is most often a damaged cache, and a cache is worth nothing.
        shutil.rmtree(directory)
    try:
        with opened(directory) as repo:
            return _read(source, repo, known_revision)
    except pygit2.GitError as error:
        raise source_error(source.settings, error) from error


@contextmanager
def opened(directory: Path) -> Iterator[pygit2.Repository]:
    """The bare repository in a directory of the cache, which is made where there is none.

    Raises:
        GitError: it is damaged.
    """
    _tidy(directory)
    if directory.exists():
        repo = pygit2.Repository(directory, RepositoryOpenFlag.NO_SEARCH)
    else:
        repo = pygit2.init_repository(directory, bare=True)
    try:
        repo.config["http.followRedirects"] = False
        if any(ref.target not in repo for ref in repo.references.iterator()):
            raise pygit2.GitError("the cache has lost objects, and would not fetch them again")
        yield repo
    finally:
        # A repository refers to itself: it would keep its packs open until a garbage collection.
        repo.free()


def _tidy(directory: Path) -> None:
    packs = directory / "objects" / "pack"
    # What a killed process was receiving stays behind.
    for unfinished in packs.glob("pack_git2_*"):
        unfinished.unlink()
    # Every fetch adds a pack, and libgit2 cannot join them.
    if len(list(packs.glob("*.pack"))) > _MAX_PACKS:
        shutil.rmtree(directory)


def _read(source: GitSource, repo: pygit2.Repository, known_revision: str | None) -> Found | None:
    target = fetch_target(repo, source.settings, known_revision)
    if target.commit == known_revision:
        return None
    commit = commit_of(repo, source.settings, target)
    blob = _find(commit, source.settings, target)
    _, size = repo.odb.read_header(blob.id)
    if size > source.max_bytes:
        raise SourceLimitError(
            f"{_place(source.settings, target)} is larger than {source.max_bytes} bytes: split it"
            " into several sources, or check that `path` names a registry file"
        )
    return Found(
        commit=target.commit,
        content=blob.data,
        effective_at=committed_at(commit),
        notes=_notes(repo, source.settings, target, known_revision),
    )


def fetch_target(
    repo: pygit2.Repository,
    settings: GitSettings,
    known_revision: str | None,
    *,
    depth: int = 1,
) -> Target:
    """What the settings name, with its commit in *repo* unless it is the known one.

    A *depth* of 0 is all of its history.
    """
    if settings.commit is not None:
        if settings.commit not in repo:
            GitRemote(repo, settings, depth).fetch_commit(settings.commit)
        return Target(ref=settings.commit, commit=settings.commit, label="commit")
    remote = GitRemote(repo, settings, depth)
    target = choose_target(settings, remote.list_refs())
    if target.commit != known_revision and target.commit not in repo:
        remote.fetch_ref(target.ref)
    return target


def commit_of(repo: pygit2.Repository, settings: GitSettings, target: Target) -> pygit2.Commit:
    """The commit that was fetched for a target.

    Raises:
        SourceError: there is none.
    """
    if target.commit not in repo and settings.commit is not None:
        raise SourceContentError(
            f"{settings.repository} has no commit {settings.commit} in a branch or tag: check"
            " `commit`, or push a tag for it"
        )
    if target.commit not in repo:
        raise SourceUnreachableError(
            f"{settings.repository}: {target.label} moved while it was fetched: sync again"
        )
    commit = repo[target.commit]
    if not isinstance(commit, pygit2.Commit):
        raise SourceContentError(
            f"{settings.repository}: {target.label} is a {commit.type_str}: name a commit instead"
        )
    return commit


def _find(commit: pygit2.Commit, settings: GitSettings, target: Target) -> pygit2.Blob:
    """The blob at the configured path. Links and submodules on the way are refused."""
    found: pygit2.Object = commit.tree
    folder = ""
    for name in settings.path.split("/"):
        if not isinstance(found, pygit2.Tree) or name not in found:
            raise SourceContentError(
                f"{_place(settings, target)} does not exist:"
                f" check `path`. {_nearest_path(settings.path, folder, found)}"
            )
        found = found[name]
        if found.filemode in REFUSED:
            raise SourceContentError(
                f"{_place(settings, target)} leads through {folder + name!r}, which is"
                f" {REFUSED[found.filemode]}: let `path` name the registry file itself"
            )
        folder += f"{name}/"
    if not isinstance(found, pygit2.Blob):
        raise SourceContentError(
            f"{_place(settings, target)} is a directory: let `path` name a file."
            f" {_nearest_path(settings.path, folder, found)}"
        )
    return found


def _nearest_path(path: str, folder: str, found: pygit2.Object) -> str:
    names = [entry.name or "" for entry in found] if isinstance(found, pygit2.Tree) else []
    return nearest(path, (folder + name for name in names))


def _place(settings: GitSettings, target: Target) -> str:
    return f"{settings.repository}: {settings.path!r} of {target.label} ({target.commit[:12]})"


def committed_at(commit: pygit2.Commit) -> datetime | None:
    """The time of a commit, where Python can tell it."""
    try:
        return datetime.fromtimestamp(commit.commit_time, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _notes(
    repo: pygit2.Repository, settings: GitSettings, target: Target, known_revision: str | None
) -> tuple[str, ...]:
    if known_revision is None or not re.fullmatch("[0-9a-f]{40}", known_revision):
        return ()
    old, new = known_revision[:12], target.commit[:12]
    if settings.tag is not None:
        return (f"{target.label} moved from {old} to {new}",)
    if settings.commit is None and _is_rewritten(repo, target.commit, known_revision):
        name = target.label.removeprefix("branch ")
        return (f"history of {name} was rewritten: {old} is no longer part of it",)
    return ()


def _is_rewritten(repo: pygit2.Repository, new: str, old: str) -> bool:
    # A shallow history ends before it shows what came before.
    return not repo.is_shallow and old in repo and not repo.descendant_of(new, old)
