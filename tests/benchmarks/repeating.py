"""What goes on beside a measurement."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def repeating(action: Callable[[], T]) -> Iterator[list[T]]:
    """Do something again and again until the block ends; the list grows by what it gave."""
    given: list[T] = []
    ended = threading.Event()

    def repeat() -> None:
        while not ended.is_set():
            given.append(action())

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield given
    finally:
        ended.set()
        thread.join()
