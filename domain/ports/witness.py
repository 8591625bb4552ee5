"""Who watches that a log only ever grows, and says so by cosigning its checkpoints."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import attrs

from domain.identifiers import Position


@attrs.frozen
class Cosigned:
    """The lines of signatures that a witness answered with. Nothing of them is trusted yet."""

    lines: str


@attrs.frozen
class OtherSize:
    """The witness knows another checkpoint than the old one it was told of: one of this size."""

    size: Position


WitnessAnswer: TypeAlias = Cosigned | OtherSize


class WitnessPort(Protocol):
    """A witness that is asked (C2SP tlog-witness)."""

    async def add_checkpoint(
        self, old_size: Position, proof: Sequence[bytes], note: str
    ) -> WitnessAnswer:
        """Ask for a cosignature. *proof* shows that the note's tree goes on from the old one.

        Raises:
            WitnessError: it cannot be reached, or refuses.
        """
        ...
