"""How a document's body lies in storage: one zstd frame and a checksum of it."""

import threading
import zlib
from collections.abc import Iterable, Mapping, Sequence

import zstandard

from domain.errors import CorruptLogError
from domain.identifiers import DocumentHash

_LEVEL = 3

Row = tuple[DocumentHash, bytes, int]
"""A document's hash, the frame, and the CRC-32 of the frame: not every flipped bit of a frame
shows in what it decompresses to."""

_of_thread = threading.local()


def pack(bodies: Mapping[DocumentHash, bytes]) -> list[Row]:
    """Bodies as they are stored. One compressor serves all: making it costs more than using it."""
    compress = zstandard.ZstdCompressor(level=_LEVEL).compress
    frames = ((name, compress(body)) for name, body in bodies.items())
    return [(name, frame, zlib.crc32(frame)) for name, frame in frames]


def checked(rows: Iterable[Row]) -> dict[DocumentHash, bytes]:
    """The frames of rows.

    Raises:
        CorruptLogError: a frame is not what was packed; the message has its hash.
    """
    frames = {}
    for name, frame, crc in rows:
        if zlib.crc32(frame) != crc:
            raise CorruptLogError(f"document {name}: its body is not what was stored")
        frames[name] = frame
    return frames


def unpack(frames: Sequence[bytes]) -> list[bytes]:
    """The bodies of frames, in their order. Each thread has a decompressor of its own.

    Raises:
        CorruptLogError: it is no frame.
    """
    try:
        decompress = _of_thread.decompress
    except AttributeError:
        decompress = _of_thread.decompress = zstandard.ZstdDecompressor().decompress
    try:
        return [decompress(frame) for frame in frames]
    except zstandard.ZstdError as error:
        raise CorruptLogError(f"a document cannot be unpacked: {error}") from error


def unpack_rows(rows: Iterable[Row]) -> dict[DocumentHash, bytes]:
    """The inverse of `pack`.

    Raises:
        CorruptLogError
    """
    frames = checked(rows)
    return dict(zip(frames, unpack(list(frames.values())), strict=True))
