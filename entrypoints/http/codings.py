"""Content codings: which of them a client takes, and bodies in them (RFC 9110, section 8.4)."""

import zlib
from collections.abc import Mapping
from functools import lru_cache

import zstandard

IDENTITY, GZIP, ZSTD = "identity", "gzip", "zstd"
_PREFERRED = (ZSTD, GZIP, IDENTITY)
_OTHER_NAMES = {"x-gzip": GZIP}
_GZIP_LEVEL, _ZSTD_LEVEL = 6, 3
_GZIP_FORMAT = 16 + zlib.MAX_WBITS


@lru_cache(maxsize=256)
def acceptable(header: str | None) -> tuple[str, ...]:
    """The codings that Accept-Encoding lets pass (RFC 9110, section 12.5.3), the best first.

    Without the header all are acceptable, but who does not say so may know none. Where a client
    takes nothing that there is, it gets what there is.
    """
    if header is None:
        return (IDENTITY, *_PREFERRED[:-1])
    weights = _weights(header)
    others = weights.get("*", 0.0)
    weighed = {coding: weights.get(coding, others) for coding in _PREFERRED}
    if IDENTITY not in weights and "*" not in weights:
        weighed[IDENTITY] = 0.0001  # acceptable, but what is named comes first
    taken = [coding for coding in _PREFERRED if weighed[coding] > 0]
    return tuple(sorted(taken, key=lambda coding: -weighed[coding])) or (IDENTITY,)


def _weights(header: str) -> Mapping[str, float]:
    weights = {}
    for part in header.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weights[_OTHER_NAMES.get(name, name)] = _weight(parameters)
    return weights


def _weight(parameters: list[str]) -> float:
    """A `q` that is no number counts as none, so that nobody gets what may be unreadable."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def compressed(body: bytes, coding: str) -> bytes:
    """A body in a coding: the same bytes each time."""
    if coding == ZSTD:
        return zstandard.compress(body, _ZSTD_LEVEL)
    if coding == GZIP:
        return zlib.compress(body, _GZIP_LEVEL, _GZIP_FORMAT)
    return body
