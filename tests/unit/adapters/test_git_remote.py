"""Git over HTTP: what is asked for, and what goes wrong on the way."""

import json
import os
import signal
import subprocess
from pathlib import Path
from threading import Event

import anyio
import pytest

from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceLimitError,
    SourceUnreachableError,
)
from domain.ports.source import Unchanged
from tests.harness.command_line import COMMAND, PATIENCE_SECONDS
from tests.harness.git_http import GitAnswer, GitHttpServer, GitRequest
from tests.harness.git_repository import GitRepository
from tests.harness.git_sources import cached, content, fetch, git_source, is_alive, workers
from tests.harness.server_process import until

REPOSITORY = "catalog/.git"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The cache directory of all sources of a test."""
    return tmp_path / "cache"


def counts(server: GitHttpServer) -> tuple[int, int]:
    """How often refs were listed and objects asked for since the last count."""
    counted = server.count("GET"), server.count("POST")
    server.requests.clear()
    return counted


async def test_unchanged_ref_is_listed_and_not_fetched(
    origin: GitRepository, server: GitHttpServer, cache: Path
) -> None:
    """A sync without news costs one request, and a change is fetched over the same connection."""
    old = await fetch(git_source(server.url(REPOSITORY), cache))
    assert counts(server) == (1, 2)
    for _ in range(3):
        assert await git_source(server.url(REPOSITORY), cache).fetch(old.revision()) == Unchanged()
    assert counts(server) == (3, 0)
    origin.commit({"registry.json": b"new"})
    assert await content(git_source(server.url(REPOSITORY), cache), old.revision()) == b"new"
    assert counts(server) == (1, 2)


async def test_cached_commit_is_not_fetched_again(server: GitHttpServer, cache: Path) -> None:
    """After a failed sync or a restart, what is there already is read from the cache."""
    await fetch(git_source(server.url(REPOSITORY), cache))
    counts(server)
    assert await content(git_source(server.url(REPOSITORY), cache)) == b"{}"
    assert counts(server) == (1, 0)


async def test_pinned_commit_is_asked_for_once(
    origin: GitRepository, server: GitHttpServer, cache: Path
) -> None:
    """A server that serves commits is asked for that one alone, and then never again."""
    origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
    pinned = origin.git("rev-parse", "HEAD")
    origin.commit({"registry.json": b"new"})
    assert await content(git_source(server.url(REPOSITORY), cache, commit=pinned)) == b"{}"
    assert counts(server) == (1, 2)
    assert await content(git_source(server.url(REPOSITORY), cache, commit=pinned)) == b"{}"
    assert counts(server) == (0, 0)


@pytest.mark.parametrize("shallow_first", [False, True])
async def test_pinned_commit_where_only_refs_are_served(
    origin: GitRepository, server: GitHttpServer, cache: Path, shallow_first: bool
) -> None:
    """Else the whole history is fetched, also when the cache has the newest commit only."""
    origin.commit({"registry.json": b"old"})
    pinned = origin.git("rev-parse", "HEAD")
    origin.commit({"registry.json": b"new"})
    if shallow_first:
        await fetch(git_source(server.url(REPOSITORY), cache))
    assert await content(git_source(server.url(REPOSITORY), cache, commit=pinned)) == b"old"
    assert await content(git_source(server.url(REPOSITORY), cache)) == b"new"


@pytest.mark.parametrize("served", ["uploadpack.allowAnySHA1InWant", "uploadpack.x"])
async def test_unknown_commit(
    origin: GitRepository, server: GitHttpServer, cache: Path, served: str
) -> None:
    """However the server refuses it, a commit that does not exist is told as such."""
    origin.git("config", served, "true")
    with pytest.raises(SourceContentError, match="in a branch or tag: check `commit`"):
        await fetch(git_source(server.url(REPOSITORY), cache, commit="0" * 40))


async def test_only_the_newest_commit_comes_over_the_network(
    origin: GitRepository, server: GitHttpServer, cache: Path
) -> None:
    """A long history costs nothing, and its rewriting cannot be seen from one commit."""
    old = origin.commit({"registry.json": b"1"})
    await fetch(git_source(server.url(REPOSITORY), cache))
    new = origin.commit({"registry.json": b"2"}, "--amend")
    fetched = await fetch(git_source(server.url(REPOSITORY), cache), old)
    assert (fetched.revision(), fetched.notes) == (new, ())
    (shallow,) = cached(cache, "shallow")
    assert set(shallow.read_text().split()) == {old, new}


async def test_tags_over_http(origin: GitRepository, server: GitHttpServer, cache: Path) -> None:
    """An annotated tag is listed with its commit, so it too is unchanged without a fetch."""
    origin.git("tag", "-a", "-m", "release", "v1")
    fetched = await fetch(git_source(server.url(REPOSITORY), cache, tag="v1"))
    assert fetched.revision() == origin.git("rev-parse", "v1^{commit}")
    counts(server)
    assert (
        await git_source(server.url(REPOSITORY), cache, tag="v1").fetch(fetched.revision())
        == Unchanged()
    )
    assert counts(server) == (1, 0)


async def test_redirect_in_a_circle(server: GitHttpServer, cache: Path) -> None:
    """A circle ends."""
    server.intercept = lambda request: GitAnswer(status=302, headers={"Location": request.path})
    with pytest.raises(SourceAccessError, match="too many redirects"):
        await fetch(git_source(server.url(REPOSITORY), cache))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, SourceAccessError),
        (404, SourceAccessError),
        (410, SourceAccessError),
        (400, SourceContentError),
        (408, SourceUnreachableError),
        (429, SourceUnreachableError),
        (500, SourceUnreachableError),
        (503, SourceUnreachableError),
    ],
)
async def test_http_errors(
    server: GitHttpServer, cache: Path, status: int, error: type[SourceError]
) -> None:
    """What a later try may mend is told apart from what an operator has to mend."""
    server.intercept = lambda _: GitAnswer(status=status)
    with pytest.raises(error, match=f"status code: {status}"):
        await fetch(git_source(server.url(REPOSITORY), cache))


async def test_server_that_is_not_git(server: GitHttpServer, cache: Path) -> None:
    """A web page is no repository."""
    page = GitAnswer(status=200, headers={"Content-Type": "text/html"}, body=b"<html>")
    server.intercept = lambda _: page
    with pytest.raises(SourceContentError, match="be the address that `git clone`"):
        await fetch(git_source(server.url(REPOSITORY), cache))


@pytest.mark.parametrize("failing", ["GET", "POST"])
async def test_passing_fault_is_retried(server: GitHttpServer, cache: Path, failing: str) -> None:
    """A server that is busy twice is asked a third time."""
    faults = [503, 503]

    def intercept(request: GitRequest) -> GitAnswer | None:
        return GitAnswer(status=faults.pop()) if faults and request.method == failing else None

    server.intercept = intercept
    assert await content(git_source(server.url(REPOSITORY), cache, attempts=3)) == b"{}"


async def test_refusal_is_not_retried(server: GitHttpServer, cache: Path) -> None:
    """Asking again does not help whom the server refuses."""
    server.intercept = lambda _: GitAnswer(status=403)
    with pytest.raises(SourceAccessError):
        await fetch(git_source(server.url(REPOSITORY), cache, attempts=3))
    assert counts(server) == (1, 0)


async def test_broken_pack(server: GitHttpServer, cache: Path) -> None:
    """Garbage in place of objects is an error, and nothing of it is kept."""
    kind = {"Content-Type": "application/x-git-upload-pack-result"}
    garbage = GitAnswer(status=200, headers=kind, body=b"0008NAK\n" + b"PACK" * 100)
    server.intercept = lambda request: garbage if request.method == "POST" else None
    with pytest.raises(SourceError):
        await fetch(git_source(server.url(REPOSITORY), cache))
    server.intercept = lambda _: None
    assert await content(git_source(server.url(REPOSITORY), cache)) == b"{}"


@pytest.fixture
def chatty(server: GitHttpServer, tmp_path: Path) -> GitHttpServer:
    """A server that sends a message which is no UTF-8 while it packs."""
    hook = tmp_path / "hook"
    hook.write_text('#!/bin/sh\nprintf "\\377\\n" >&2\nexec "$@"\n')
    hook.chmod(0o700)
    server.variables = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "uploadpack.packObjectsHook",
        "GIT_CONFIG_VALUE_0": str(hook),
    }
    return server


async def test_messages_of_a_server_are_not_read(chatty: GitHttpServer, cache: Path) -> None:
    """What a server tells people while it works cannot make a fetch fail."""
    assert await content(git_source(chatty.url(REPOSITORY), cache)) == b"{}"


async def test_host_that_does_not_listen(cache: Path) -> None:
    """A connection that is refused is told with the address."""
    with pytest.raises(SourceUnreachableError, match="1/x: failed to connect"):
        await fetch(git_source("http://127.0.0.1:1/x", cache))


async def test_host_that_does_not_exist(cache: Path) -> None:
    """A name that means nothing is told too, over SSH as well."""
    for repository in ("http://host.invalid/x", "git@host.invalid:x"):
        with pytest.raises(SourceUnreachableError, match="failed to resolve address"):
            await fetch(git_source(repository, cache))


@pytest.mark.parametrize("silent", ["GET", "POST"])
async def test_server_that_never_answers(server: GitHttpServer, cache: Path, silent: str) -> None:
    """A server that takes a request and says nothing is given up."""
    released = Event()
    server.intercept = lambda request: request.method == silent and released.wait() and None
    with pytest.raises(SourceUnreachableError, match="timed out"):
        await fetch(git_source(server.url(REPOSITORY), cache, stall_seconds=0.1))
    released.set()


async def test_time_is_limited_as_a_whole(server: GitHttpServer, cache: Path) -> None:
    """However often it is tried, at the end of its time a fetch is over, and nothing goes on."""
    released = Event()
    server.intercept = lambda _request: released.wait() and None
    source = git_source(
        server.url(REPOSITORY), cache, attempts=9, stall_seconds=0.1, timeout_seconds=0.5
    )
    with pytest.raises(SourceUnreachableError, match=r"within 0\.5 seconds.*`timeout`"):
        await fetch(source)
    released.set()


async def test_process_that_dies(server: GitHttpServer, cache: Path) -> None:
    """What kills libgit2 kills the process that reads, and is told as an error of the source."""

    def intercept(_request: GitRequest) -> None:
        for worker in workers():
            os.kill(worker, signal.SIGKILL)

    server.intercept = intercept
    with pytest.raises(SourceUnreachableError, match=r"ended with -9.*git fsck"):
        await fetch(git_source(server.url(REPOSITORY), cache))
    server.intercept = lambda _request: None
    assert await content(git_source(server.url(REPOSITORY), cache))


def test_process_ends_with_the_one_that_asked(server: GitHttpServer, tmp_path: Path) -> None:
    """A server that is killed leaves nobody behind who holds the cache."""
    asked, answer = Event(), Event()
    server.intercept = lambda _request: asked.set() or (answer.wait() and None)
    (tmp_path / "annals.yaml").write_text(
        f"sources: [{{name: main, git: {{repository: '{server.url(REPOSITORY)}'}}}}]\n"
    )
    command = [COMMAND, "sync", "--config", "annals.yaml", "--data-dir", "data"]
    with subprocess.Popen(command, cwd=tmp_path) as process:
        assert asked.wait(PATIENCE_SECONDS)
        (worker,) = workers(process.pid)
        process.kill()
    until(lambda: not is_alive(worker))
    answer.set()


async def test_repository_over_the_limit(
    origin: GitRepository, server: GitHttpServer, cache: Path
) -> None:
    """A transfer is stopped at the limit."""
    origin.commit({"large": bytes(json.dumps(list(range(400_000))), "ascii")})
    origin.git("config", "core.compression", "0")
    origin.git("repack", "-adfq")
    with pytest.raises(SourceLimitError, match="sent more than 1 MiB: raise maxRepositoryMiB"):
        await fetch(git_source(server.url(REPOSITORY), cache, max_repository_mib=1))


async def test_event_loop_goes_on_while_git_waits(server: GitHttpServer, cache: Path) -> None:
    """The server answers only after other work of the same event loop was done."""
    asked, answer = Event(), Event()

    def intercept(_request: GitRequest) -> None:
        asked.set()
        answer.wait()

    server.intercept = intercept
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fetch, git_source(server.url(REPOSITORY), cache))
        await anyio.to_thread.run_sync(asked.wait)
        answer.set()


async def test_cancelled_fetch_stops(server: GitHttpServer, cache: Path) -> None:
    """What arrives after the sync was cancelled is not received to the end."""
    asked, answer = Event(), Event()

    def intercept(request: GitRequest) -> None:
        if request.method == "POST":
            asked.set()
            answer.wait()

    server.intercept = intercept
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fetch, git_source(server.url(REPOSITORY), cache))
        await anyio.to_thread.run_sync(asked.wait)
        tasks.cancel_scope.cancel()
    answer.set()
    assert workers() == []
    assert cached(cache, "objects/pack/*.pack") == []
