"""Checks half of a log in a process of its own, beside the one that checks the rest."""

import gc
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
import anyio.to_process

from application.log_check import LogCheck
from application.verify import Apart, check_beyond
from domain.identifiers import Position
from domain.ports.storage import StoragePort

OpenStorage: TypeAlias = Callable[[], Awaitable[StoragePort]]
"""Opens a storage once more, in whatever process it is called: so it must be picklable."""


def checked_apart(open_storage: OpenStorage) -> Apart:
    """For `verify` of the storage that *open_storage* opens."""

    async def check(border: Position) -> LogCheck:
        return await anyio.to_process.run_sync(_check, open_storage, border, cancellable=True)

    return check


def _check(open_storage: OpenStorage, border: Position) -> LogCheck:
    gc.disable()  # a walk over a log makes no cycles, and this process does nothing else
    return anyio.run(_open_and_check, open_storage, border)


async def _open_and_check(open_storage: OpenStorage, border: Position) -> LogCheck:
    storage = await open_storage()
    try:
        return await check_beyond(storage, border)
    finally:
        await storage.close()
