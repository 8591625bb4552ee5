"""What tells, nearly always and at once, that a text is in none of many texts. Pure.

A mark is a set of bits: one for each pair and each hashed triple of UTF-8 bytes in the texts.
"""

import sys
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence

Probe = tuple[int, int]
"""A byte of marks, and the bit of it that must be set."""

_PAIRS = 1 << 14  # exact for ASCII: seven bits of each byte
_TRIPLES = 1 << 16  # a 16-bit hash of each
_FACTOR = 2654435761  # Knuth's multiplicative hashing
_EDGE = b"\0\0\0"  # gives every pair and triple of a text a group of four on any byte order
_GROUP = 4

EMPTY_MARK = bytes((_PAIRS + _TRIPLES) // 8)


def marked(mark: bytes, texts: Iterable[str]) -> bytes:
    """A mark that lets all pass that *mark* does, and all that is in one of the texts."""
    groups = _groups(_EDGE + _EDGE.join(map(_encoded, texts)) + _EDGE)
    bits = bytearray(mark)
    found = {_pair_bit(pair) for pair in {group & 0xFFFF for group in groups}}
    # _triple_bit, written out: a call for each would take half of the time to build an index
    found |= {_PAIRS + ((group & 0xFFFFFF) * _FACTOR >> 16 & 0xFFFF) for group in groups}
    for at in found:
        bits[at >> 3] |= 1 << (at & 7)
    return bytes(bits)


def probes(needle: str) -> Sequence[Probe]:
    """What a mark must have for `may_hold`; none for a single ASCII letter."""
    raw = _encoded(needle)
    bits = [_triple_bit(triple) for triple in _windows(raw, 3)]
    bits += [_pair_bit(pair) for pair in _windows(raw, 2)]
    return [(at >> 3, 1 << (at & 7)) for at in dict.fromkeys(bits)]


def may_hold(mark: bytes, wanted: Sequence[Probe]) -> bool:
    """False: none of the texts of the mark has the needle. True: look."""
    for at, bit in wanted:  # noqa: SIM110 - half the time of all() with a generator
        if not mark[at] & bit:
            return False
    return True


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


def _triple_bit(triple: int) -> int:
    return _PAIRS + (triple * _FACTOR >> 16 & 0xFFFF)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
