"""How a document's body lies in storage: one zstd frame and a checksum of it."""

import zlib

import zstandard

from domain.errors import CorruptLogError

_LEVEL = 3


def pack(body: bytes) -> tuple[bytes, int]:
    """The frame, and the CRC-32 of the frame: not every flipped bit of a frame shows in what
    it decompresses to."""
    frame = zstandard.ZstdCompressor(level=_LEVEL).compress(body)
    return frame, zlib.crc32(frame)


def unpack(name: str, frame: bytes, checksum: int) -> bytes:
    """The inverse of `pack`.

    Raises:
        CorruptLogError: it is not what was packed; the message has *name*.
    """
    if zlib.crc32(frame) != checksum:
        raise CorruptLogError(f"document {name}: its body is not what was stored")
    try:
        return zstandard.ZstdDecompressor().decompress(frame)
    except zstandard.ZstdError as error:
        raise CorruptLogError(f"document {name}: {error}") from error
