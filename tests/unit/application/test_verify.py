"""A whole log, recomputed."""

import pickle
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs
import pytest

from application.log_check import LogCheck
from application.verify import check_beyond, verify
from domain.errors import CorruptLogError
from domain.identifiers import CommitId, DocumentHash, Position
from domain.log import StoredCommit, StoredEvent
from domain.merkle import EMPTY_ROOT
from domain.ports.storage import Damage, StoragePort
from tests.harness.checkers import check_tamper_evident
from tests.harness.new_commits import collect, new_commit, whole_log, write
from tests.harness.other_storages import CopiedLog, SmallBatches
from tests.harness.sync_world import HeldSource, SyncWorld, loaded_world, server, synced_source

DAY = timedelta(days=1)
Alter = Callable[[CopiedLog], CopiedLog]


@pytest.fixture
async def world() -> SyncWorld:
    """Three commits: definitions at 1 and 2, two entries at 3 to 5, a revision at 6 and 7."""
    world = await loaded_world()
    await world.configure({"default": ["main"]})
    for items in ((server("a"), server("b")), (server("a"), server("b", title="B"))):
        await world.syncer.sync(synced_source(HeldSource(*items)))
    return world


@pytest.fixture
async def copied(world: SyncWorld) -> CopiedLog:
    """A copy of that log."""
    commits, events = await whole_log(world.storage)
    hashes = await collect(world.storage.all_documents())
    assert [commit.last_position for commit in commits] == [2, 5, 7]
    return CopiedLog(
        commits_read=commits, events=events, bodies=await world.storage.documents(hashes)
    )


def event(position: Position, **changed: Any) -> Alter:
    """The event at a position is another."""
    return lambda log: attrs.evolve(
        log,
        events=[attrs.evolve(e, **changed) if e.position == position else e for e in log.events],
    )


def commit(number: int, **changed: Any) -> Alter:
    """One commit, counted from 0, is another."""
    return lambda log: attrs.evolve(
        log,
        commits_read=[
            attrs.evolve(c, **changed) if n == number else c for n, c in enumerate(log.commits_read)
        ],
    )


def order_of_events(*positions: Position) -> Alter:
    """The events are these, in that order."""
    return lambda log: attrs.evolve(log, events=[log.events[p - 1] for p in positions])


def commits_left(*numbers: int) -> Alter:
    """Only these commits are left, counted from 0."""
    return lambda log: attrs.evolve(log, commits_read=[log.commits_read[n] for n in numbers])


def went_back(log: CopiedLog) -> CopiedLog:
    """The last commit took effect before the one before."""
    return event(6, effective_at=log.events[0].effective_at - DAY)(log)


def recorded_early(log: CopiedLog) -> CopiedLog:
    """The last commit was recorded when the one before was."""
    return commit(2, recorded_at=log.commits_read[1].recorded_at)(log)


def body(position: Position, replacement: bytes | None) -> Alter:
    """The body that the event at a position names is another, or none."""

    def alter(log: CopiedLog) -> CopiedLog:
        data = log.events[position - 1].data
        (known,) = (h for h in log.bodies if f'"document_hash":"{h}"'.encode() in data)
        others = {h: found for h, found in log.bodies.items() if h != known}
        return attrs.evolve(
            log, bodies=others if replacement is None else {**others, known: replacement}
        )

    return alter


@pytest.mark.parametrize("batch_size", [1, 3, 100])
async def test_a_sound_log_has_no_damage(world: SyncWorld, batch_size: int) -> None:
    """All is counted, progress is told, and the root is that of the head."""
    told: list[tuple[Position, Position]] = []
    small = SmallBatches(world.storage, batch_size)
    found = await verify(small, lambda *progress: told.append(progress))
    assert found.damages == ()
    assert (found.events, found.commits, found.documents) == (7, 3, 3)
    assert found.root == (await world.storage.head()).root
    assert told == sorted(told)
    assert told[-1] == (7, 7)


async def test_every_byte_is_watched(copied: CopiedLog) -> None:
    """Each byte and number of each event, commit and document, changed by itself, is named."""
    await check_tamper_evident(copied.commits_read, copied.events, copied.bodies)


async def test_an_empty_log_is_sound() -> None:
    """It has the root of the empty tree."""
    found = await verify((await loaded_world()).storage)
    assert (found.events, found.commits, found.damages) == (0, 0, ())
    assert found.root == EMPTY_ROOT


OTHER = "the event is not the one that was appended"


