"""SIGTERM in a process whose server leaves it to the system, which ends the process at once.

Hypercorn does so in its workers, and sends it to all that are not done when the first one is.
"""

import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import anyio

Signals: TypeAlias = AsyncIterator[signal.Signals] | None


@contextmanager
def taken() -> Iterator[Signals]:
    """The signals from here on, None where the server takes them."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield None
        return
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        yield signals


async def wait(
    told: Callable[[], Awaitable[object]],
    signals: Signals,
    stop: Callable[[], None],
    grace_seconds: float,
) -> bool:
    """Wait until the server has *told* that it stops. Returns False where it never does.

    A signal lets all *stop* that would hold up the server, which is then given so long.
    """
    async with anyio.create_task_group() as tasks:

        async def give_up() -> None:
            if signals:
                await anext(signals)
                stop()
                await anyio.sleep(grace_seconds)
                tasks.cancel_scope.cancel()

        tasks.start_soon(give_up)
        await told()
        tasks.cancel_scope.cancel()
        return True
    return False
