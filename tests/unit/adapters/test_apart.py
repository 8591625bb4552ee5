"""Processes that are asked: what goes in and what comes out."""

import tempfile
from pathlib import Path

import pytest

from adapters.sources.apart import next_reply, worker


async def test_replies_come_whole_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has its length before it; behind the last there is none."""
    (tmp_path / "echo.py").write_text(
        "import sys\n"
        "from adapters.sources.apart import die_with_parent, write_reply\n"
        "die_with_parent()\n"
        "question = sys.stdin.buffer.read()\n"
        "for reply in (question, b'', question * 100_000):\n"
        "    write_reply(reply)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with tempfile.TemporaryFile() as complaints:
        async with worker("echo", b"asked", complaints) as (process, replies):
            found = [await next_reply(replies) for _ in range(4)]
            assert await process.wait() == 0

    assert found == [b"asked", b"", b"asked" * 100_000, None]
