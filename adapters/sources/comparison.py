"""A registry beside the memory of an earlier one: only what is new is read."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import attrs

from adapters.sources.formats.admission import Admission, Admitted, Judged, key_of, key_text
from adapters.sources.formats.opened import Opened, Slice
from adapters.sources.slice_memory import SliceMemory
from domain.events import RejectedEntry
from domain.identifiers import EntryKey


@attrs.define
class Comparison:
    """Admits a registry slice by slice, and gathers what is to be remembered of it.

    `judge` is asked for each slice that is not known, in their order.
    """

    opened: Opened
    known: SliceMemory
    judge: Callable[[Slice], Judged]
    memory: SliceMemory = attrs.field(factory=SliceMemory, init=False)
    admission: Admission = attrs.field(factory=Admission, init=False)

    @property
    def is_memorable(self) -> bool:
        """Whether the memory tells all of a registry, once all was admitted.

        What was rejected has no key, and what was not closed has no digest.
        """
        return self.admission.rejects_nothing and b"" not in self.memory.keys

    def warnings(self) -> Sequence[RejectedEntry]:
        """Those of no entry, told before all others."""
        return self.admission.warn(self.opened.warnings)

    def admitted(self) -> Iterator[Admitted]:
        """What became of each slice; of one that is as it was, its warnings alone.

        Raises:
            SourceContentError: this is no registry.
        """
        known, admit_known, path = self.known.keys, self.admission.admit_known, self._path
        remembered, warned = self.memory.keys, self.known.warnings
        for slice_ in self.opened.slices:
            digest = slice_.digest() if slice_.is_closed else b""
            key = known.get(digest)
            if key is None or not admit_known(key, partial(path, slice_)):
                yield self._admit(slice_, digest)
                continue
            remembered[digest] = key
            if digest in warned:
                yield Admitted(None, warnings=self.admission.warn(self._warned(slice_, digest)))

    def gone(self) -> tuple[EntryKey, ...]:
        """The known keys that no slice became, once all were admitted."""
        known = self.known.keys.values()
        return tuple(key_of(key) for key in known if not self.admission.has(key))

    def _admit(self, slice_: Slice, digest: bytes) -> Admitted:
        admitted = self.admission.admit(self.judge(slice_))
        if admitted.entry:
            self.memory.keys[digest] = key_text(admitted.entry.key)
        if admitted.warnings:
            self.memory.warnings[digest] = [
                attrs.evolve(told, path=told.path.removeprefix(slice_.path))
                for told in admitted.warnings
            ]
        return admitted

    def _warned(self, slice_: Slice, digest: bytes) -> Sequence[RejectedEntry]:
        told = self.memory.warnings[digest] = self.known.warnings[digest]
        return [attrs.evolve(each, path=slice_.path + each.path) for each in told]

    def _path(self, slice_: Slice) -> str:
        return self.opened.candidate(slice_).path
