"""Commits, refs, trees and the cache of a Git source, on repositories of this machine."""

import gc
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.sources.git import GitSource
from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceLimitError,
    SourceUnreachableError,
)
from domain.ports.source import Unchanged
from tests.harness.git_repository import FIRST_COMMIT_AT, GitRepository
from tests.harness.git_sources import cached, content, fetch, git_source


@pytest.fixture
def origin(tmp_path: Path) -> GitRepository:
    """A repository without a commit."""
    return GitRepository(tmp_path / "origin")


def source(origin: GitRepository, **settings: Any) -> GitSource:
    """A source of *origin*, or of another `repository`, with a cache beside it."""
    repository = settings.pop("repository", origin.path)
    return git_source(repository, origin.path.with_name("cache"), **settings)


async def test_revision_and_time_are_those_of_the_commit(origin: GitRepository) -> None:
    """A reader can find the state in the repository's own history."""
    origin.commit({"registry.json": b"1"})
    first = await fetch(source(origin))
    second = origin.commit({"registry.json": b"2"})
    fetched = await fetch(source(origin), first.revision())
    assert fetched.revision() == second
    assert fetched.notes == ()
    assert (first.effective_at, fetched.effective_at) == (
        FIRST_COMMIT_AT,
        FIRST_COMMIT_AT + timedelta(hours=1),
    )


async def test_commit_from_a_time_that_python_cannot_tell(origin: GitRepository) -> None:
    """A clock gone wild does not make a commit unreadable."""
    origin.write({"registry.json": b"{}"})
    tree = origin.git("write-tree")
    body = f"tree {tree}\nauthor A <a@b> 0 +0000\ncommitter A <a@b> 999999999999999 +0000\n\nx\n"
    (origin.path / "commit").write_text(body)
    commit = origin.git("hash-object", "-t", "commit", "-w", "commit")
    origin.git("update-ref", "refs/heads/main", commit)
    fetched = await fetch(source(origin))
    assert (fetched.revision(), fetched.effective_at) == (commit, None)


@pytest.mark.parametrize("form", ["work tree", "bare", "file://"])
async def test_local_repositories(origin: GitRepository, tmp_path: Path, form: str) -> None:
    """A path may lead to a work tree or a bare repository, and be written as a URL."""
    origin.commit({"registry.json": b"{}"})
    repository = {
        "work tree": lambda: str(origin.path),
        "bare": lambda: str(origin.bare(tmp_path / "bare.git")),
        "file://": lambda: f"file://{origin.path}",
    }[form]()
    assert await content(source(origin, repository=repository)) == b"{}"


async def test_every_kind_of_ref(origin: GitRepository) -> None:
    """The default branch, a branch, both kinds of tags and a commit are different views."""
    pinned = origin.commit({"registry.json": b"pinned"})
    origin.commit({"registry.json": b"light"})
    origin.git("tag", "light")
    origin.commit({"registry.json": b"annotated"})
    origin.git("tag", "-a", "-m", "annotated", "annotated")
    origin.git("tag", "-a", "-m", "of a tag", "nested", "annotated")
    origin.git("switch", "-q", "-c", "feature/x")
    origin.commit({"registry.json": b"branch"})
    origin.git("switch", "-q", "main")
    origin.commit({"registry.json": b"default"})
    assert await content(source(origin)) == b"default"
    assert await content(source(origin, branch="main")) == b"default"
    assert await content(source(origin, branch="feature/x")) == b"branch"
    assert await content(source(origin, tag="light")) == b"light"
    assert await content(source(origin, tag="annotated")) == b"annotated"
    assert await content(source(origin, tag="nested")) == b"annotated"
    assert await content(source(origin, commit=pinned)) == b"pinned"


async def test_annotated_tag_is_known_by_its_commit(origin: GitRepository) -> None:
    """The revision of a tag is the commit, whatever object the tag itself is."""
    commit = origin.commit({"registry.json": b"{}"})
    origin.git("tag", "-a", "-m", "release", "v1")
    assert await source(origin, tag="v1").fetch(commit) == Unchanged()


async def test_renamed_default_branch_is_followed(origin: GitRepository) -> None:
    """Without a configured ref, the repository decides."""
    commit = origin.commit({"registry.json": b"{}"})
    origin.git("branch", "-m", "main", "trunk")
    assert await source(origin).fetch(commit) == Unchanged()


