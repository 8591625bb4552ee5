"""The history of a file, as a Git source tells it revision by revision."""

import os
import random
import signal
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from adapters.sources.git import GitSource, History
from adapters.sources.git_history import read_history
from domain.errors import (
    HistoryRewrittenError,
    SourceContentError,
    SourceLimitError,
    SourceUnreachableError,
)
from domain.ports.source import HistoryPort, PastRevision
from tests.harness.git_http import GitHttpServer
from tests.harness.git_repository import FIRST_COMMIT_AT, GitRepository
from tests.harness.git_sources import cached, content, git_source, is_alive, workers
from tests.harness.server_process import until

REPOSITORY = "catalog/.git"
FULL = History()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def bare(tmp_path: Path) -> GitRepository:
    """A repository without a commit."""
    return GitRepository(tmp_path / "bare")


def source(origin: GitRepository, **settings: Any) -> GitSource:
    """A source that tells the history of *origin*."""
    repository = settings.pop("repository", origin.path)
    cache = origin.path.with_name("cache")
    return git_source(repository, cache, **{"history": FULL, **settings})


def commit(origin: GitRepository, *contents: bytes | None) -> list[str]:
    """Commits in each of which the file has that content, or is gone."""
    ids = []
    for each in contents:
        if each is None:
            (origin.path / "registry.json").unlink()
        ids.append(origin.commit({} if each is None else {"registry.json": each}))
    return ids


def told(source: GitSource, after: str | None = None) -> list[PastRevision]:
    """The history behind a revision, read in this process."""
    return list(read_history(source, after))


async def streamed(source: GitSource, after: str | None = None) -> list[PastRevision]:
    """The same, read in a process of its own."""
    async with aclosing(source.history(after)) as revisions:
        return [past async for past in revisions]


def payloads(revisions: Sequence[PastRevision]) -> list[bytes | None]:
    return [past.payload for past in revisions]


def test_history_is_told_where_it_is_configured(bare: GitRepository) -> None:
    """Any Git source can tell its history; without the setting it does not."""
    assert isinstance(source(bare), HistoryPort)
    assert source(bare).keeps_history
    assert not source(bare, history=None).keeps_history


def test_every_revision_oldest_first(bare: GitRepository) -> None:
    """Each has what the file held, its commit's id and time, and its place among all."""
    ids = commit(bare, b"1", b"2", b"3")
    revisions = told(source(bare))
    assert [past.revision for past in revisions] == ids
    assert payloads(revisions) == [b"1", b"2", b"3"]
    assert [past.effective_at for past in revisions] == [
        FIRST_COMMIT_AT + timedelta(hours=hours) for hours in range(3)
    ]
    assert [(past.number, past.total, past.problem) for past in revisions] == [
        (1, 3, None),
        (2, 3, None),
        (3, 3, None),
    ]


def test_commits_that_leave_the_file_alone_are_no_revisions(bare: GitRepository) -> None:
    """A revision is a commit in which the file is another one than before."""
    bare.commit({"other": b"x"})
    commit(bare, b"1")
    bare.commit({"other": b"y"})
    commit(bare, b"2", b"2")
    bare.git("commit", "-q", "--allow-empty", "-m", "nothing")
    commit(bare, b"1")
    assert payloads(told(source(bare))) == [b"1", b"2", b"1"]


def test_merged_branches_come_as_their_merge(bare: GitRepository) -> None:
    """Only first parents are followed: what a branch did is told when it was merged."""
    commit(bare, b"1")
    bare.git("switch", "-q", "-c", "work")
    commit(bare, b"draft", b"2")
    bare.git("switch", "-q", "main")
    bare.git("merge", "-q", "--no-ff", "-m", "merge", "work")
    commit(bare, b"3")
    assert payloads(told(source(bare))) == [b"1", b"2", b"3"]


def test_what_cannot_be_read_is_told_with_its_problem(bare: GitRepository) -> None:
    """A deleted file, a link and a file beyond the limit are revisions without a payload."""
    commit(bare, b"1", None)
    (bare.path / "registry.json").symlink_to("other")
    bare.commit({"other": b"x"})
    (bare.path / "registry.json").unlink()
    commit(bare, b"long", b"2")
    revisions = told(source(bare, max_bytes=3))
    assert payloads(revisions) == [b"1", None, None, None, b"2"]
    assert [past.problem for past in revisions] == [
        None,
        "there was no registry.json",
        "registry.json was a symbolic link",
        "registry.json was larger than 3 bytes",
        None,
    ]


