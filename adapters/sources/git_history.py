"""The revisions of one file in the history of a repository, told one at a time."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import attrs
import pygit2
from pygit2.enums import FileMode

from adapters.sources.git import GitSource
from adapters.sources.git_cache import (
    REFUSED,
    commit_of,
    committed_at,
    digest,
    exclusive,
    fetch_target,
    opened,
)
from adapters.sources.git_refs import Target
from adapters.sources.git_remote import source_error
from domain.errors import HistoryRewrittenError
from domain.ports.source import PastRevision

_ALL = 0
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_PROBLEMS = {**REFUSED, FileMode.TREE: "a directory"}


@attrs.frozen
class _State:
    """What is at the path in a commit: a blob, or the problem with it."""

    blob: pygit2.Oid | None
    problem: str | None


@attrs.frozen
class _Change:
    """A commit that brought another state than its first parent had."""

    commit: str
    effective_at: datetime
    state: _State


def read_history(source: GitSource, after: str | None) -> Iterator[PastRevision]:
    """Every revision of the configured file behind *after*, the oldest first.

    The whole history lies in a directory of its own until all of it has been told: other sources
    of the repository, which read its last commit alone, need not wait.

    Raises:
        HistoryRewrittenError: *after* is no revision of this history.
        SourceError: the repository, the ref or the path cannot be read.
    """
    settings = source.settings
    ref = (settings.branch, settings.tag, settings.commit)
    name = f"history-{digest(settings.repository, settings.path, *ref)}"
    with exclusive(source, name) as directory:
        try:
            for past in _read(source, directory, after):
                after = past.revision
                yield past
        except (pygit2.GitError, KeyError):
            # A process that was killed may have left part of a copy, and a copy is worth nothing.
            shutil.rmtree(directory, ignore_errors=True)
            yield from _read_again(source, directory, after)
        shutil.rmtree(directory)


def _read_again(source: GitSource, directory: Path, after: str | None) -> Iterator[PastRevision]:
    try:
        yield from _read(source, directory, after)
    except (pygit2.GitError, KeyError) as error:
        raise source_error(source.settings, error) from error


def _read(source: GitSource, directory: Path, after: str | None) -> Iterator[PastRevision]:
    settings = source.settings
    with opened(directory) as repo:
        target = fetch_target(repo, settings, None, depth=_ALL)
        found = _changes(repo, commit_of(repo, settings, target), source)
        for number in range(_known(found, after, target), len(found)):
            yield _revision(repo, source, found, number)


def _changes(repo: pygit2.Repository, tip: pygit2.Commit, source: GitSource) -> list[_Change]:
    """The commits that changed the file, along first parents; the oldest comes first."""
    settings = source.settings
    since = settings.history.since_time if settings.history else None
    found = []
    commit: pygit2.Commit | None = tip
    state = _state(tip, settings.path)
    while commit is not None:
        parent = _parent(repo, commit)
        before = _state(parent, settings.path)
        if state != before:
            at = committed_at(commit) or _BEGINNING
            found.append(_Change(str(commit.id), at, state))
            if since and at <= since:
                break  # this was the state then
        commit, state = parent, before
    return found[::-1]


def _parent(repo: pygit2.Repository, commit: pygit2.Commit) -> pygit2.Commit | None:
    """The first parent; where the repository itself is shallow its history ends sooner."""
    ids = commit.parent_ids
    return cast("pygit2.Commit | None", repo.get(ids[0])) if ids else None


def _state(commit: pygit2.Commit | None, path: str) -> _State:
    if commit is None or path not in commit.tree:
        return _State(None, f"there was no {path}")
    found = commit.tree[path]
    if found.filemode in _PROBLEMS:
        return _State(None, f"{path} was {_PROBLEMS[found.filemode]}")
    return _State(found.id, None)


def _known(found: list[_Change], after: str | None, target: Target) -> int:
    """How many revisions are known."""
    if after is None:
        return 0
    for number, change in enumerate(found, 1):
        if change.commit == after:
            return number
    raise HistoryRewrittenError(
        f"the history of {target.label} is another one than when reading it began:"
        f" {after[:12]} is no revision of it, and what came next is not recorded"
    )


def _revision(
    repo: pygit2.Repository, source: GitSource, found: list[_Change], number: int
) -> PastRevision:
    change = found[number]
    payload, problem = None, change.state.problem
    if change.state.blob is not None:
        _, size = repo.odb.read_header(change.state.blob)
        if size > source.max_bytes:
            problem = f"{source.settings.path} was larger than {source.max_bytes} bytes"
        else:
            payload = repo.odb.read(change.state.blob)[1]
    return PastRevision(
        revision=change.commit,
        payload=payload,
        problem=problem,
        effective_at=change.effective_at,
        number=number + 1,
        total=len(found),
    )
