"""How a document's body lies in storage: one zstd frame and a checksum of it."""

import zlib
from collections.abc import Iterable, Mapping

import zstandard

from domain.errors import CorruptLogError
from domain.identifiers import DocumentHash

_LEVEL = 3

Row = tuple[DocumentHash, bytes, int]
"""A document's hash, the frame, and the CRC-32 of the frame: not every flipped bit of a frame
shows in what it decompresses to."""


def pack(bodies: Mapping[DocumentHash, bytes]) -> list[Row]:
    """Bodies as they are stored. One compressor serves all: making it costs more than using it."""
    compress = zstandard.ZstdCompressor(level=_LEVEL).compress
    frames = ((name, compress(body)) for name, body in bodies.items())
    return [(name, frame, zlib.crc32(frame)) for name, frame in frames]


def unpack(rows: Iterable[Row]) -> dict[DocumentHash, bytes]:
    """The inverse of `pack`.

    Raises:
        CorruptLogError: a row is not what was packed; the message has its hash.
    """
    decompressor = zstandard.ZstdDecompressor()
    return {name: _unpack(decompressor, name, frame, crc) for name, frame, crc in rows}


def _unpack(decompressor: zstandard.ZstdDecompressor, name: str, frame: bytes, crc: int) -> bytes:
    if zlib.crc32(frame) != crc:
        raise CorruptLogError(f"document {name}: its body is not what was stored")
    try:
        return decompressor.decompress(frame)
    except zstandard.ZstdError as error:
        raise CorruptLogError(f"document {name}: {error}") from error
