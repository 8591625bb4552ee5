"""Content on its way to a parser: in memory while it is small, in a file when it is not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.spool import Spool, close, digest, only
from domain.ports.source import LargePayload, Payload


def spooled(folder: Path | None, large_bytes: int | None, pieces: list[bytes]) -> Payload:
    spool = Spool(folder, large_bytes)
    for piece in pieces:
        spool.add(piece)
    assert spool.size == sum(map(len, pieces))
    return spool.payload()


def content(payload: Payload) -> bytes:
    return payload if isinstance(payload, bytes) else payload.file.read()


@given(pieces=st.lists(st.binary(max_size=5), max_size=5), large_bytes=st.integers(0, 10))
def test_what_goes_in_comes_out(pieces: list[bytes], large_bytes: int) -> None:
    """Wherever it lay meanwhile; its digest is the same."""
    payload = spooled(None, large_bytes, pieces)
    whole = b"".join(pieces)

    assert isinstance(payload, LargePayload) == (len(whole) > large_bytes)
    assert digest(payload) == digest(whole)
    assert content(payload) == whole
    close(payload)


def test_without_a_bound_all_stays_in_memory() -> None:
    """What takes pages of an API apart wants bytes."""
    assert spooled(None, None, [b"x" * 2**21]) == b"x" * 2**21


def test_the_file_has_no_name(tmp_path: Path) -> None:
    """The folder is made for it, and nothing is seen there."""
    payload = spooled(tmp_path / "cache", 1, [b"large"])

    assert list((tmp_path / "cache").iterdir()) == []
    close(payload)


async def test_the_file_is_closed_when_its_payload_was_read(tmp_path: Path) -> None:
    """Nobody else has to mind it."""
    payload = spooled(tmp_path, 1, [b"large"])
    assert isinstance(payload, LargePayload)
    async for read in only(payload):
        assert read is payload
        assert not payload.file.closed
    with pytest.raises(ValueError, match="closed"):
        payload.file.read()
