"""Reads a repository in a process of its own, which can be ended.

On what a hostile server or a damaged repository holds, libgit2 may hang, grow or crash, and nothing
stops it from within.
"""

import logging
import tempfile
from collections.abc import AsyncGenerator

import anyio
import attrs
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from adapters.sources.apart import command, environment, next_reply, worker
from adapters.sources.git import Found, GitSettings, GitSource, too_late
from domain import errors
from domain.errors import SourceError, SourceUnreachableError
from domain.ports.source import PastRevision

_log = logging.getLogger(__name__)

_WORKER = "adapters.sources.git_worker"


@attrs.frozen(kw_only=True)
class Question:
    """What a process is asked: the parts of a source, and the revision that is known.

    With `history` it is asked for all that came behind that revision, one reply for each.
    """

    settings: GitSettings
    cache_dir: str
    max_bytes: int
    stall_seconds: float
    known_revision: str | None
    history: bool = False


@attrs.frozen(kw_only=True)
class Reply:
    """What it found, or the name and the message of the error that it met."""

    found: Found | None = None
    past: PastRevision | None = None
    error: str | None = None
    message: str = ""


async def read_apart(source: GitSource, known_revision: str | None) -> Found | None:
    """What *source* has that the known revision has not. Cancelled, it ends the process.

    Raises:
        SourceError
    """
    done = await anyio.run_process(
        command(_WORKER),
        input=_question(source, known_revision, history=False),
        check=False,
        env=environment(),
        start_new_session=True,  # a Ctrl-C is for this process, which then ends that one
    )
    if done.returncode:
        raise _broken(source.settings, done.returncode, done.stderr)
    return _checked(done.stdout).found


async def tell_apart(source: GitSource, after: str | None) -> AsyncGenerator[PastRevision, None]:
    """The history of *source* behind a revision. Closed, it ends the process.

    The process reads on as its replies are taken, so one revision at a time is held.

    Raises:
        SourceError
    """
    with tempfile.TemporaryFile() as complaints:
        question = _question(source, after, history=True)
        async with worker(_WORKER, question, complaints) as (process, replies):
            while reply := await _next_reply(source.settings, replies):
                if past := _checked(reply).past:
                    yield past
            if code := await process.wait():
                complaints.seek(0)
                raise _broken(source.settings, code, complaints.read())


async def _next_reply(settings: GitSettings, replies: BufferedByteReceiveStream) -> bytes | None:
    """The next reply, None behind the last."""
    try:
        with anyio.fail_after(settings.timeout_seconds):
            return await next_reply(replies)
    except TimeoutError as error:
        raise too_late(settings) from error


def _question(source: GitSource, known_revision: str | None, *, history: bool) -> bytes:
    question = Question(
        settings=source.settings,
        cache_dir=str(source.cache_dir),
        max_bytes=source.max_bytes,
        stall_seconds=source.stall_seconds,
        known_revision=known_revision,
        history=history,
    )
    return msgspec.msgpack.encode(question)


def _checked(encoded: bytes) -> Reply:
    """A reply that tells of no error."""
    reply = msgspec.msgpack.decode(encoded, type=Reply)
    if reply.error is None:
        return reply
    kind: type[SourceError] = getattr(errors, reply.error)
    raise kind(reply.message)


def _broken(settings: GitSettings, code: int, complaints: bytes) -> SourceUnreachableError:
    said = complaints.decode(errors="replace")[-2000:]
    _log.error("reading %s: %s", settings.repository, said)
    return SourceUnreachableError(
        f"{settings.repository}: the process that read it ended with {code}, as it does when"
        " libgit2 crashes or has no memory left: check the repository with `git fsck`, and the"
        " server; over SSH, use an Ed25519 key"
    )
