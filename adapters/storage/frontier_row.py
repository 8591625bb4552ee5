"""How the Merkle frontier lies in SQLite, and that it fits the log it is to grow."""

from domain.errors import CorruptLogError
from domain.identifiers import ORIGIN, Position
from domain.merkle import EMPTY_ROOT, Frontier

_HASH_BYTES = 32

SELECT = """
    SELECT coalesce(max(size), 0), coalesce(max(subtrees), x''),
           (SELECT last_position FROM commits ORDER BY commit_number DESC LIMIT 1),
           (SELECT root FROM commits ORDER BY commit_number DESC LIMIT 1)
    FROM frontier
"""
"""One row for `unpack`. One statement, so that both halves are of the same moment."""


def pack(frontier: Frontier) -> tuple[int, bytes]:
    """What `size` and `subtrees` hold."""
    return frontier.size, b"".join(frontier.subtrees)


def unpack(size: int, packed: bytes, position: Position | None, root: bytes | None) -> Frontier:
    """The inverse of `pack`, for a log that ends at *position* with *root*, or is empty.

    Raises:
        CorruptLogError: it is the frontier of another log.
    """
    starts = range(0, len(packed), _HASH_BYTES)
    frontier = Frontier(size, tuple(packed[start : start + _HASH_BYTES] for start in starts))
    found = (size, len(frontier.subtrees), frontier.root())
    if found != (position or ORIGIN, size.bit_count(), root or EMPTY_ROOT):
        raise CorruptLogError(
            f"the Merkle frontier, of {size} events, is not that of the last commit, which ends "
            f"at {position or ORIGIN}: restore the file from a backup"
        )
    return frontier
