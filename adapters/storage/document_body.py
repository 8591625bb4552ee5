"""How a document's body lies in storage: one zstd frame and a checksum of it."""

import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import zstandard

from domain.errors import CorruptLogError
from domain.identifiers import DocumentHash

_LEVEL = 3

Row = tuple[DocumentHash, bytes, int]
"""A document's hash, the frame, and the CRC-32 of the frame: not every flipped bit of a frame
shows in what it decompresses to."""

DictionaryRow = tuple[int, bytes, int]
"""A dictionary's number, which frames name and which is in it as well, the dictionary, and the
CRC-32 of it."""

NO_DICTIONARY = 0


class Packing:
    """Bodies to frames and back, with the dictionaries of a log. Any thread may use it."""

    def __init__(self) -> None:
        self._dictionaries: dict[int, zstandard.ZstdCompressionDict] = {}
        self._newest: zstandard.ZstdCompressionDict | None = None
        self._of_thread = threading.local()

    @property
    def has_dictionary(self) -> bool:
        """Whether documents are made smaller by what others have in common with them."""
        return self._newest is not None

    def learn(self, rows: Iterable[DictionaryRow]) -> None:
        """Know these dictionaries from now on, the last of which is for bodies to come.

        Raises:
            CorruptLogError: one of them is not what was stored.
        """
        for row in rows:
            if damage := damage_of(row):
                raise CorruptLogError(damage)
            if row[0] not in self._dictionaries:
                made = zstandard.ZstdCompressionDict(row[1])
                made.precompute_compress(level=_LEVEL)
                self._dictionaries[row[0]] = made
            self._newest = self._dictionaries[row[0]]

    def unknown(self, frames: Iterable[bytes]) -> Collection[int]:
        """Which dictionaries `unpack` of these frames lacks."""
        return {NO_DICTIONARY, *map(_dictionary_of, frames)} - {
            NO_DICTIONARY,
            *self._dictionaries,
        }

    def pack(self, bodies: Mapping[DocumentHash, bytes]) -> list[Row]:
        """Bodies as they are stored. One compressor serves all: making it costs more than use."""
        compress = zstandard.ZstdCompressor(level=_LEVEL, dict_data=self._newest).compress
        frames = ((name, compress(body)) for name, body in bodies.items())
        return [(name, frame, zlib.crc32(frame)) for name, frame in frames]

    def unpack(self, frames: Sequence[bytes]) -> list[bytes]:
        """The bodies of frames, in their order.

        Raises:
            CorruptLogError: it is no frame, or its dictionary is not known.
        """
        decompressors = self._decompressors()
        try:
            return [decompressors[_dictionary_of(frame)](frame) for frame in frames]
        except KeyError as error:
            raise CorruptLogError(missing(error.args[0])) from error
        except zstandard.ZstdError as error:
            raise CorruptLogError(f"it cannot be unpacked: {error}") from error

    def _decompressors(self) -> Mapping[int, Callable[[bytes], bytes]]:
        """Those of this thread by dictionary: they are not to be used in two at once."""
        known: dict[int, Callable[[bytes], bytes]] = self._of_thread.__dict__
        if len(known) <= len(self._dictionaries):
            known[NO_DICTIONARY] = zstandard.ZstdDecompressor().decompress
            for number, dictionary in self._dictionaries.items():
                known[number] = zstandard.ZstdDecompressor(dict_data=dictionary).decompress
        return known
