"""Reads a repository in a process of its own, which can be ended.

On what a hostile server or a damaged repository holds, libgit2 may hang, grow or crash, and nothing
stops it from within.
"""

import logging
import os
import sys

import anyio
import attrs
import msgspec

from adapters.sources.git import Found, GitSettings, GitSource
from domain import errors
from domain.errors import SourceError, SourceUnreachableError

_log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Question:
    """What a process is asked: the parts of a source, and the revision that is known."""

    settings: GitSettings
    cache_dir: str
    max_bytes: int
    stall_seconds: float
    known_revision: str | None


@attrs.frozen(kw_only=True)
class Reply:
    """What it found, or the name and the message of the error that it met."""

    found: Found | None = None
    error: str | None = None
    message: str = ""


async def read_apart(source: GitSource, known_revision: str | None) -> Found | None:
    """What *source* has that the known revision has not. Cancelled, it ends the process.

    Raises:
        SourceError
    """
    question = Question(
        settings=source.settings,
        cache_dir=str(source.cache_dir),
        max_bytes=source.max_bytes,
        stall_seconds=source.stall_seconds,
        known_revision=known_revision,
    )
    done = await anyio.run_process(
        [sys.executable, "-P", "-m", "adapters.sources.git_worker"],
        input=msgspec.msgpack.encode(question),
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,  # a Ctrl-C is for this process, which then ends that one
    )
    if done.returncode:
        _log.error(
            "reading %s: %s",
            source.settings.repository,
            done.stderr.decode(errors="replace")[-2000:],
        )
        raise SourceUnreachableError(
            f"{source.settings.repository}: the process that read it ended with"
            f" {done.returncode}, as it does when libgit2 crashes or has no memory left: check the"
            " repository with `git fsck`, and the server; over SSH, use an Ed25519 key"
        )
    return _found(msgspec.msgpack.decode(done.stdout, type=Reply))


def _found(reply: Reply) -> Found | None:
    if reply.error is None:
        return reply.found
    kind: type[SourceError] = getattr(errors, reply.error)
    raise kind(reply.message)
