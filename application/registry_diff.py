"""What lies between two registries: of two moments, of two names, or both."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing

import attrs

from application.change_details import ALL_CLASSES, Compared, ServerChange, detailed
from application.documents import Documents
from application.past_walk import PastSources, TwoSides, merged_walk, sort_key
from application.projections import CATALOGS
from application.projections.catalogs import places_of
from application.served import PastRegistry
from application.view_rows import LAST_KEY
from domain.change import ChangeClass
from domain.comparison import compare
from domain.identifiers import EntryName
from domain.ports.storage import StoragePort

_AT_A_TIME = 100  # names whose documents are read and compared together
_ROWS = 1000


@attrs.frozen(kw_only=True)
class DiffPage:
    """Some differences in the order of names; `next` is the last name looked at, if any is left."""

    changes: Sequence[ServerChange]
    next: EntryName | None


class RegistryDiff:
    """Compares two registries, name by name."""

    def __init__(self, storage: StoragePort, documents: Documents) -> None:
        self._storage = storage
        self._documents = documents

    async def page(
        self,
        old: PastRegistry,
        new: PastRegistry,
        after: EntryName | None,
        limit: int,
        classes: Collection[ChangeClass] = ALL_CLASSES,
    ) -> DiffPage:
        """The first differences beyond a name."""
        found: list[ServerChange] = []
        async with aclosing(self._found(old, new, after, classes, limit)) as changes:
            async for change in changes:
                if len(found) == limit:
                    return DiffPage(changes=found, next=found[-1].name)
                found.append(change)
        return DiffPage(changes=found, next=None)

    async def everything(
        self,
        old: PastRegistry,
        new: PastRegistry,
        classes: Collection[ChangeClass] = ALL_CLASSES,
    ) -> Sequence[ServerChange]:
        """All differences."""
        return [change async for change in self._found(old, new, None, classes)]

    async def _found(
        self,
        old: PastRegistry,
        new: PastRegistry,
        after: EntryName | None,
        classes: Collection[ChangeClass],
        at_a_time: int = _AT_A_TIME,
    ) -> AsyncGenerator[ServerChange, None]:
        async with aclosing(self._compared(old, new, after)) as differing:
            async for batch in _batches(differing, min(at_a_time, _AT_A_TIME)):
                for change in await detailed(self._documents, batch):
                    if change.is_shown(classes):
                        yield change

    async def _compared(
        self, old: PastRegistry, new: PastRegistry, after: EntryName | None
    ) -> AsyncGenerator[Compared, None]:
        names = merged_walk(old.sources, new.sources, after)
        if _are_alike(old.sources, new.sources):
            names = self._touched(old, new, after)
        async with aclosing(names):
            async for name, before, now in names:
                comparisons = compare(before, now)
                if comparisons and name != after:
                    yield Compared(name=name, before=before, after=now, comparisons=comparisons)

    async def _touched(
        self, old: PastRegistry, new: PastRegistry, after: EntryName | None
    ) -> AsyncGenerator[TwoSides, None]:
        """Only the names that something was recorded of between two positions."""
        first, last = sorted((old.position, new.position))
        touched: set[EntryName] = set()
        place = (first, LAST_KEY)
        while rows := await self._storage.row_changes(
            CATALOGS.view, after=place, upto=last, limit=_ROWS
        ):
            touched.update(name for _, _, name in places_of(rows))
            place = rows[-1]
        for name in sorted(touched, key=sort_key):
            if after is None or sort_key(name) > sort_key(after):
                yield name, await old.named(name), await new.named(name)


def _are_alike(old: PastSources, new: PastSources) -> bool:
    """Whether two registries can differ only in what was recorded between their positions."""
    return old.definition == new.definition and not (old.effective or new.effective)


async def _batches(
    compared: AsyncGenerator[Compared, None], size: int
) -> AsyncGenerator[Sequence[Compared], None]:
    batch: list[Compared] = []
    async for one in compared:
        batch.append(one)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
