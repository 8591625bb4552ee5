"""What every lease that processes share must do."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from adapters.clock import SystemClock
from adapters.lease.file import FileLease
from domain.ports.lease import LeasePort

Open = Callable[[], LeasePort]


@pytest.fixture(params=["file"])
def open_lease(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Makes one lease after the other, as many processes would: all are the same lease."""
    assert request.param == "file"
    return lambda: FileLease(tmp_path / "log.db-lease", SystemClock())


async def test_a_free_lease_is_had_at_once(open_lease: Open) -> None:
    """Also again, after it was given back."""
    lease = open_lease()
    with anyio.fail_after(10):
        for _ in range(2):
            async with lease.held():
                pass


async def test_at_most_one_holds_a_lease(open_lease: Open) -> None:
    """All who want it get it, one after the other."""
    holding = had = 0

    async def hold() -> None:
        nonlocal holding, had
        async with open_lease().held():
            holding, had = holding + 1, had + 1
            assert holding == 1
            await anyio.sleep(0.001)
            holding -= 1

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(hold)
    assert had == 3


async def test_whoever_waits_can_be_given_up(open_lease: Open) -> None:
    """A process that ends while it waits holds up nobody, and does not get it afterwards."""
    async with open_lease().held(), anyio.create_task_group() as tasks:
        tasks.start_soon(_hold_for_ever, open_lease())
        await anyio.sleep(0.001)
        tasks.cancel_scope.cancel()
    with anyio.fail_after(10):
        async with open_lease().held():
            pass


async def _hold_for_ever(lease: LeasePort) -> None:
    async with lease.held():
        raise AssertionError("it is held by somebody else")


async def test_a_failure_of_the_holder_frees_the_lease(open_lease: Open) -> None:
    """However the block ends."""
    with pytest.raises(ZeroDivisionError):
        async with open_lease().held():
            raise ZeroDivisionError
    with anyio.fail_after(10):
        async with open_lease().held():
            pass
