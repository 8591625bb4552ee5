"""Witnesses that are asked, over HTTP."""

from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from adapters.lease.memory import OwnLease
from adapters.signing.ed25519 import Ed25519Signer, verify
from adapters.storage.memory import MemoryStorage
from adapters.witnesses import HttpWitness
from application.cosignatures import VIEW, Cosignatures
from application.duty import Duty
from application.source_task import Pace
from application.transparency import Transparency
from application.witnessing import AskedWitness, Witnessing
from domain.errors import InvalidNoteError, WitnessError
from domain.notes import parse_verifier_key
from tests.harness.clock import SteppingClock
from tests.harness.hostile_server import HostileServer, answers, hostile_server
from tests.harness.long_log import lengthen
from tests.harness.witness_server import WitnessOfOneLog

LOG = Ed25519Signer.made("example.com/log")


class World:
    """A log, and a witness that answers over HTTP. `slept` are the pauses between questions."""

    def __init__(self, server: HostileServer) -> None:
        self.server = server
        self.storage = MemoryStorage(SteppingClock())
        self.slept: list[float] = []
        self.transparency = Transparency(self.storage, LOG, Cosignatures(self.storage, [], verify))
        self.witness = WitnessOfOneLog(str(self.transparency.key))
        server.answer = self.witness.answer
        self.asked = AskedWitness(
            parse_verifier_key(self.witness.verifier_key), HttpWitness(server.url("/"))
        )
        cosignatures = Cosignatures(self.storage, [self.asked.key], verify)
        self.transparency = Transparency(self.storage, LOG, cosignatures)
        pace = Pace(clock=SteppingClock(), sleep=self._sleep, chance=lambda: 0.5)
        self.witnessing = Witnessing(self.transparency, cosignatures, [self.asked], pace)

    def with_duty(self, duty: Duty) -> Witnessing:
        """In a process that may have to leave it to another."""
        pace = Pace(clock=SteppingClock(), sleep=self._sleep, duty=duty)
        cosignatures = Cosignatures(self.storage, [self.asked.key], verify)
        return Witnessing(self.transparency, cosignatures, [self.asked], pace)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await anyio.lowlevel.checkpoint()

    async def submit(self) -> None:
        await self.witnessing.submit(self.asked)

    async def cosigned_size(self) -> int:
        note = await self.transparency.witnessed()
        return int(note.text.split("\n")[1]) if note else 0


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with hostile_server() as server:
        yield World(server)


async def test_every_new_checkpoint_is_cosigned_once(world):
    """The witness is told how the log went on, and not asked again for what it has signed."""
    for size in (1, 2, 300, 301):
        await lengthen(world.storage, size)
        await world.submit()
        await world.submit()
        assert await world.cosigned_size() == world.witness.size == size
    assert len(world.server.requests) == 4
    note = await world.transparency.note(await world.transparency.head())
    assert str(note).endswith(world.witness.cosigned(note.text))


async def test_an_empty_log_is_nothing_to_cosign(world):
    """The witness hears of the log with its first event."""
    await world.submit()
    assert world.server.requests == []


async def test_a_witness_that_knows_another_checkpoint_is_told_how_the_log_went_on(world):
    """After a 409 the proof begins at the size that it names."""
    await lengthen(world.storage, 7)
    head = await world.transparency.head()
    world.witness.size, world.witness.root = head.size, head.root
    await world.submit()
    assert await world.cosigned_size() == 7
    await lengthen(world.storage, 20)
    await world.storage.drop(VIEW)
    await world.submit()
    assert await world.cosigned_size() == 20
    assert len(world.server.requests) == 4


async def test_a_witness_that_has_seen_more_is_told_of(world):
    """A log that was cut off is not cosigned, and the message says why that may be."""
    await lengthen(world.storage, 7)
    world.witness.size, world.witness.root = 8, bytes(32)
    with pytest.raises(WitnessError, match=r"with 8 events.* restored from a backup"):
        await world.submit()


async def test_a_witness_that_has_seen_another_log_refuses(world):
    """A fork is not cosigned, of the same size or of another."""
    await lengthen(world.storage, 7)
    world.witness.size, world.witness.root = 3, bytes(32)
    with pytest.raises(WitnessError, match="answered 422"):
        await world.submit()
    world.witness.size = 7
    with pytest.raises(WitnessError, match="does not believe"):
        await world.submit()
    assert await world.cosigned_size() == 0


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, b"no", "answered 500: no"),
        (409, b"many", "answered 409: many"),
        (200, b"x" * 100_000, "more than 65536 bytes"),
        (302, b"", "answered 302"),
    ],
)
async def test_a_witness_that_answers_with_something_else_is_told_of(world, status, body, message):
    """The message has what it answered."""
    await lengthen(world.storage, 1)
    world.server.misbehave(answers(status, body, Connection="close"))
    with pytest.raises(WitnessError, match=message):
        await world.submit()


@pytest.mark.parametrize("body", [b"", b"hello\n", b"\xe2\x80\x94 witness.example.com/w1 AAAA\n"])
async def test_a_witness_whose_lines_are_none_is_told_of(world, body):
    """Nothing of it is kept."""
    await lengthen(world.storage, 1)
    world.server.misbehave(answers(200, body, Connection="close"))
    with pytest.raises(InvalidNoteError):
        await world.submit()
    assert await world.cosigned_size() == 0


async def test_a_witness_that_is_away_is_told_of(world):
    """The message has its address."""
    await lengthen(world.storage, 1)
    await world.server.go_away()
    with pytest.raises(WitnessError, match=world.server.url()):
        await world.submit()


async def test_a_witness_that_fails_is_asked_ever_later(world):
    """5, 10, 20 ... seconds, then in five minutes; when it works again, with every checkpoint."""
    await lengthen(world.storage, 1)
    world.server.misbehave(answers(500, Connection="close"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.witnessing.run)
        while len(world.slept) < 9:
            await anyio.lowlevel.checkpoint()
        await world.server.behave()
        while not await world.cosigned_size():
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert world.slept[:8] == [5, 10, 20, 40, 80, 160, 300, 300]


async def test_witnesses_are_left_to_the_process_whose_duty_they_are(world):
    """Nobody is asked twice."""
    await lengthen(world.storage, 3)
    duty = Duty()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.with_duty(duty).run)
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            assert world.server.requests == []
            tasks.start_soon(duty.run, OwnLease(), anyio.lowlevel.checkpoint)
            while await world.cosigned_size() < 3:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
