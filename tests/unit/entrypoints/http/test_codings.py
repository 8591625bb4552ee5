"""What clients say of content codings, and bodies in them."""

import gzip

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from entrypoints.http.codings import GZIP, IDENTITY, ZSTD, acceptable, compressed


@pytest.mark.parametrize(
    ("header", "codings"),
    [
        (None, (IDENTITY, ZSTD, GZIP)),
        ("", (IDENTITY,)),
        ("gzip", (GZIP, IDENTITY)),
        ("gzip, deflate, br", (GZIP, IDENTITY)),
        ("GZIP , Zstd", (ZSTD, GZIP, IDENTITY)),
        ("x-gzip", (GZIP, IDENTITY)),
        ("gzip;q=1.0, zstd;q=0.5", (GZIP, ZSTD, IDENTITY)),
        ("gzip;q=0.5, identity", (IDENTITY, GZIP)),
        ("gzip;q=0", (IDENTITY,)),
        ("gzip; q=0.8, *;q=0", (GZIP,)),
        ("*", (ZSTD, GZIP, IDENTITY)),
        ("*;q=0.1, gzip", (GZIP, ZSTD, IDENTITY)),
        ("identity;q=0, gzip", (GZIP,)),
        ("identity;q=0", (IDENTITY,)),
        ("*;q=0", (IDENTITY,)),
        ("br", (IDENTITY,)),
        ("gzip;q=much", (IDENTITY,)),
        ("gzip;q=nan", (IDENTITY,)),
        ("gzip;level=9;q=0.5", (GZIP, IDENTITY)),
    ],
)
def test_the_best_coding_comes_first(header: str | None, codings: tuple[str, ...]):
    """By weight, zstd before gzip where they weigh the same, and never one that is refused."""
    assert acceptable(header) == codings


@given(st.text())
def test_any_header_leaves_something(header: str):
    """Nonsense is no reason to send nothing."""
    assert acceptable(header)


@given(st.binary())
def test_a_compressed_body_is_the_body(body: bytes):
    """In each coding, and the same bytes each time, as a strong tag says."""
    assert gzip.decompress(compressed(body, GZIP)) == body
    assert zstandard.decompress(compressed(body, ZSTD)) == body
    assert compressed(body, IDENTITY) == body
    assert compressed(body, GZIP) == compressed(body, GZIP)
