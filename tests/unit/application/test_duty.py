"""When it is this process that does what only one may do."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from adapters.lease.memory import OwnLease
from application import duty as duty_module
from application.duty import Duty
from domain.errors import StorageUnavailableError

FULL = StorageUnavailableError("the disk is full")


class HeldLease:
    """A lease that is free when the test says so, and tells whether it is held."""

    def __init__(self) -> None:
        self.free = anyio.Event()
        self.is_held = False

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        await self.free.wait()
        self.is_held = True
        try:
            yield
        finally:
            self.is_held = False


async def settled() -> None:
    """Let all others go on for as long as they can without the test."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def test_a_process_alone_has_its_duty_from_the_start() -> None:
    """It waits for nobody."""
    duty = Duty.alone()
    assert duty.is_ours
    await duty.begun()


async def test_a_duty_begins_with_the_lease_and_lasts_with_it() -> None:
    """All is prepared when it begins, and the lease is given back at the end."""
    duty, lease, seen = Duty(), HeldLease(), list[tuple[bool, bool]]()

    async def prepare() -> None:
        seen.append((lease.is_held, duty.is_ours))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(duty.run, lease, prepare)
        await settled()
        assert (seen, duty.is_ours) == ([], False)
        lease.free.set()
        await duty.begun()
        assert (seen, duty.is_ours, lease.is_held) == ([(True, False)], True, True)
        tasks.cancel_scope.cancel()
    assert not lease.is_held


async def test_who_cannot_prepare_leaves_the_lease_to_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """For a while; then it tries again."""
    monkeypatch.setattr(duty_module, "_RETRY_SECONDS", 0)
    duty, lease, seen = Duty(), HeldLease(), list[bool]()
    lease.free.set()

    async def prepare() -> None:
        seen.append(lease.is_held)
        if len(seen) == 1:
            raise FULL

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(duty.run, lease, prepare)
        await duty.begun()
        tasks.cancel_scope.cancel()
    assert seen == [True, True]
    messages = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert messages == ["nothing is synced by this process: the disk is full"]


async def test_nobody_waits_for_a_lease_of_its_own() -> None:
    """A log in memory has one process."""
    async with OwnLease().held(), OwnLease().held():
        pass
