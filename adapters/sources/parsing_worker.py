"""The process that takes a large payload apart: a question comes in, pages go out."""

import gc
import mmap
import os
import signal
import sys
from collections.abc import Generator
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from adapters.sources.apart import die_with_parent, limit_memory, write_reply
from adapters.sources.comparison import Comparison
from adapters.sources.formats import format_named
from adapters.sources.formats.opened import PAGE, pages
from adapters.sources.formats.payload import open_json
from adapters.sources.judges import helpers, judges
from adapters.sources.parsing import Question, Reply
from adapters.sources.slice_memory import SliceMemory, load, save
from domain.errors import SourceError, SourceLimitError
from domain.ports.format import Parsed

_MEMORY_BYTES = 1024**3  # beside the payload: a tenth of it does for what is a registry
_NICENESS = 10  # whoever asks the server goes first


def main() -> None:
    """Answer the question on standard input."""
    die_with_parent()
    os.nice(_NICENESS)
    gc.disable()  # JSON has no cycles, and the collector would look for them most of the time
    question = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Question)
    limit_memory(_MEMORY_BYTES + os.fstat(question.descriptor).st_size)
    try:
        with closing(_replies(question)) as replies:
            for reply in replies:
                _write(reply)
    except SourceError as error:
        _write(_told(error))
    except MemoryError:
        _write(_told(_too_much()))


def _replies(question: Question) -> Generator[Reply, None, None]:
    """How it begins, and then its pages."""
    payload = _mapped(question.descriptor)
    registry = open_json(payload)
    known = load(Path(question.known), question.rules) if question.known else None
    opened = format_named(question.format).open(registry)
    yield Reply(compared=known is not None)
    forget = partial(_forget, payload)
    with judges(opened, 0 if known else helpers(), forget) as judge:
        comparison = Comparison(opened, known or SliceMemory(), judge)
        for page in pages(comparison.admitted(), comparison.warnings()):
            yield Reply(page=page)
            forget()
    gone = iter(comparison.gone())
    while some := tuple(islice(gone, PAGE)):
        yield Reply(page=Parsed(entries=(), gone=some))
    if question.new and comparison.is_memorable:
        keep = {Path(path).name for path in (question.new, question.known) if path}
        save(comparison.memory, Path(question.new), question.rules, keep)


def _forget(payload: mmap.mmap | bytes) -> None:
    """What was read need not stay in this process."""
    if isinstance(payload, mmap.mmap):
        payload.madvise(mmap.MADV_DONTNEED)


def _mapped(descriptor: int) -> mmap.mmap | bytes:
    """The payload. Nobody else can reach its file, so it cannot shrink under the mapping."""
    size = os.fstat(descriptor).st_size
    return mmap.mmap(descriptor, size, prot=mmap.PROT_READ) if size else b""


def _write(reply: Reply) -> None:
    write_reply(msgspec.msgpack.encode(reply))


def _told(error: SourceError) -> Reply:
    message = str(error).encode(errors="replace").decode()
    return Reply(error=type(error).__name__, message=message)


def _too_much() -> SourceLimitError:
    return SourceLimitError(
        "expected a registry, found what would fill the memory: split it into several sources, or"
        " check that the address is that of a registry"
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # helpers end, and are waited for
    with suppress(SystemExit):
        main()
    os._exit(0)  # a tenth of the time of a comparison would go into letting each object go
