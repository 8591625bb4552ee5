"""What many documents have in common, as a dictionary that makes each of them smaller."""

import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec
import zstandard

FEWEST = 100  # names that are needed: what few have in common says little of those to come
_MOST = 250  # names that are looked at: more take longer, and tell nothing new
_LARGEST_BYTES = 16_384
_DICTIONARY_BYTES = 16_384
_LEVEL = 3

_SHARED_BY = 5  # names that a piece must be found under
_LONGEST = 32  # words of a piece
_WORD = re.compile(rb"[^A-Za-z0-9]*[A-Za-z0-9]+")
# Neither long nor of letters and digits: then it is no key, token or checksum.
_PLAIN = re.compile(rb"[^A-Za-z0-9]*(?:[A-Za-z]{1,24}|[0-9]{1,4})")


class _Named(msgspec.Struct):
    name: str


class Sample:
    """One document of each name, until there are enough of them."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}

    def add(self, bodies: Iterable[bytes]) -> None:
        """Keep some of *bodies*: those that are large or without a name are left out."""
        for body in bodies:
            if len(self._bodies) == _MOST:
                return
            if len(body) <= _LARGEST_BYTES and (name := _name_of(body)) is not None:
                self._bodies.setdefault(name, body)

    def bodies(self) -> Sequence[bytes]:
        """What was kept, nothing while it is not enough."""
        return list(self._bodies.values()) if len(self._bodies) >= FEWEST else []


def train(bodies: Sequence[bytes]) -> bytes | None:
    """A dictionary of pieces that five or more of *bodies* share, in no order that any of them has.

    None where they share too little. Each body is of another name: see ADR 15.
    """
    texts = [_WORD.findall(body) for body in bodies]
    shared = _shared(texts)
    samples = (_mixed(_pieces(words, shared), number) for number, words in enumerate(texts))
    try:
        trained = zstandard.train_dictionary(_DICTIONARY_BYTES, list(samples), level=_LEVEL)
        return trained.as_bytes()
    except zstandard.ZstdError:
        return None


def _name_of(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Named).name
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _shared(texts: Sequence[Sequence[bytes]]) -> set[bytes]:
    """Runs of 1, 2, 4 ... plain words that enough of *texts* have."""
    shared = {word for word in _common(map(set, texts)) if _PLAIN.fullmatch(word)}
    length = 1
    while length < _LONGEST:
        shared |= _common(_doubled(words, length, shared) for words in texts)
        length *= 2
    return shared


def _common(found: Iterable[Collection[bytes]]) -> set[bytes]:
    counts = Counter(piece for pieces in found for piece in pieces)
    return {piece for piece, count in counts.items() if count >= _SHARED_BY}


def _doubled(words: Sequence[bytes], length: int, shared: Collection[bytes]) -> set[bytes]:
    """Runs of twice *length*, both halves of which are shared."""
    starts = range(len(words) - length + 1)
    halves = [b"".join(words[start : start + length]) for start in starts]
    fits = [half in shared for half in halves]
    last = len(halves) - length
    return {
        halves[at] + halves[at + length] for at in range(last) if fits[at] and fits[at + length]
    }


def _pieces(words: Sequence[bytes], shared: Collection[bytes]) -> Iterator[bytes]:
    """The longest shared runs, from left to right; what is not shared is left out."""
    at = 0
    while at < len(words):
        length = _LONGEST
        while length and b"".join(words[at : at + length]) not in shared:
            length //= 2
        if length:
            yield b"".join(words[at : at + length])
        at += length or 1


def _mixed(pieces: Iterable[bytes], number: int) -> bytes:
    """Joined in an order that has nothing to do with the text, and is another for each number."""
    return b"".join(sorted(pieces, key=lambda piece: zlib.crc32(piece, number)))
