"""The process that reads a repository: a question comes in, a reply goes out."""

import math
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pygit2

from adapters.sources.apart import die_with_parent, limit_memory, write_reply
from adapters.sources.git import GitSource
from adapters.sources.git_cache import read_registry
from adapters.sources.git_history import read_history
from adapters.sources.git_process import Question, Reply
from adapters.sources.git_remote import out_of_memory
from domain.errors import SourceError

_MIB = 1024 * 1024
_BASE_MIB = 1024  # what libgit2 needs beside the objects that it maps
_CONNECT_SECONDS = 10
_SPARE_SECONDS = 5


def main() -> None:
    """Answer the question on standard input."""
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Question)
    _limit(question)
    source = GitSource(
        settings=question.settings,
        cache_dir=Path(question.cache_dir),
        max_bytes=question.max_bytes,
    )
    if question.history:
        _tell_history(source, question)
    else:
        sys.stdout.buffer.write(msgspec.msgpack.encode(_reply(source, question)))


def _reply(source: GitSource, question: Question) -> Reply:
    try:
        with _memory_told(source):
            return Reply(found=read_registry(source, question.known_revision))
    except SourceError as error:
        return _told(error)


def _tell_history(source: GitSource, question: Question) -> None:
    """Write one reply after the other, each when the one before was taken."""
    try:
        with _memory_told(source):
            for past in read_history(source, question.known_revision):
                _write(Reply(past=past), question)
    except SourceError as error:
        _write(_told(error), question)


def _write(reply: Reply, question: Question) -> None:
    """Whoever reads may take his time: only what is done here is limited."""
    signal.alarm(0)
    write_reply(msgspec.msgpack.encode(reply))
    _limit_time(question)


@contextmanager
def _memory_told(source: GitSource) -> Iterator[None]:
    """Say in words of the source that no memory was left."""
    try:
        yield
    except (MemoryError, ValueError) as error:
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
        raise out_of_memory(source.settings) from error


def _told(error: SourceError) -> Reply:
    message = str(error).encode(errors="replace").decode()  # a path may be no Unicode
    return Reply(error=type(error).__name__, message=message)


def _limit(question: Question) -> None:
    """Let this process neither wait, nor grow, nor live for ever, nor without its parent."""
    die_with_parent()
    pygit2.settings.server_connect_timeout = _CONNECT_SECONDS * 1000
    pygit2.settings.server_timeout = round(question.stall_seconds * 1000)
    _limit_time(question)
    limit_memory((_BASE_MIB + question.settings.max_repository_mib) * _MIB)


def _limit_time(question: Question) -> None:
    signal.alarm(math.ceil(question.settings.timeout_seconds) + _SPARE_SECONDS)


if __name__ == "__main__":
    main()