async def test_pinned_commit_needs_no_repository_once_cached(origin: GitRepository) -> None:
    """A commit cannot change, so nobody is asked about it again."""
    commit = origin.commit({"registry.json": b"{}"})
    await fetch(source(origin, commit=commit))
    shutil.rmtree(origin.path)
    assert await content(source(origin, commit=commit)) == b"{}"
    assert await source(origin, commit=commit).fetch(commit) == Unchanged()


async def test_rewritten_branch_is_taken_and_noted(origin: GitRepository) -> None:
    """After a force push the new content counts, and the operator hears of it."""
    origin.commit({"registry.json": b"base"})
    old = origin.commit({"registry.json": b"old"})
    await fetch(source(origin))
    new = origin.commit({"registry.json": b"new"}, "--amend")
    fetched = await fetch(source(origin), old)
    assert fetched.revision() == new
    assert fetched.notes == (f"history of main was rewritten: {old[:12]} is no longer part of it",)


async def test_branch_that_went_back_is_noted(origin: GitRepository) -> None:
    """A branch reset to an earlier commit has lost the later one."""
    first = origin.commit({"registry.json": b"1"})
    second = origin.commit({"registry.json": b"2"})
    await fetch(source(origin, branch="main"))
    origin.git("reset", "-q", "--hard", first)
    fetched = await fetch(source(origin, branch="main"), second)
    assert (fetched.revision(), len(fetched.notes)) == (first, 1)


async def test_moved_tag_is_noted(origin: GitRepository) -> None:
    """Tags are not meant to move: when one does, the note tells from where to where."""
    old = origin.commit({"registry.json": b"old"})
    origin.git("tag", "v1")
    new = origin.commit({"registry.json": b"new"})
    origin.git("tag", "-f", "v1")
    fetched = await fetch(source(origin, tag="v1"), old)
    assert fetched.notes == (f"tag v1 moved from {old[:12]} to {new[:12]}",)
    assert (await fetch(source(origin, tag="v1"))).notes == ()


async def test_path_in_a_folder(origin: GitRepository) -> None:
    """A path goes through folders, and names may be anything that Git allows."""
    origin.commit({"pages/ä b/registry.json": b"deep"})
    assert await content(source(origin, path="pages/ä b/registry.json")) == b"deep"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("registri.json", "Nearest: 'registry.json'"),
        ("catalog/servers.jsn", "Nearest: 'catalog/servers.json'"),
        ("servers.json", "Nearest: 'registry.json'"),
        ("catalogue/servers.json", "It has, among others: 'catalog', 'registry.json'"),
        ("registry.json/servers.json", "does not exist: check `path`"),
        ("catalog", "is a directory: let `path` name a file. It has, among others: 'catalog/serv"),
    ],
)
async def test_vanished_path(origin: GitRepository, path: str, told: str) -> None:
    """The message names the commit, and what is there in place of the file."""
    commit = origin.commit({"registry.json": b"{}", "catalog/servers.json": b"{}"})
    with pytest.raises(SourceContentError, match=f"of branch main .{commit[:12]}") as raised:
        await fetch(source(origin, path=path))
    assert told in str(raised.value)


async def test_names_from_a_repository_are_quoted(origin: GitRepository) -> None:
    """A file name with control characters cannot forge a line of a log."""
    origin.commit({"registry\n\x1b[2J.json": b"{}"})
    with pytest.raises(SourceContentError) as raised:
        await fetch(source(origin))
    assert str(raised.value).isprintable()


async def test_symbolic_link_is_not_followed(origin: GitRepository) -> None:
    """A link could lead out of the repository: neither the file nor a folder may be one."""
    origin.write({"real/registry.json": b"{}"})
    (origin.path / "registry.json").symlink_to("/etc/passwd")
    (origin.path / "folder").symlink_to("real")
    origin.commit({})
    for path in ("registry.json", "folder/registry.json"):
        with pytest.raises(SourceContentError, match="which is a symbolic link: let `path` name"):
            await fetch(source(origin, path=path))


