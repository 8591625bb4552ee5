"""Asks witnesses to cosign what the log has come to."""

import logging
from collections.abc import Sequence

import anyio
import attrs

from application.cosignatures import Cosignatures
from application.source_task import Pace, delay_seconds
from application.transparency import Transparency
from domain.checkpoints import Checkpoint
from domain.errors import AnnalsError, WitnessError
from domain.notes import VerifierKey, parse_signatures
from domain.ports.witness import Cosigned, OtherSize, WitnessPort

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_LONGEST_SECONDS = 300.0


@attrs.frozen
class AskedWitness:
    """A witness, and where it is asked."""

    key: VerifierKey
    port: WitnessPort


class Witnessing:
    """Each witness has a task of its own, so none waits for another."""

    def __init__(
        self,
        transparency: Transparency,
        cosignatures: Cosignatures,
        witnesses: Sequence[AskedWitness],
        pace: Pace,
    ) -> None:
        self._transparency = transparency
        self._cosignatures = cosignatures
        self._witnesses = witnesses
        self._pace = pace

    async def run(self) -> None:
        """Submit every new checkpoint until cancelled; later and later to one that fails.

        That begins with the duty of this process.
        """
        await self._pace.duty.begun()
        async with anyio.create_task_group() as tasks:
            for witness in self._witnesses:
                tasks.start_soon(self._follow, witness)

    async def _follow(self, witness: AskedWitness) -> None:
        failures = 0
        while True:
            try:
                await self.submit(witness)
                failures = 0
            except AnnalsError as error:
                failures += 1
                _log.warning("witness %s: %s", witness.key.name, error)
            await self._pace.sleep(self._delay_seconds(failures))

    def _delay_seconds(self, failures: int) -> float:
        if not failures:
            return _LOOK_SECONDS
        return delay_seconds(_LONGEST_SECONDS, failures, self._pace.chance())

    async def submit(self, witness: AskedWitness) -> None:
        """Let a witness cosign the end of the log, unless it has.

        Raises:
            WitnessError, InvalidNoteError: it did not.
        """
        head = await self._transparency.head()
        old_size = await self._cosignatures.size_of(witness.key)
        if old_size == head.size:
            return
        answer = await self._ask(witness, old_size, head)
        if isinstance(answer, OtherSize) and old_size != answer.size <= head.size:
            answer = await self._ask(witness, answer.size, head)
        if isinstance(answer, OtherSize):
            raise WitnessError(
                f"it has seen this log with {answer.size} events, and does not believe that it "
                f"became the one with {head.size}: was the data directory restored from a backup?"
            )
        await self._transparency.cosign(head.text, parse_signatures(answer.lines))

    async def _ask(
        self, witness: AskedWitness, old_size: int, head: Checkpoint
    ) -> Cosigned | OtherSize:
        proof = await self._transparency.consistency(old_size, head.size)
        note = await self._transparency.note(head)
        return await witness.port.add_checkpoint(old_size, proof, str(note))
