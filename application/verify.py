"""Checks a whole log: every event, every commit, every document, recomputed."""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import anyio
import anyio.to_thread
import attrs

from application.log_check import LogCheck, find_damage
from domain.entry import document_hash
from domain.errors import CorruptLogError
from domain.identifiers import ORIGIN, CommitId, DocumentHash, Position
from domain.log import StoredCommit
from domain.merkle import Frontier, grow
from domain.ports.storage import Damage, StoragePort

_MOST = 2**63 - 1
_LEAVES = 50_000  # read at once: a megabyte and a half
_WORTH_A_PROCESS = 100_000  # events: checking half of them takes longer than starting one
_UNREADABLE = (CorruptLogError, TypeError)
"""Where the file itself is damaged a value may be missing, or of another type than stored."""


@attrs.frozen(kw_only=True)
class Verification:
    """What was checked, and what does not fit, the first position first.

    Of the documents so many were `redacted`: of those there is nothing to check.
    """

    events: int
    commits: int
    documents: int
    redacted: int
    root: bytes
    damages: tuple[Damage, ...]


Progress = Callable[[Position, Position], None]
"""Told how many events have been checked here, and of how many."""

Apart = Callable[[Position], Awaitable[LogCheck]]
"""Runs `check_beyond` on the same storage in a process of its own."""


async def verify(
    storage: StoragePort,
    progress: Progress = lambda _done, _all: None,
    apart: Apart | None = None,
) -> Verification:
    """Recompute positions, versions, leaves, roots and hashes, and compare.

    With *apart*, the storage itself and the second half of a long log are checked beside the rest.
    """
    found: list[Damage] = []
    commits: list[StoredCommit] = []
    try:
        async for batch in storage.commits():
            commits += batch
        found += find_damage(commits)
        border = _middle(commits)
    except _UNREADABLE as error:
        found.append(_unreadable(ORIGIN, error))
        border = ORIGIN
    if apart is None or not border:
        check, bodies = await _check_here(storage, commits, progress)
    else:
        check, bodies = await _check_in_two(storage, commits, progress, border, apart)
    found += check.damages
    found += await _document_damages(storage, check, bodies)
    return Verification(
        events=check.position,
        commits=check.commits,
        documents=len(check.named),
        redacted=len(check.redacted),
        root=check.root,
        damages=tuple(sorted(found, key=_by_position)),
    )