async def test_submodule_is_not_entered(origin: GitRepository) -> None:
    """A submodule is another repository: it needs a source of its own."""
    commit = origin.commit({"x": b""})
    origin.git("update-index", "--add", "--cacheinfo", f"160000,{commit},module")
    origin.git("commit", "-q", "-m", "module")
    for path in ("module", "module/registry.json"):
        with pytest.raises(SourceContentError, match="'module', which is a submodule"):
            await fetch(source(origin, path=path))


async def test_blob_at_the_limit_is_read(origin: GitRepository) -> None:
    """The limit is the largest size that is still taken."""
    origin.commit({"registry.json": b"1234"})
    assert await content(source(origin, max_bytes=4)) == b"1234"
    with pytest.raises(SourceLimitError, match="larger than 3 bytes: split it"):
        await fetch(source(origin, max_bytes=3))


async def test_repository_over_the_limit_is_not_received(origin: GitRepository) -> None:
    """The fetch stops on the way, leaves nothing behind, and works once the limit is raised."""
    origin.commit({"registry.json": b"{}", "large": os.urandom(1_200_000)})
    with pytest.raises(SourceLimitError, match="sent more than 1 MiB: raise maxRepositoryMiB"):
        await fetch(source(origin, max_repository_mib=1))
    cached = origin.path.with_name("cache").rglob("*")
    assert sum(file.stat().st_size for file in cached) < 100_000
    assert await content(source(origin, max_repository_mib=2)) == b"{}"


async def test_empty_repository(origin: GitRepository) -> None:
    """A repository without a commit is not an empty registry."""
    with pytest.raises(SourceContentError, match="is empty: push a commit"):
        await fetch(source(origin))


async def test_unknown_branch(origin: GitRepository) -> None:
    """The real refs of a repository are compared with what was asked for."""
    origin.commit({"registry.json": b"{}"})
    with pytest.raises(SourceContentError, match="has no branch 'mian'"):
        await fetch(source(origin, branch="mian"))


async def test_unknown_commit(origin: GitRepository) -> None:
    """A commit that no branch or tag leads to cannot be fetched."""
    origin.commit({"registry.json": b"{}"})
    with pytest.raises(SourceContentError, match="in a branch or tag: check `commit`"):
        await fetch(source(origin, commit="0" * 40))


async def test_tag_of_a_file(origin: GitRepository) -> None:
    """Git can tag anything; a source needs a commit."""
    origin.commit({"registry.json": b"{}"})
    origin.git("tag", "blob", "HEAD:registry.json")
    with pytest.raises(SourceContentError, match="tag blob is a blob: name a commit"):
        await fetch(source(origin, tag="blob"))


@pytest.mark.parametrize("scheme", ["", "file://"])
async def test_missing_repository(origin: GitRepository, scheme: str) -> None:
    """A path that leads nowhere is told as such."""
    with pytest.raises(SourceUnreachableError, match="this path exists, and that its volume is"):
        await fetch(source(origin, repository=f"{scheme}{origin.path}-absent"))


async def test_folder_that_is_no_repository(tmp_path: Path, origin: GitRepository) -> None:
    """Nor is a repository looked for in the folders above."""
    (origin.path / "folder").mkdir()
    with pytest.raises(SourceContentError, match="could not find repository"):
        await fetch(source(origin, repository=str(origin.path / "folder")))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_repository_of_another_user(origin: GitRepository) -> None:
    """Git's rule holds: somebody else's repository has to be declared safe."""
    origin.commit({"registry.json": b"{}"})
    for path in (origin.path, *origin.path.rglob("*")):
        os.chown(path, 12345, 12345)
    with pytest.raises(SourceAccessError, match=r"not owned by current user.*safe\.directory"):
        await fetch(source(origin))


async def test_one_cache_for_all_sources_of_a_repository(origin: GitRepository) -> None:
    """Sources of the same repository share what they fetched, others have their own."""
    commit = origin.commit({"registry.json": b"{}", "other.json": b"[]"})
    await fetch(source(origin))
    await fetch(source(origin, path="other.json", commit=commit))
    await fetch(source(origin, repository=f"file://{origin.path}"))
    assert len(cached(origin.path.with_name("cache"), "")) == 2


def harm_packs(cache: Path) -> None:
    for file in cache.glob("objects/pack/*"):
        file.chmod(0o600)
        file.write_bytes(file.read_bytes()[:7])


