"""Git sources in the hands of a test."""

import os
from contextlib import suppress
from pathlib import Path

from adapters.sources.git import MAX_BYTES, GitSettings, GitSource
from domain.ports.source import Fetched


def git_source(
    repository: object,
    cache_dir: Path,
    *,
    attempts: int = 1,
    max_bytes: int = MAX_BYTES,
    stall_seconds: float = 20.0,
    **settings: object,
) -> GitSource:
    """A source of *repository* that does not wait between its attempts."""
    return GitSource(
        settings=GitSettings(repository=str(repository), **settings),
        cache_dir=cache_dir,
        attempts=attempts,
        first_wait_seconds=0,
        max_bytes=max_bytes,
        stall_seconds=stall_seconds,
    )


async def fetch(source: GitSource, known_revision: str | None = None) -> Fetched:
    """What *source* sends, which has to be something."""
    result = await source.fetch(known_revision)
    assert isinstance(result, Fetched)
    return result


async def content(source: GitSource, known_revision: str | None = None) -> bytes:
    """The registry file that *source* sends."""
    fetched = await fetch(source, known_revision)
    return b"".join([payload async for payload in fetched.payloads])


def cached(cache_dir: Path, pattern: str) -> list[Path]:
    """What the caches of repositories below *cache_dir* hold."""
    return list(cache_dir.glob(f"git-*/{pattern}"))


def workers(of: int | None = None) -> list[int]:
    """The processes that read repositories for this one, or for another."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may end while it is looked at
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == (of or os.getpid()) and b"git_worker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def is_alive(process: int) -> bool:
    """Whether a process is there, and is no zombie."""
    with suppress(OSError):
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    return False