@pytest.mark.parametrize(
    ("alter", "position", "words"),
    [
        (event(3, data=b'{"reason":"","stage":"fetch"}', type="sync.failed"), 3, OTHER),
        (event(3, data=b"{"), 3, "the payload is not that of a entry.listed"),
        (event(3, type="entry.moved"), 3, "does not know entry.moved"),
        (event(3, schema_version=2), 3, "does not know entry.listed in version 2"),
        (event(4, leaf_hash=bytes(32)), 4, OTHER),
        (event(4, leaf_hash=bytes(32)), 5, "the Merkle root"),
        (event(4, stream_version=3), 4, "stream catalog-main goes on at another version"),
        (went_back, 6, "stream catalog-main goes back in time"),
        (event(4, commit_id=CommitId("other")), 4, "the event is not of commit sync-main-"),
        (order_of_events(1, 2, 3, 5, 6, 7), 4, "the next event is at 5"),
        (order_of_events(1, 2, 4, 3, 5, 6, 7), 3, "the next event is at 4"),
        (order_of_events(1, 2, 3, 4, 5, 5, 6, 7), 6, "the next event is at 5"),
        (order_of_events(1, 2, 3, 4, 5, 6), 7, "has lost its events"),
        (order_of_events(), 1, "has lost its events"),
        (commits_left(0, 2), 3, "begins at 6, the one before ends at 2"),
        (commits_left(0, 2), 3, "does not reach this far"),
        (commits_left(0, 1), 6, "the event belongs to no commit"),
        (commits_left(1, 0, 2), 1, "begins at 3, the one before ends at 0"),
        (commit(1, first_position=4), 3, "begins at 4, the one before ends at 2"),
        (commit(1, first_position=2), 2, "begins at 2, the one before ends at 2"),
        (commit(1, last_position=4), 5, "begins at 6, the one before ends at 4"),
        (commit(1, root=bytes(32)), 5, "the Merkle root"),
        (recorded_early, 6, "the commit is not later than the one before"),
        (body(4, b"{}"), 4, "has another body"),
        (body(4, None), 4, "is missing"),
        (body(6, None), 6, "is missing"),
    ],
)
async def test_each_damage_is_named_at_its_position(
    copied: CopiedLog, alter: Alter, position: Position, words: str
) -> None:
    """What is damaged is told in words; of what came before, at most its neighbour is called so."""
    damages = (await verify(alter(copied))).damages
    assert [d for d in damages if d.position == position and words in d.what], damages
    assert damages[0].position in range(position - 1, position + 1), damages
    assert list(damages) == sorted(damages, key=lambda damage: damage.position or 0)


async def test_a_lost_event_leaves_the_later_commits_in_their_places(copied: CopiedLog) -> None:
    """Where the end of a commit is gone, the next event is still held against its own."""
    damages = (await verify(order_of_events(1, 2, 3, 4, 6, 7)(copied))).damages
    assert damages[0] == Damage(position=5, what="the next event is at 6")
    behind = [damage.what for damage in damages if damage.position == 7]
    assert [what[:15] for what in behind] == ["stream sync-mai", "the Merkle root"]


async def test_a_missing_document_is_named_where_it_is_named_first(
    world: SyncWorld, copied: CopiedLog
) -> None:
    """Not where the source came back to it later."""
    await world.syncer.sync(synced_source(HeldSource(server("a"), server("b"))))
    commits, events = await whole_log(world.storage)
    log = attrs.evolve(copied, commits_read=commits, events=events)
    (damage,) = (await verify(body(4, None)(log))).damages
    assert damage.position == 4


async def test_a_document_that_no_event_names_has_no_position(copied: CopiedLog) -> None:
    """It is checked all the same; a sound one does no harm."""
    stray = {**copied.bodies, DocumentHash("ab"): b"{}"}
    (damage,) = (await verify(attrs.evolve(copied, bodies=stray))).damages
    assert damage == Damage(position=None, what="document ab has another body")


