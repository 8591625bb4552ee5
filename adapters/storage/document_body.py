"""How a document's body lies in storage: one zstd frame and a checksum of it."""

import threading
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import zstandard

from domain.errors import CorruptLogError
from domain.identifiers import DocumentHash

_LEVEL = 3
_NO_DICTIONARY = 0
_LOT = 50  # frames that are unpacked in one piece: fewer are not worth it

Row: TypeAlias = tuple[DocumentHash, bytes, int]
"""A document's hash, the frame, and the CRC-32 of the frame: not every flipped bit of a frame
shows in what it decompresses to."""

DictionaryRow: TypeAlias = tuple[int, bytes, int]
"""A dictionary's number, which is in it as well and in every frame that needs it, the dictionary,
and its CRC-32."""

_Decompressors: TypeAlias = Mapping[int, zstandard.ZstdDecompressor]


class Packing:
    """Bodies to frames and back, with the dictionaries of a log. Any thread may use it."""

    def __init__(self) -> None:
        self._dictionaries: Mapping[int, zstandard.ZstdCompressionDict] = {}
        self._newest: zstandard.ZstdCompressionDict | None = None
        self._of_thread = threading.local()

    @property
    def has_dictionary(self) -> bool:
        """Whether bodies are packed with what they have in common with others."""
        return self._newest is not None

    def learn(self, rows: Iterable[DictionaryRow]) -> None:
        """Know these dictionaries, the last of which is for bodies to come.

        Raises:
            CorruptLogError: one of them is not what was stored.
        """
        for row in rows:
            if damage := damage_of(row):
                raise CorruptLogError(damage)
            number, content, _ = row
            if number not in self._dictionaries:
                made = zstandard.ZstdCompressionDict(content)
                made.precompute_compress(level=_LEVEL)
                self._dictionaries = {**self._dictionaries, number: made}
            self._newest = self._dictionaries[number]

    def lacks(self, frames: Iterable[bytes]) -> bool:
        """Whether one of these frames needs a dictionary that is not known."""
        return not self._dictionaries.keys() >= _dictionaries_of(frames)

    def pack(self, bodies: Mapping[DocumentHash, bytes]) -> list[Row]:
        """Bodies as they are stored, by one compressor: making it costs more than using it."""
        compress = zstandard.ZstdCompressor(level=_LEVEL, dict_data=self._newest).compress
        frames = ((name, compress(body)) for name, body in bodies.items())
        return [(name, frame, zlib.crc32(frame)) for name, frame in frames]

    def unpack(self, frames: Sequence[bytes]) -> list[bytes]:
        """The bodies of frames, in their order.

        Raises:
            CorruptLogError: it is no frame, or its dictionary is not known.
        """
        known = self._decompressors()
        newest = known[self._newest.dict_id() if self._newest else _NO_DICTIONARY]
        try:
            if len(frames) > _LOT:
                return _all_unpacked(newest, frames)
            return [newest.decompress(frame) for frame in frames]
        except (zstandard.ZstdError, ValueError):  # another dictionary packed some, or none did
            return [_unpacked(frame, known) for frame in frames]

    def unpack_all(self, frames: Mapping[DocumentHash, bytes]) -> dict[DocumentHash, bytes]:
        """The same by hash.

        Raises:
            CorruptLogError: the message has the hash.
        """
        try:
            return dict(zip(frames, self.unpack(list(frames.values())), strict=True))
        except CorruptLogError:
            return {name: self._unpacked_of(name, frame) for name, frame in frames.items()}

    def _unpacked_of(self, name: DocumentHash, frame: bytes) -> bytes:
        try:
            return _unpacked(frame, self._decompressors())
        except CorruptLogError as error:
            raise CorruptLogError(f"document {name}: {error}") from error

    def _decompressors(self) -> _Decompressors:
        """Those of this thread by dictionary: none may be used by two at once."""
        known: dict[int, zstandard.ZstdDecompressor]
        known = self._of_thread.__dict__.setdefault("known", {})
        if len(known) <= len(self._dictionaries):
            known[_NO_DICTIONARY] = zstandard.ZstdDecompressor()
            for number, dictionary in self._dictionaries.items():
                known[number] = zstandard.ZstdDecompressor(dict_data=dictionary)
        return known


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


def dictionary_row(content: bytes) -> DictionaryRow:
    """A dictionary as it is stored."""
    return _number_of(content), content, zlib.crc32(content)


def damage_of(row: DictionaryRow) -> str | None:
    """What is wrong with a dictionary and what to do about it, None where it is as it was."""
    number, content, crc = row
    if zlib.crc32(content) == crc and _number_of(content) == number:
        return None
    return (
        f"dictionary {number} is not what was stored, and no document that needs it can be "
        "read: restore the file from a backup"
    )


def _number_of(content: bytes) -> int:
    return zstandard.ZstdCompressionDict(content).dict_id()


def _dictionaries_of(frames: Iterable[bytes]) -> set[int]:
    """What is no frame needs none."""
    numbers = set()
    for frame in frames:
        try:
            numbers.add(zstandard.get_frame_parameters(frame).dict_id)
        except zstandard.ZstdError:
            continue
    return numbers - {_NO_DICTIONARY}


def _all_unpacked(by: zstandard.ZstdDecompressor, frames: Sequence[bytes]) -> list[bytes]:
    """The interpreter is let go once for each lot. Larger ones would leave holes in the memory."""
    found: list[bytes] = []
    for start in range(0, len(frames), _LOT):
        bodies = by.multi_decompress_to_buffer(list(frames[start : start + _LOT]))
        found += [bodies[number].tobytes() for number in range(len(bodies))]
    return found


def _unpacked(frame: bytes, known: _Decompressors) -> bytes:
    try:
        return known[zstandard.get_frame_parameters(frame).dict_id].decompress(frame)
    except zstandard.ZstdError as error:
        raise CorruptLogError(f"it cannot be unpacked: {error}") from error
    except KeyError as error:
        raise CorruptLogError(
            f"dictionary {error}, which it was packed with, is missing: "
            "restore the file from a backup"
        ) from error