def test_directory_at_the_path(bare: GitRepository) -> None:
    """What lies deeper at that path is no registry file."""
    bare.commit({"a/registry.json/x": b"1"})
    (past,) = told(source(bare, path="a/registry.json"))
    assert past.problem == "a/registry.json was a directory"


def test_a_time_that_python_cannot_tell(bare: GitRepository) -> None:
    """A clock gone wild is taken for the beginning of time, which the log puts right."""
    bare.write({"registry.json": b"{}"})
    tree = bare.git("write-tree")
    body = f"tree {tree}\nauthor A <a@b> 0 +0000\ncommitter A <a@b> 999999999999999 +0000\n\nx\n"
    (bare.path / "commit").write_text(body)
    wild = bare.git("hash-object", "-t", "commit", "-w", "commit")
    bare.git("update-ref", "refs/heads/main", wild)
    (past,) = told(source(bare))
    assert past.effective_at == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2024-02-29T12:59:59Z", [b"1", b"2", b"3"]),
        ("2024-02-29T13:00:00Z", [b"2", b"3"]),
        ("2024-02-29T13:30:00Z", [b"2", b"3"]),
        ("2024-03-01", [b"3"]),
        ("2020-01-01", [b"1", b"2", b"3"]),
    ],
)
def test_since(bare: GitRepository, since: str, expected: Sequence[bytes]) -> None:
    """The first revision is the one that held at that time."""
    commit(bare, b"1", b"2", b"3")
    revisions = told(source(bare, history=History(since=since)))
    assert payloads(revisions) == expected
    assert [past.number for past in revisions] == list(range(1, len(expected) + 1))


@pytest.mark.parametrize("known", [1, 2, 3])
def test_going_on(bare: GitRepository, known: int) -> None:
    """Only what came behind the last known revision is told, counted as before."""
    ids = commit(bare, b"1", b"2", b"3")
    revisions = told(source(bare), ids[known - 1])
    assert [past.number for past in revisions] == [1, 2, 3][known:]
    assert all(past.total == 3 for past in revisions)


def test_going_on_with_what_came_meanwhile(bare: GitRepository) -> None:
    """New commits are part of the history that is gone on with."""
    (first,) = commit(bare, b"1")
    told(source(bare))
    commit(bare, b"2")
    assert payloads(told(source(bare), first)) == [b"2"]


def test_rewritten_history(bare: GitRepository) -> None:
    """Where the known revision is gone, nothing says what came behind it."""
    commit(bare, b"1")
    (gone,) = commit(bare, b"2")
    bare.git("reset", "-q", "--hard", "HEAD~")
    commit(bare, b"3")
    with pytest.raises(HistoryRewrittenError, match=f"branch main .*{gone[:12]}"):
        told(source(bare), gone)


@pytest.mark.parametrize("settings", [{"branch": "old"}, {"tag": "v1"}, {}], ids=str)
def test_history_of_any_ref(bare: GitRepository, settings: Mapping[str, str]) -> None:
    """A branch, a tag or a commit has the history that leads to it."""
    *_, last = commit(bare, b"1", b"2")
    bare.git("branch", "old")
    bare.git("tag", "-a", "-m", "release", "v1")
    commit(bare, b"3")
    revisions = told(source(bare, **(settings or {"commit": last})))
    assert payloads(revisions) == [b"1", b"2"]


def test_shallow_repository(bare: GitRepository, tmp_path: Path) -> None:
    """Where the repository itself has forgotten its past, the history begins later."""
    commit(bare, b"1", b"2", b"3")
    shallow = tmp_path / "shallow.git"
    bare.git("clone", "-q", "--bare", "--depth=2", f"file://{bare.path}", str(shallow))
    assert payloads(told(source(bare, repository=shallow))) == [b"2", b"3"]


def histories(cache: Path) -> list[Path]:
    """What is kept of histories, and their locks."""
    return sorted(cache.glob("history-*"))