def _middle(commits: Sequence[StoredCommit]) -> Position:
    """Where a commit near the middle of a long log ends, ORIGIN in a short one.

    Beyond it are the fewer events, because who checks those checks the storage itself too.
    """
    ends = [commit.last_position for commit in commits]
    if not ends or ends[-1] < _WORTH_A_PROCESS:
        return ORIGIN
    return ends[bisect_left(ends, ends[-1] * 3 // 5)]


async def _check_here(
    storage: StoragePort, commits: Sequence[StoredCommit], progress: Progress
) -> tuple[LogCheck, "_Bodies"]:
    check = LogCheck(commits, Frontier())
    check.damages += await storage.self_check()
    await _walk(storage, check, _MOST, progress)
    return check, await _check_bodies(storage)


async def _check_in_two(
    storage: StoragePort,
    commits: Sequence[StoredCommit],
    progress: Progress,
    border: Position,
    apart: Apart,
) -> tuple[LogCheck, "_Bodies"]:
    check = LogCheck([c for c in commits if c.first_position <= border], Frontier())
    beyond: list[LogCheck] = []

    async def check_the_rest() -> None:
        beyond.append(await apart(border))

    async with anyio.create_task_group() as group:
        group.start_soon(check_the_rest)
        await _walk(storage, check, border, progress)
        bodies = await _check_bodies(storage)
    for later in beyond:
        check.join(later)
    return check, bodies


async def check_beyond(storage: StoragePort, border: Position) -> LogCheck:
    """The storage itself, and all events beyond a position at which a commit ends."""
    damages = await storage.self_check()
    commits = [commit async for batch in storage.commits(after=border) for commit in batch]
    frontier = Frontier()
    for start in range(ORIGIN, border, _LEAVES):
        leaves = await storage.leaf_hashes(after=start, upto=min(start + _LEAVES, border))
        frontier = grow(frontier, leaves)
    check = LogCheck(commits, frontier)
    check.damages += damages
    await _walk(storage, check, _MOST)
    return check


async def _walk(
    storage: StoragePort,
    check: LogCheck,
    upto: Position,
    progress: Progress = lambda _done, _all: None,
) -> None:
    try:
        last = min(upto, (await storage.head()).position)
        async for events in storage.read(after=check.position, upto=upto):
            await anyio.to_thread.run_sync(check.events, events)
            progress(check.position, last)
        check.end()
    except _UNREADABLE as error:
        check.damages.append(_unreadable(check.position, error))


@attrs.frozen(kw_only=True)
class _Bodies:
    """The documents that have a body, and what is amiss with some."""

    hashes: frozenset[DocumentHash]
    amiss: Sequence[tuple[DocumentHash, str]]
    unlisted: str | None = None


async def _check_bodies(storage: StoragePort) -> _Bodies:
    found: set[DocumentHash] = set()
    amiss: list[tuple[DocumentHash, str]] = []
    unlisted = None
    try:
        async for bodies in storage.all_documents():
            amiss += await _amiss(storage, bodies)
            found.update(bodies)
    except _UNREADABLE as error:
        unlisted = str(error)
    return _Bodies(hashes=frozenset(found), amiss=amiss, unlisted=unlisted)


async def _amiss(
    storage: StoragePort, bodies: Mapping[DocumentHash, bytes | None]
) -> Sequence[tuple[DocumentHash, str]]:
    """The documents that are other than their hash says."""
    read = [(known, body) for known, body in bodies.items() if body is not None]
    altered = await anyio.to_thread.run_sync(
        lambda: [known for known, body in read if document_hash(body) != known]
    )
    unread = [known for known, body in bodies.items() if body is None]
    return [
        *[(known, await _why_unread(storage, known)) for known in unread],
        *((known, f"document {known} has another body") for known in altered),
    ]


async def _why_unread(storage: StoragePort, known: DocumentHash) -> str:
    try:
        await storage.documents([known])
    except _UNREADABLE as error:
        return str(error)
    return f"document {known} cannot be found by its hash"


async def _document_damages(storage: StoragePort, check: LogCheck, bodies: _Bodies) -> list[Damage]:
    """Documents that are other than their hash says, and those that events name in vain."""
    found = [Damage(position=check.named.get(known), what=what) for known, what in bodies.amiss]
    try:
        if bodies.unlisted is not None:
            raise CorruptLogError(bodies.unlisted)
        found += _erasure_damages(check, await storage.erasures())
    except _UNREADABLE as error:
        return [*found, Damage(position=None, what=f"the documents cannot be listed: {error}")]
    return found + [
        Damage(position=position, what=f"document {known} is missing")
        for known, position in check.named.items()
        if known not in bodies.hashes and known not in check.redacted
    ]


def _erasure_damages(
    check: LogCheck, erasures: Mapping[DocumentHash, CommitId]
) -> Iterator[Damage]:
    """Where storage and log do not agree on what was redacted."""
    for known in sorted(erasures.keys() - check.redacted.keys()):
        yield Damage(
            position=check.named.get(known),
            what=f"document {known} was erased, and no event says so",
        )
    for known, event in check.redacted.items():
        if erasures.get(known) != event.commit_id:
            yield Damage(
                position=event.position,
                what=f"document {known} was redacted, and is not erased by it",
            )


def _unreadable(after: Position, error: Exception) -> Damage:
    return Damage(position=after + 1, what=f"the log cannot be read further: {error}")


def _by_position(damage: Damage) -> tuple[bool, Position]:
    return damage.position is None, damage.position or ORIGIN
