"""All that sources offered at a time, in portions that are worked on beside the event loop."""

from bisect import bisect_left
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from itertools import groupby

import anyio.to_thread
import attrs

from application.past_walk import PastSources, State, composed
from domain.composition import NamedComposition, RegistryDefinition
from domain.identifiers import EntryName, SourceName

_ROWS = 2000  # that are read at a time

_Order = tuple[str, str]
"""Kind and name: what names are ordered by."""

Portion = Sequence[tuple[EntryName, NamedComposition]]


@attrs.define
class _Feed:
    """What is left of the states of one source. Of its last name more may be to come."""

    pages: AsyncIterator[Sequence[State]]
    states: list[State] = attrs.field(factory=list)
    is_over: bool = False

    @property
    def last(self) -> _Order | None:
        return _order(self.states[-1]) if self.states else None

    async def grow(self) -> None:
        page = await anext(self.pages, None)
        if page is None:
            self.is_over = True
        else:
            self.states += page

    def take(self, before: _Order | None) -> list[State]:
        """The states of names before one, or all."""
        end = bisect_left(self.states, before, key=_order) if before else len(self.states)
        taken, self.states = self.states[:end], self.states[end:]
        return taken


async def portions(sources: PastSources) -> AsyncGenerator[Portion, None]:
    """What a registry made of every name, in their order."""
    feeds = {source: _Feed(sources.state_pages(source, _ROWS)) for source in sources.positions}
    limit: _Order | None = None
    while True:
        for feed in feeds.values():
            if not feed.is_over and feed.last in (None, limit):
                await feed.grow()
        unsure = [feed.last for feed in feeds.values() if not feed.is_over and feed.last]
        limit = min(unsure, default=None)
        taken = {source: feed.take(limit) for source, feed in feeds.items()}
        if any(taken.values()):
            yield await anyio.to_thread.run_sync(_composed_all, sources.definition, taken)
        elif limit is None:
            return


def _composed_all(
    definition: RegistryDefinition, taken: Mapping[SourceName, Iterable[State]]
) -> Portion:
    found: dict[_Order, dict[SourceName, list[State]]] = {}
    for source, states in taken.items():
        for order, named in groupby(states, key=_order):
            found.setdefault(order, {})[source] = list(named)
    names = sorted(found) if len(taken) > 1 else found
    return [(_name(found[order]), composed(definition, found[order])) for order in names]


def _name(found: Mapping[SourceName, Sequence[State]]) -> EntryName:
    return next(iter(found.values()))[0][0].entry_name


def _order(state: State) -> _Order:
    return state[0].kind, state[0].name
