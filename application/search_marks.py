"""What tells, nearly always and at once, which of up to 64 names have a text that has a needle.

A mark is an array of 64-bit rows. Each of the first rows is the set of the names (a bit each)
with one of the triples of UTF-8 bytes that hash to it; the rest are bits, one for each pair of
bytes in any of the texts. Pure.
"""

import sys
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence

import attrs

Mark = array  # of "Q"; never changed once made

SLOTS = 64
"""How many names a mark tells apart."""
ALL_SLOTS = (1 << SLOTS) - 1

_ROW_BITS = 12  # of the hash of a triple
_ROWS = 1 << _ROW_BITS
_SHIFT = 32 - _ROW_BITS
_PAIRS = 1 << 14  # exact for ASCII: seven bits of each byte
_FACTOR = 2654435761  # Knuth's multiplicative hashing
_EDGE = b"\0\0\0"  # gives every pair and triple of a text a group of four on any byte order
_GROUP = 4

EMPTY_MARK: "Mark[int]" = array("Q", bytes(8 * (_ROWS + _PAIRS // SLOTS)))


@attrs.frozen
class Probe:
    """What a mark is asked for a needle: the rows of its triples, or else the bit of its pair."""

    rows: Sequence[int]
    pair: int | None


def marked(mark: "Mark[int]", texts: Iterable[tuple[int, Collection[str]]]) -> "Mark[int]":
    """A mark that finds all that *mark* does, and for each of these slots all in its texts."""
    bits = mark[:]
    known: set[int] = set()
    for slot, held in texts:
        groups = _groups(_EDGE + _EDGE.join(map(_encoded, held)) + _EDGE)
        known.update(groups)
        name = 1 << slot
        # _row, written out: a call for each would take half of the time to build an index
        for row in {(group & 0xFFFFFF) * _FACTOR >> _SHIFT & _ROWS - 1 for group in groups}:
            bits[row] |= name
    for pair in map(_pair_bit, {group & 0xFFFF for group in known}):
        bits[_ROWS + (pair >> 6)] |= 1 << (pair & 63)
    return bits


def probe(needle: str) -> Probe:
    """What to ask marks for a needle; for a single ASCII letter that is nothing."""
    raw = _encoded(needle)
    pair = _pair_bit(int.from_bytes(raw, sys.byteorder)) if len(raw) == 2 else None
    return Probe(list(dict.fromkeys(map(_row, _windows(raw, 3)))), pair)


def rarest_first(wanted: Probe, samples: Sequence["Mark[int]"]) -> Probe:
    """The same with the rows first that have the fewest names in some marks."""
    if len(wanted.rows) < 2:
        return wanted

    def names(row: int) -> int:
        return sum([mark[row].bit_count() for mark in samples])

    return Probe(sorted(wanted.rows, key=names), wanted.pair)


def slots_with(mark: "Mark[int]", wanted: Probe) -> int:
    """The set of the slots, a bit each, that may have the needle: no other has."""
    found = ALL_SLOTS
    for row in wanted.rows:
        found &= mark[row]
        if not found:
            return 0
    pair = wanted.pair
    if pair is not None and not mark[_ROWS + (pair >> 6)] >> (pair & 63) & 1:
        return 0
    return found


def slots_of(found: int) -> Iterator[int]:
    """The numbers of the slots of a set."""
    while found:
        lowest = found & -found
        yield lowest.bit_length() - 1
        found ^= lowest


def _groups(raw: bytes) -> Collection[int]:
    found: set[int] = set()
    for start in range(_GROUP):
        end = len(raw) - (len(raw) - start) % _GROUP
        found.update(array("I", raw[start:end]))
    return found


def _windows(raw: bytes, length: int) -> Iterator[int]:
    for start in range(len(raw) - length + 1):
        yield int.from_bytes(raw[start : start + length], sys.byteorder)


def _pair_bit(pair: int) -> int:
    return (pair & 0x7F) << 7 | pair >> 8 & 0x7F


def _row(triple: int) -> int:
    return triple * _FACTOR >> _SHIFT & _ROWS - 1


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