def lose_objects(cache: Path) -> None:
    shutil.rmtree(cache / "objects")


def garble_config(cache: Path) -> None:
    (cache / "config").write_text("[[[")


def garble_ref(cache: Path) -> None:
    (cache / "refs" / "annals" / "HEAD").write_text("no object id")


def leave_lock(cache: Path) -> None:
    (cache / "refs" / "annals" / "HEAD.lock").touch()


def empty(cache: Path) -> None:
    shutil.rmtree(cache)
    cache.mkdir()


def lose(cache: Path) -> None:
    shutil.rmtree(cache)


@pytest.mark.parametrize(
    "harm",
    [harm_packs, lose_objects, garble_config, garble_ref, leave_lock, empty, lose],
    ids=lambda harm: harm.__name__,
)
async def test_damaged_cache_is_rebuilt(
    origin: GitRepository, harm: Callable[[Path], None]
) -> None:
    """Whatever a crash or a full disk left behind, the next fetch succeeds."""
    files = {"registry.json": b"1", "kept": os.urandom(1000)}
    commit = origin.commit(files)
    await fetch(source(origin))
    (cache,) = cached(origin.path.with_name("cache"), "")
    harm(cache)
    assert await content(source(origin)) == b"1"
    harm(cache)
    origin.commit({"registry.json": b"2"})
    assert await content(source(origin), commit) == b"2"
    assert await content(source(origin, path="kept")) == files["kept"]


async def test_cache_does_not_grow_for_ever(origin: GitRepository) -> None:
    """After a hundred fetches the cache starts anew: libgit2 cannot join what each of them left."""
    origin.commit({"registry.json": b"{}"})
    await fetch(source(origin))
    (cache,) = cached(origin.path.with_name("cache"), "")
    for number in range(100):
        (cache / "objects" / "pack" / f"pack-{number}.pack").touch()
    assert await content(source(origin)) == b"{}"
    assert len(list(cache.glob("objects/pack/*.pack"))) == 1


async def test_unfinished_download_is_removed(origin: GitRepository) -> None:
    """A process that is killed over and over does not fill the disk."""
    origin.commit({"registry.json": b"{}"})
    await fetch(source(origin))
    (cache,) = cached(origin.path.with_name("cache"), "")
    unfinished = cache / "objects" / "pack" / "pack_git2_0123456789abcdef"
    unfinished.touch()
    await fetch(source(origin))
    assert not unfinished.exists()


def mapped_files() -> list[str]:
    return Path("/proc/self/maps").read_text().splitlines()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux")
@pytest.mark.parametrize("path", ["registry.json", "absent.json"])
async def test_nothing_stays_open(origin: GitRepository, path: str) -> None:
    """A fetch that succeeded or failed leaves no file of the cache in memory."""
    origin.commit({"registry.json": b"{}"})
    gc.disable()
    with suppress(SourceContentError):
        await fetch(source(origin, path=path))
    gc.enable()
    assert not [line for line in mapped_files() if str(origin.path.with_name("cache")) in line]


async def test_branch_may_become_a_folder_of_branches(origin: GitRepository) -> None:
    """Names that cannot stand beside each other do so one after the other."""
    origin.commit({"registry.json": b"1"})
    origin.git("branch", "release")
    assert await content(source(origin, branch="release")) == b"1"
    origin.git("branch", "-D", "release")
    origin.commit({"registry.json": b"2"})
    origin.git("branch", "release/2")
    assert await content(source(origin, branch="release/2")) == b"2"


async def test_unusable_cache_directory(origin: GitRepository) -> None:
    """A cache that cannot be written is the operator's to mend, and the message says how."""
    origin.commit({"registry.json": b"{}"})
    origin.path.with_name("cache").touch()
    with pytest.raises(SourceAccessError, match="make it writable for this process"):
        await fetch(source(origin))


async def test_damaged_repository_is_an_error(origin: GitRepository) -> None:
    """A repository that has lost the file's content is told, not taken for an empty registry."""
    origin.commit({"registry.json": b"{}"})
    blob = origin.git("rev-parse", "HEAD:registry.json")
    (origin.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(SourceError, match=blob[:12]):
        await fetch(source(origin))
