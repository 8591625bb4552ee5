"""SIGTERM where the server does not take it. No test here waits for a time."""

import signal
import threading

import anyio
import anyio.lowlevel
import anyio.to_thread

from entrypoints import sigterm


async def nothing() -> None:
    """A server that stops at once."""
    await anyio.lowlevel.checkpoint()


async def test_a_signal_stops_what_would_hold_up_the_server() -> None:
    """The server itself says when it stops."""
    told, stopped = anyio.Event(), anyio.Event()
    with sigterm.taken() as signals:
        assert signals

        async def send() -> None:
            signal.raise_signal(signal.SIGTERM)
            await stopped.wait()
            told.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            assert await sigterm.wait(told.wait, signals, stopped.set, 1e9)


async def test_a_server_that_heeds_no_signal_is_not_waited_for_for_ever() -> None:
    """When the grace is over, that is the end."""
    stopped = anyio.Event()
    with sigterm.taken() as signals:
        signal.raise_signal(signal.SIGTERM)
        assert not await sigterm.wait(anyio.sleep_forever, signals, stopped.set, 0)
    assert stopped.is_set()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_a_server_that_takes_the_signal_keeps_it() -> None:
    """Then it is waited for alone."""
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: seen.append(number))
    try:
        with sigterm.taken() as signals:
            assert signals is None
            signal.raise_signal(signal.SIGTERM)
            assert await sigterm.wait(nothing, signals, seen.clear, 0)
        assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_beside_the_main_thread_no_signal_is_taken() -> None:
    """None comes there."""

    def taken() -> sigterm.Signals:
        assert threading.current_thread() is not threading.main_thread()
        with sigterm.taken() as signals:
            return signals

    assert await anyio.to_thread.run_sync(taken) is None