@attrs.frozen(kw_only=True)
class BrokenLog(CopiedLog):
    """A copy of which some can no longer be read."""

    good_events: int = 100
    unreadable: frozenset[DocumentHash] = frozenset()
    not_found: frozenset[DocumentHash] = frozenset()
    lists_documents: bool = True
    own_damages: tuple[Damage, ...] = ()

    async def read(self, **_bounds: Any) -> AsyncIterator[Sequence[StoredEvent]]:
        yield self.events[: self.good_events]
        if self.good_events < len(self.events):
            raise CorruptLogError("bad page")

    async def documents(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        if bad := self.unreadable & set(hashes):
            raise CorruptLogError(f"bad body {min(bad)}")
        return {known: self.bodies[known] for known in hashes if known not in self.not_found}

    async def all_documents(self) -> AsyncIterator[Mapping[DocumentHash, bytes | None]]:
        if not self.lists_documents:
            raise CorruptLogError("bad table")
        amiss = self.unreadable | self.not_found
        yield {known: None if known in amiss else body for known, body in self.bodies.items()}

    async def self_check(self) -> Sequence[Damage]:
        return self.own_damages


def broken(log: CopiedLog, **how: Any) -> BrokenLog:
    """That copy, broken in some way."""
    return BrokenLog(commits_read=log.commits_read, events=log.events, bodies=log.bodies, **how)


async def test_what_cannot_be_read_ends_the_walk_and_not_the_check(copied: CopiedLog) -> None:
    """The position is the next one; documents are still looked at."""
    found = await verify(broken(copied, good_events=4))
    assert found.damages == (Damage(position=5, what="the log cannot be read further: bad page"),)
    assert (found.events, found.documents) == (4, 2)


async def test_one_unreadable_document_hides_no_other(copied: CopiedLog) -> None:
    """It is told why it cannot be read."""
    altered = body(3, b"{}")(copied)
    bad = DocumentHash(next(h for h in copied.bodies if h.encode() in copied.events[3].data))
    damages = (await verify(broken(altered, unreadable=frozenset({bad})))).damages
    assert [damage.position for damage in damages] == [3, 4]
    assert damages[1].what == f"bad body {bad}"


async def test_a_document_that_is_neither_read_nor_found_is_named(copied: CopiedLog) -> None:
    """A damaged index may hide it from those who ask for why."""
    lost = DocumentHash(next(h for h in copied.bodies if h.encode() in copied.events[3].data))
    (damage,) = (await verify(broken(copied, not_found=frozenset({lost})))).damages
    assert damage == Damage(position=4, what=f"document {lost} cannot be found by its hash")


async def test_documents_that_cannot_be_listed_are_told(copied: CopiedLog) -> None:
    """Without a position, because it may concern any."""
    damages = (await verify(broken(copied, lists_documents=False))).damages
    assert damages == (Damage(position=None, what="the documents cannot be listed: bad table"),)


async def test_what_the_storage_finds_itself_is_told_too(copied: CopiedLog) -> None:
    """In the order of positions, what concerns none at the end."""
    own = (Damage(position=None, what="no trigger"), Damage(position=9, what="a loose row"))
    damages = (await verify(broken(event(4, stream_version=3)(copied), own_damages=own))).damages
    assert damages[-2:] == (own[1], own[0])
    assert damages[0].position == 4


async def test_events_that_no_release_knows_are_named_in_a_real_log(world: SyncWorld) -> None:
    """A log that was well appended may still hold what cannot be read."""
    await world.storage.append(new_commit("raw", write("catalog-main", b"{}")))
    (damage,) = (await verify(world.storage)).damages
    assert damage.position == 8
    assert "the payload is not that of a entry.listed" in damage.what


async def in_two(log: StoragePort, monkeypatch: pytest.MonkeyPatch) -> tuple[Damage, ...]:
    """The damages that are found where the second half is checked by itself."""

    async def apart(border: Position) -> LogCheck:
        assert border == 5
        return pickle.loads(pickle.dumps(await check_beyond(log, border)))

    monkeypatch.setattr("application.verify._WORTH_A_PROCESS", 7)
    return (await verify(log, apart=apart)).damages


async def test_a_long_log_is_checked_in_two_parts(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What both saw comes to the same as one walk: counts, root, and no damage."""

    async def apart(border: Position) -> LogCheck:
        return await check_beyond(world.storage, border)

    monkeypatch.setattr("application.verify._WORTH_A_PROCESS", 7)
    assert await verify(world.storage, apart=apart) == await verify(world.storage)


@pytest.mark.parametrize(
    "alter",
    [
        event(2, data=b"{}"),
        event(4, leaf_hash=bytes(32)),
        event(6, stream_version=2),
        event(6, stream_version=4),
        went_back,
        event(7, data=b"{}"),
        commit(1, root=bytes(32)),
        commit(2, root=bytes(32)),
        recorded_early,
        order_of_events(1, 2, 3, 4, 5, 6),
        order_of_events(1, 2, 3, 4, 5, 7),
        body(4, b"{}"),
        body(6, None),
    ],
)
async def test_both_parts_name_what_one_walk_names(
    copied: CopiedLog, alter: Alter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage on either side of the border, or across it, is named in the same words."""
    altered = BoundedLog(**attrs.asdict(alter(copied), recurse=False))
    assert set(await in_two(altered, monkeypatch)) == set((await verify(altered)).damages) != set()


@attrs.frozen(kw_only=True)
class BoundedLog(CopiedLog):
    """A copy that is read from and up to a position, as a storage is."""

    async def read(
        self, *, after: Position = 0, upto: Position, **_: Any
    ) -> AsyncIterator[Sequence[StoredEvent]]:
        if events := [e for e in self.events if after < e.position <= upto]:
            yield events

    async def commits(self, *, after: Position = 0) -> AsyncIterator[Sequence[StoredCommit]]:
        yield [commit for commit in self.commits_read if commit.first_position > after]

    async def leaf_hashes(self, *, after: Position, upto: Position) -> Sequence[bytes]:
        return [event.leaf_hash for event in self.events[after:upto]]
