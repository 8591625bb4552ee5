"""Work on the log in a process of its own, beside this one."""

from pathlib import Path

import anyio
import anyio.to_process

from adapters.clock import SystemClock
from adapters.storage.sqlite import SqliteStorage
from application.log_check import LogCheck
from application.verify import Apart, check_beyond
from domain.identifiers import Position
from entrypoints.garbage import uncollected


def checked_apart(path: Path) -> Apart:
    """For `verify` of the SQLite file at *path*."""

    async def check(border: Position) -> LogCheck:
        return await anyio.to_process.run_sync(_check, path, border, cancellable=True)

    return check


def _check(path: Path, border: Position) -> LogCheck:
    with uncollected():
        return anyio.run(_open_and_check, path, border)


async def _open_and_check(path: Path, border: Position) -> LogCheck:
    storage = await SqliteStorage.open(path, SystemClock())
    try:
        return await check_beyond(storage, border)
    finally:
        await storage.close()