def damage(copy: Path) -> None:
    """Lose everything that a copy holds."""
    for pack in copy.glob("objects/pack/*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(b"")


async def test_from_a_server(origin: GitRepository, server: GitHttpServer, cache: Path) -> None:
    """All of the history is fetched, whatever the cache of the last commit holds, and is gone
    from the disk when it has been told."""
    commit(origin, b"1", b"2")
    both = git_source(server.url(REPOSITORY), cache, history=FULL)
    assert await content(both) == b"2"
    assert payloads(await streamed(both)) == [b"{}", b"1", b"2"]
    assert [path.suffix for path in histories(cache)] == [".lock"]
    assert await content(both) == b"2"
    assert cached(cache, "shallow")


async def test_commit_from_a_server(
    origin: GitRepository, server: GitHttpServer, cache: Path
) -> None:
    """A commit that no ref leads to directly is found with its history too."""
    pinned, _ = commit(origin, b"1", b"2")
    pinned_source = git_source(server.url(REPOSITORY), cache, commit=pinned, history=FULL)
    assert payloads(await streamed(pinned_source)) == [b"{}", b"1"]


async def test_errors_are_those_of_a_fetch(
    origin: GitRepository, server: GitHttpServer, cache: Path
) -> None:
    """A ref that is not there, and a repository over the limit, are told in the same words."""
    with pytest.raises(SourceContentError, match="has no branch 'gone'"):
        await streamed(git_source(server.url(REPOSITORY), cache, branch="gone", history=FULL))
    origin.commit({"large": random.Random(1).randbytes(2 * 2**20)})
    with pytest.raises(SourceLimitError, match="sent more than 1 MiB: raise maxRepositoryMiB"):
        await streamed(
            git_source(server.url(REPOSITORY), cache, max_repository_mib=1, history=FULL)
        )


async def test_nothing_within_the_time(server: GitHttpServer, cache: Path) -> None:
    """The time of a fetch is that of each revision; the process does not go on behind it."""
    released = Event()
    server.intercept = lambda _request: released.wait() and None
    late = git_source(server.url(REPOSITORY), cache, timeout_seconds=0.5, history=FULL)
    with pytest.raises(SourceUnreachableError, match=r"within 0\.5 seconds"):
        await streamed(late)
    assert workers() == []
    released.set()


def large_history(origin: GitRepository) -> None:
    """More than pipes and streams take in."""
    chance = random.Random(7)
    commit(origin, *(chance.randbytes(400_000) for _ in range(4)))


async def test_one_revision_at_a_time(bare: GitRepository) -> None:
    """The process waits for the one who takes, and ends when he has enough."""
    large_history(bare)
    revisions = source(bare).history(None)
    await anext(revisions)
    (worker,) = workers()
    assert is_alive(worker)
    await revisions.aclose()
    until(lambda: not is_alive(worker))


async def test_process_that_dies_amid_a_history(bare: GitRepository) -> None:
    """What was told stays told, and the rest is an error of the source."""
    large_history(bare)
    async with aclosing(source(bare).history(None)) as revisions:
        first = await anext(revisions)
        (worker,) = workers()
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(SourceUnreachableError, match=r"ended with -9.*git fsck"):
            async for _ in revisions:
                pass
    assert len(await streamed(source(bare), first.revision)) == 3


async def test_damaged_copy_is_made_again(bare: GitRepository) -> None:
    """A copy of the history that a killed process has left is thrown away where it is damaged."""
    large_history(bare)
    revisions = source(bare).history(None)
    await anext(revisions)
    await revisions.aclose()
    damage(histories(bare.path.with_name("cache"))[0])
    assert len(await streamed(source(bare))) == 4


def test_copy_that_was_only_begun(bare: GitRepository) -> None:
    """Of a directory that is no repository yet, or no longer, one is made."""
    commit(bare, b"1", b"2")
    next(read_history(source(bare), None))
    copy, _ = histories(bare.path.with_name("cache"))
    (copy / "HEAD").unlink()
    assert payloads(told(source(bare))) == [b"1", b"2"]


def test_damage_amid_a_history(bare: GitRepository) -> None:
    """What was told is not told again when the copy has to be made anew."""
    commit(bare, b"1", b"2", b"3")
    bare.git("repack", "-adq")
    revisions = read_history(source(bare), None)
    assert next(revisions).payload == b"1"
    copy, _ = histories(bare.path.with_name("cache"))
    for each in (copy / "objects").glob("*/*"):
        each.unlink()
    assert payloads([*revisions]) == [b"2", b"3"]
