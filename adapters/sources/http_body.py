"""The body of an answer as it comes in: unpacked, and never more than what was agreed."""

import zlib

from adapters.sources.spool import Spool
from domain.errors import SourceContentError, SourceLimitError, SourceUnreachableError
from domain.ports.source import Payload

_GZIP = 16 + zlib.MAX_WBITS


class Body:
    """Takes the raw chunks of the answer of *place*, up to *max_bytes* of content, into a spool.

    Whatever is sent, and however well it was packed, no more than that is ever held.
    """

    def __init__(self, place: str, encoding: str, max_bytes: int, spool: Spool) -> None:
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise SourceContentError(
                f"{place} sends its content as {encoding[:40]!r}, expected gzip or nothing: let its"
                " server heed Accept-Encoding"
            )
        self._place = place
        self._max_bytes = max_bytes
        self._spool = spool
        self._unpacker = zlib.decompressobj(_GZIP) if encoding.endswith("gzip") else None
        self._is_begun = False

    def add(self, chunk: bytes) -> None:
        """Take the next *chunk*.

        Raises:
            SourceLimitError: this was too much.
            SourceUnreachableError: it cannot be unpacked.
        """
        self._is_begun = True
        if self._unpacker is None:
            self._keep(chunk)
        else:
            self._unpack(chunk)

    def content(self) -> Payload:
        """All that came, when nothing more does.

        Raises:
            SourceUnreachableError: there should have been more.
        """
        if self._is_begun and self._unpacker is not None and not self._unpacker.eof:
            raise self._broken("it ends too early")
        return self._spool.payload()

    def _unpack(self, chunk: bytes) -> None:
        """Gzip may have several members (RFC 1952, section 2.2)."""
        while chunk:
            if self._unpacker is None or self._unpacker.eof:
                self._unpacker = zlib.decompressobj(_GZIP)
            room = self._max_bytes - self._spool.size
            try:
                self._keep(self._unpacker.decompress(chunk, room + 1))
            except zlib.error as error:
                raise self._broken(str(error)) from error
            chunk = self._unpacker.unused_data

    def _keep(self, content: bytes) -> None:
        self._spool.add(content)
        if self._spool.size > self._max_bytes:
            raise too_large(self._place, self._max_bytes)

    def _broken(self, what: str) -> SourceUnreachableError:
        return SourceUnreachableError(
            f"{self._place} sent gzip that cannot be unpacked ({what}): sync again, and look at"
            " the server or proxy that packs it"
        )


def too_large(place: str, max_bytes: int) -> SourceLimitError:
    """The error of an answer with more than *max_bytes*."""
    return SourceLimitError(
        f"{place} sent what is larger than {max_bytes} bytes: split it into several sources, or"
        " check that `url` names a registry"
    )
