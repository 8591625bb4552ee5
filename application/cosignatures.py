"""What witnesses have cosigned: the newest checkpoint of each, kept in a view.

A witness gives a lost cosignature again, so they need no better place.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress

from domain.checkpoints import is_cosigned, parse_checkpoint
from domain.errors import InvalidNoteError
from domain.identifiers import Position
from domain.notes import Note, SignatureLine, VerifierKey, key_by, parse_note
from domain.ports.signing import VerifyPort
from domain.ports.storage import StoragePort, View, ViewChange

VIEW = View("cosignatures", 1)


class Cosignatures:
    """Takes cosignatures of the witnesses that are configured, and of nobody else."""

    def __init__(
        self, storage: StoragePort, witnesses: Sequence[VerifierKey], verify: VerifyPort
    ) -> None:
        self._storage = storage
        self._witnesses = {str(key): key for key in witnesses}
        self._verify = verify

    async def keep(self, text: str, lines: Iterable[SignatureLine]) -> Sequence[str]:
        """Keep those of *lines* that are cosignatures of a checkpoint of this log.

        A witness's later checkpoint stays. Returns the names of the witnesses; lines of others
        are passed over.

        Raises:
            InvalidNoteError: there is none, or one is forged.
        """
        found = {key: line for line in lines if (key := key_by(self._witnesses.values(), line))}
        if not found:
            known = ", ".join(key.name for key in self._witnesses.values()) or "none"
            raise InvalidNoteError(f"no cosignature of a witness of this log: expected of {known}")
        for key, line in found.items():
            if not is_cosigned(text, line, key, self._verify):
                raise InvalidNoteError(
                    f"the cosignature of {key.name} is not of this checkpoint:\n{text}"
                )
        while not await self._put(text, found):
            pass
        return [key.name for key in found]

    async def of(self, text: str) -> tuple[SignatureLine, ...]:
        """The cosignatures of the checkpoint in *text*."""
        notes = (await self._notes()).values()
        return tuple(note.signatures[0] for note in notes if note.text == text)

    async def newest(self) -> str | None:
        """The text of the newest checkpoint that has cosignatures."""
        notes = (await self._notes()).values()
        return max((note.text for note in notes), key=_size, default=None)

    async def size_of(self, witness: VerifierKey) -> Position:
        """The size that a witness has cosigned last, 0 if it never did."""
        note = (await self._notes()).get(str(witness))
        return _size(note.text) if note else 0

    async def _put(self, text: str, found: dict[VerifierKey, SignatureLine]) -> bool:
        """Whether it could be written: False is worth another try."""
        before, kept = await self._storage.checkpoint(VIEW), await self._notes()
        newer = {
            str(key): str(Note(text, (line,))).encode()
            for key, line in found.items()
            if str(key) not in kept or _size(kept[str(key)].text) <= _size(text)
        }
        change = ViewChange(since=_size(text), puts=newer)
        upto = max(before, _size(text))
        return await self._storage.advance(VIEW, [change], after=before, upto=upto)

    async def _notes(self) -> dict[str, Note]:
        notes: dict[str, Note] = {}
        async for rows in self._storage.rows(VIEW):
            for key, value in rows:
                with suppress(InvalidNoteError):  # a damaged one is as good as lost
                    notes[key] = parse_note(value)
        return {key: note for key, note in notes.items() if key in self._witnesses}


def _size(text: str) -> Position:
    return parse_checkpoint(text).size
