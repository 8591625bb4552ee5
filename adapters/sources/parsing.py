"""How payloads are taken apart: small ones in a thread, large ones in a process of their own."""

import hashlib
import logging
import tempfile
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from pathlib import Path

import attrs
import msgspec
from anyio import to_thread

from adapters.sources.apart import next_reply, worker
from adapters.sources.formats import format_named
from adapters.sources.formats.admission import Admission
from adapters.sources.formats.opened import pages
from adapters.sources.formats.payload import open_json
from adapters.sources.spool import LARGE_BYTES
from domain import errors
from domain.errors import SourceError, SourceLimitError
from domain.ports.format import Parsed
from domain.ports.parser import Parsing
from domain.ports.source import LargePayload, Payload

_log = logging.getLogger(__name__)

_WORKER = "adapters.sources.parsing_worker"


@attrs.frozen(kw_only=True)
class Question:
    """What a process is asked: to take apart what lies in the file of that descriptor.

    With the paths of memories it compares it with the `known` one, and leaves one that is new.
    """

    format: str | None
    descriptor: int
    rules: str
    known: str | None = None
    new: str | None = None


@attrs.frozen(kw_only=True)
class Reply:
    """How it begins, or a page, or the name and the message of the error that was met."""

    compared: bool = False
    page: Parsed | None = None
    error: str | None = None
    message: str = ""


@attrs.frozen(kw_only=True)
class Parser:
    """`ParserPort` of one source.

    `format` is the name of its format, if it is configured. In `memory_dir`, if there is one, it
    keeps what large payloads came to: a cache, of use to those of the same `rules` alone.
    `large_bytes` is from where on a payload is large.
    """

    format: str | None = None
    memory_dir: Path | None = None
    rules: str = ""
    large_bytes: int = LARGE_BYTES

    async def parse(
        self, payload: Payload, *, revision: str | None = None, known_revision: str | None = None
    ) -> Parsing:
        """Begin to take a payload apart. Its file stays open for as long as pages are read.

        Raises:
            SourceError: it is not of the format at all, or there was no memory to read it.
        """
        if isinstance(payload, bytes) and len(payload) <= self.large_bytes:
            return Parsing(
                compared=False, pages=_each(await to_thread.run_sync(self._parsed, payload))
            )
        replies = self._apart(payload, revision, known_revision)
        compared = (await anext(replies)).compared
        return Parsing(compared=compared, pages=_pages(replies))

    def _parsed(self, payload: bytes) -> list[Parsed]:
        opened, admission = format_named(self.format).open(open_json(payload)), Admission()
        warnings = admission.warn(opened.warnings)
        judged = map(opened.judge, opened.slices)
        return list(pages(map(admission.admit, judged), warnings))

    async def _apart(
        self, payload: Payload, revision: str | None, known_revision: str | None
    ) -> AsyncGenerator[Reply, None]:
        with tempfile.TemporaryFile() as complaints, tempfile.TemporaryFile() as copied:
            if isinstance(payload, bytes):
                await to_thread.run_sync(copied.write, payload)
                copied.flush()
                payload = LargePayload(copied)
            descriptor = payload.file.fileno()
            question = self._question(descriptor, revision, known_revision)
            async with worker(_WORKER, question, complaints, (descriptor,)) as (process, replies):
                while reply := await next_reply(replies):
                    yield await to_thread.run_sync(_checked, reply)
                if code := await process.wait():
                    complaints.seek(0)
                    raise _broken(code, complaints.read())

    def _question(self, descriptor: int, revision: str | None, known_revision: str | None) -> bytes:
        question = Question(
            format=self.format,
            descriptor=descriptor,
            rules=f"{self.format} {self.rules}",
            known=self._memory(known_revision),
            new=self._memory(revision),
        )
        return msgspec.msgpack.encode(question)

    def _memory(self, revision: str | None) -> str | None:
        if revision is None or self.memory_dir is None:
            return None
        return str(self.memory_dir / hashlib.sha256(revision.encode()).hexdigest())


async def _each(found: Iterable[Parsed]) -> AsyncGenerator[Parsed, None]:
    for page in found:
        yield page


async def _pages(replies: AsyncGenerator[Reply, None]) -> AsyncGenerator[Parsed, None]:
    async with aclosing(replies):
        async for reply in replies:
            if reply.page:
                yield reply.page


def _checked(encoded: bytes) -> Reply:
    """A reply that tells of no error."""
    reply = msgspec.msgpack.decode(encoded, type=Reply)
    if reply.error is None:
        return reply
    kind: type[SourceError] = getattr(errors, reply.error)
    raise kind(reply.message)


def _broken(code: int, complaints: bytes) -> SourceLimitError:
    _log.error("taking a payload apart: %s", complaints.decode(errors="replace")[-2000:])
    return SourceLimitError(
        f"the process that took it apart ended with {code}, as it does when it is killed or has no"
        " memory left: split the registry into several sources, or give the machine more memory"
    )
