"""The responses of versions: each lies at its place, with a comma behind it."""

from collections.abc import Iterable, Sequence

import anyio.to_thread
import attrs

from application.documents import redacted
from application.shelves import ServedVersion
from domain.entry import OFFICIAL_META
from domain.ports.scratch import Readable, Span

SEPARATOR = b","

_OPENING = b'{"server":'
_CLOSING = b',"_meta":{"%b":' % OFFICIAL_META.encode()


@attrs.frozen
class HeldResponses:
    """Readable that was made for one answer."""

    content: bytes

    def at_hand(self, opening: bytes, spans: Sequence[Span], closing: bytes) -> bytes:
        return b"".join((opening, *self.read(spans), closing))

    def read(self, spans: Sequence[Span]) -> Sequence[bytes]:
        return [self.content[start:end] for start, end in spans]


async def joined(
    responses: Readable,
    versions: Sequence[ServedVersion],
    opening: bytes = b"",
    closing: bytes = b"",
) -> bytes:
    """What these versions are shown as, with commas between, and something around it."""
    wanted = runs(versions)
    found = responses.at_hand(opening, wanted, closing)
    if found is None:
        read = await anyio.to_thread.run_sync(responses.read, wanted)
        found = b"".join((opening, *read, closing))
    return found


async def alone(responses: Readable, served: ServedVersion) -> bytes:
    """What a version is shown as by itself.

    Raises:
        DocumentRedactedError
    """
    if served.redaction:
        raise redacted(served.redaction)
    return await joined(responses, [served])


async def each(responses: Readable, versions: Sequence[ServedVersion]) -> Sequence[bytes]:
    """What each of these versions is shown as, read beside the event loop: they may be many."""
    return await anyio.to_thread.run_sync(responses.read, spans(versions))


def spans(versions: Iterable[ServedVersion]) -> Sequence[Span]:
    """Where each response lies."""
    return [(served.start, served.end - len(SEPARATOR)) for served in versions]


def runs(versions: Sequence[ServedVersion]) -> Sequence[Span]:
    """Where all of them lie: those that follow each other together, the last without its comma."""
    if not versions:
        return ()
    found: list[Span] = []
    start = end = versions[0].start
    for served in versions:
        if served.start != end:
            found.append((start, end))
            start = served.start
        end = served.end
    found.append((start, end - len(SEPARATOR)))
    return found


def document_in(response: bytes) -> bytes:
    """The server.json of a response, as it was hashed.

    What follows it is written by the registry, where quotes in a text are escaped, so the last
    that looks like its end is its end.
    """
    return response[len(_OPENING) : response.rindex(_CLOSING)]
