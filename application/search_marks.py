"""What tells, nearly always and at once, which names of many shelves have a text that has a needle.

The names of all shelves have numbers: that of the shelf times `SLOTS`, and the slot on it. For each
hash of three UTF-8 bytes there is the set of the names that have such bytes, as one integer with
a bit for each number, so that a few ANDs search all shelves. Pure.
"""

import sys
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import and_
from struct import unpack

import attrs

SLOTS = 64
"""How many names a shelf tells apart."""
ALL_SLOTS = (1 << SLOTS) - 1

_BYTES = SLOTS // 8  # of a shelf in a row
_ROW_BITS = 12  # of the hash of a triple
_SHIFT = 32 - _ROW_BITS
_MASK = (1 << _ROW_BITS) - 1
_FACTOR = 2654435761  # Knuth's multiplicative hashing
_EDGE = b"\0\0\0"  # gives every pair and triple of a text a group of four on any byte order
_GROUP = 4
# What a byte of a pair stands for: each bit of it for the next eight slots.
_EIGHTS = [sum(0xFF << 8 * bit for bit in range(8) if byte >> bit & 1) for byte in range(256)]


@attrs.frozen
class Marks:
    """The names that have a triple of bytes, by its hash, and those that have a pair of bytes.

    Rows of triples have a bit for each name, rows of pairs one for eight. What is in no text may
    have no row.
    """

    triples: Mapping[int, int]
    pairs: Mapping[int, int]


NO_MARKS = Marks({}, {})


def marked(marks: Marks, shelves: int, texts: Iterable[tuple[int, Collection[str]]]) -> Marks:
    """Marks of so many shelves that find all that *marks* do, and these texts by name's number."""
    triples = defaultdict[int, bytearray](lambda: bytearray(shelves * _BYTES))
    pairs = defaultdict[int, bytearray](lambda: bytearray(shelves))
    for number, held in texts:
        groups = _groups(_EDGE + _EDGE.join(map(_encoded, held)) + _EDGE)
        at, bit = number >> 3, 1 << (number & 7)
        # _row, written out: a call for each would take half of the time to build an index
        for row in {(group & 0xFFFFFF) * _FACTOR >> _SHIFT & _MASK for group in groups}:
            triples[row][at] |= bit
        at, bit = at >> 3, 1 << (at & 7)
        for pair in {group & 0xFFFF for group in groups}:
            pairs[pair][at] |= bit
    return Marks(_joined(marks.triples, triples), _joined(marks.pairs, pairs))


def moved(marks: Marks, shelves: int, laid: Mapping[int, int]) -> Marks:
    """Marks of so many shelves when some give way to others: how many for each is in *laid*.

    Nothing is found on the new ones.
    """
    ways = sorted(laid.items())
    return Marks(
        {row: _moved(bits, shelves, ways, _BYTES) for row, bits in marks.triples.items()},
        {pair: _moved(bits, shelves, ways, 1) for pair, bits in marks.pairs.items()},
    )


def slots_with(marks: Marks, shelves: int, needle: str) -> Sequence[int]:
    """For each shelf the set of the slots, a bit each, that may have a needle: no other has.

    Nothing at all where no shelf has any. A single ASCII letter may be anywhere.
    """
    raw = _encoded(needle)
    if len(raw) < 2:
        return (ALL_SLOTS,) * shelves
    if len(raw) == 2:
        eights = marks.pairs.get(int.from_bytes(raw, sys.byteorder), 0)
        return [_EIGHTS[byte] for byte in eights.to_bytes(shelves, "little")] if eights else ()
    rows = set(map(_row, _windows(raw, 3)))
    found = reduce(and_, [marks.triples.get(row, 0) for row in rows])
    return unpack(f"<{shelves}Q", found.to_bytes(shelves * _BYTES, "little")) if found else ()


def slots_of(found: int) -> Sequence[int]:
    """The numbers of the slots of a set."""
    slots: list[int] = []
    while found:
        slots.append(found.bit_length() - 1)
        found ^= 1 << slots[-1]
    return slots


def _joined(rows: Mapping[int, int], added: dict[int, bytearray]) -> Mapping[int, int]:
    """Each is let go as soon as it is added, or a new index would take twice its room."""
    joined = dict(rows)
    for row in list(added):
        joined[row] = joined.get(row, 0) | int.from_bytes(added.pop(row), "little")
    return joined


def _moved(bits: int, shelves: int, laid: Iterable[tuple[int, int]], width: int) -> int:
    raw = bits.to_bytes(shelves * width, "little")
    parts: list[bytes] = []
    done = 0
    for at, count in laid:
        parts += raw[done * width : at * width], bytes(count * width)
        done = at + 1
    return int.from_bytes(b"".join((*parts, raw[done * width :])), "little")


def _groups(raw: bytes) -> Collection[int]:
    found: set[int] = set()
    for start in range(_GROUP):
        end = len(raw) - (len(raw) - start) % _GROUP
        found.update(array("I", raw[start:end]))
    return found


def _windows(raw: bytes, length: int) -> Iterator[int]:
    for start in range(len(raw) - length + 1):
        yield int.from_bytes(raw[start : start + length], sys.byteorder)


def _row(triple: int) -> int:
    return triple * _FACTOR >> _SHIFT & _MASK


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
