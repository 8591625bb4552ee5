"""Every checker is shown a broken log, and complains: one that never does checks nothing."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.signing.ed25519 import Ed25519Signer, verify
from adapters.storage.memory import MemoryStorage
from application.cosignatures import Cosignatures
from application.projections import CATALOGS
from application.transparency import Transparency
from domain.asof import RecordedAsOf
from domain.catalog import Catalog
from domain.identifiers import ORIGIN, CommitId, Position
from domain.log import (
    AnyVersion,
    Appended,
    NewCommit,
    NewEvent,
    StoredCommit,
    StreamWrite,
)
from domain.ports.storage import View, ViewChange
from tests.harness import checkers
from tests.harness.clock import SteppingClock
from tests.harness.live_view import stored_catalogs
from tests.harness.long_log import lengthen
from tests.harness.new_commits import whole_log
from tests.harness.sync_world import (
    MAIN,
    HeldSource,
    SyncWorld,
    loaded_world,
    server,
    synced_source,
)

SIGNER = Ed25519Signer.made("example.com/log")
GOLDEN = Path(__file__).parents[1] / "golden"


class Lying:
    """A storage that answers as another one does, but for what a subclass gets wrong."""

    def __init__(self, storage: MemoryStorage) -> None:
        self.storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)


class HalfACommit(Lying):
    async def commit_at(self, as_of: RecordedAsOf) -> StoredCommit | None:
        commit = await self.storage.commit_at(as_of)
        return commit and attrs.evolve(commit, last_position=commit.last_position - 1)


class OneCommitBehind(Lying):
    async def commit_at(self, as_of: RecordedAsOf) -> StoredCommit | None:
        commit = await self.storage.commit_at(as_of)
        if commit is None:
            return None
        commits = (await whole_log(self.storage))[0]
        return commits[max(0, commits.index(commit) - 1)]


class AppendsTwice(Lying):
    async def append(self, commit: NewCommit) -> Appended:
        again = attrs.evolve(commit, commit_id=CommitId(f"{commit.commit_id}-again"))
        return await self.storage.append(again)


class TakesAnything(Lying):
    async def append(self, commit: NewCommit) -> Appended:
        writes = tuple(attrs.evolve(write, expected=AnyVersion()) for write in commit.writes)
        return await self.storage.append(attrs.evolve(commit, writes=writes))


class ForgetsCheckpoints(Lying):
    """Of views that are held whole: the catalogs would be folded for ever."""

    async def checkpoint(self, view: View) -> Position:
        return await self.storage.checkpoint(view) if view == CATALOGS.view else ORIGIN

    async def advance(
        self, view: View, changes: Sequence[ViewChange], *, after: Position, upto: Position
    ) -> bool:
        real = await self.storage.checkpoint(view)
        return await self.storage.advance(view, changes, after=real, upto=max(real, upto))


class ForgetsThePast(Lying):
    async def rows_at(
        self, view: View, position: Position, **range_: Any
    ) -> Sequence[tuple[str, bytes]]:
        return await self.storage.rows_at(view, position + 1, **range_)


class MissesAChange(Lying):
    async def row_changes(self, view: View, **range_: Any) -> Sequence[tuple[Position, str]]:
        return (await self.storage.row_changes(view, **range_))[1:]


@pytest.fixture
async def world() -> SyncWorld:
    """Three syncs: two servers listed, one of them revised, one withdrawn."""
    world, port = await loaded_world(), HeldSource(server("aa"), server("bb"))
    await world.syncer.sync(synced_source(port))
    for documents in ((server("aa", title="Other"), server("bb")), (server("bb"),)):
        later = HeldSource(*documents)
        await world.syncer.sync(synced_source(later))
    return world


async def test_order(world: SyncWorld) -> None:
    """Two events that changed places, and a commit that is no later than the one before."""
    commits, events = await whole_log(world.storage)
    checkers.check_ordered(commits, events)
    with pytest.raises(AssertionError):
        checkers.check_ordered(commits, [events[1], events[0], *events[2:]])
    stopped = attrs.evolve(commits[1], recorded_at=commits[0].recorded_at)
    with pytest.raises(AssertionError):
        checkers.check_ordered([commits[0], stopped, *commits[2:]], events)


async def test_gaps(world: SyncWorld) -> None:
    """An event that is missing, and one that took another's position."""
    commits, events = await whole_log(world.storage)
    checkers.check_gapless(commits, events)
    for broken in (events[:2] + events[3:], [events[0], *events]):
        with pytest.raises(AssertionError):
            checkers.check_gapless(commits, broken)


@pytest.mark.parametrize(
    ("checker", "liar"),
    [
        (checkers.check_atomic, HalfACommit),
        (checkers.check_as_of, OneCommitBehind),
        (checkers.check_guarded, TakesAnything),
        (checkers.check_past_views, ForgetsThePast),
        (checkers.check_past_views, MissesAChange),
        (checkers.check_resumable, ForgetsCheckpoints),
    ],
)
async def test_storages_that_break_a_promise(world: SyncWorld, checker: Any, liar: Any) -> None:
    """A storage passes, and the same one with one thing wrong does not."""
    await checker(world.storage)
    with pytest.raises(AssertionError):
        await checker(liar(world.storage))


async def test_idempotence(world: SyncWorld) -> None:
    """A storage that makes a second commit of the same one."""
    commit = await _first_commit_again(world.storage)
    await checkers.check_idempotent(world.storage, commit)
    with pytest.raises(AssertionError):
        await checkers.check_idempotent(AppendsTwice(world.storage), commit)


async def _first_commit_again(storage: Any) -> NewCommit:
    commits, events = await whole_log(storage)
    mine = [event for event in events if event.commit_id == commits[0].commit_id]
    return NewCommit(
        commit_id=commits[0].commit_id,
        writes=tuple(
            StreamWrite(
                stream=stream,
                expected=AnyVersion(),
                events=tuple(
                    NewEvent(e.type, e.schema_version, e.data) for e in mine if e.stream == stream
                ),
            )
            for stream in dict.fromkeys(event.stream for event in mine)
        ),
    )


async def test_durability(world: SyncWorld) -> None:
    """A commit that was acknowledged and is gone, and one that is another by now."""
    commits, _ = await whole_log(world.storage)
    checkers.check_durable(commits, commits)
    for kept in (commits[:-1], [*commits[:-1], attrs.evolve(commits[-1], root=b"")]):
        with pytest.raises(AssertionError):
            checkers.check_durable(commits, kept)


async def test_repetition() -> None:
    """An answer that is another one the second time."""

    async def answer(position: Position) -> bytes:
        return b"now" if position == 2 else b"then"

    await checkers.check_repeatable(answer, {1: b"then", 2: b"now"})
    with pytest.raises(AssertionError):
        await checkers.check_repeatable(answer, {1: b"then", 2: b"then"})


def told(position: Position, change: str, entry: bytes) -> bytes:
    """A change of one version, as the feed sends it."""
    version = b'{"version":"1","change":"%b","entry":%b}' % (change.encode(), entry)
    said = b'"id":"%d","position":%d,"kind":"server","name":"a"' % (position, position)
    return b'{%b,"versions":[%b]}' % (said, version)


def test_going_back() -> None:
    """A process that falls behind what it has served itself is noticed."""
    checkers.check_never_older([3, 3, 5])
    with pytest.raises(AssertionError):
        checkers.check_never_older([3, 5, 4])


def test_following() -> None:
    """A change that was lost, told twice, too early or of another entry, and a lost tombstone."""
    came, left = told(1, "added", b"1"), told(3, "removed", b"null")
    changed = told(2, "changed", b"2")
    key = ("server", "a", "1")
    listed = {1: {key: b"1"}, 2: {key: b"2"}, 3: {}}
    checkers.check_followable([came, changed, left], listed)
    early, other = told(1, "changed", b"2"), told(2, "changed", b"1")
    for broken in (
        [came, left],
        [came, changed],
        [came, changed, changed, left],
        [came, early, left],
        [came, other, left],
        [came, changed, left, told(4, "added", b"1")],
    ):
        with pytest.raises(AssertionError):
            checkers.check_followable(broken, listed)


async def test_rebuilding(world: SyncWorld) -> None:
    """A view that has lost a row."""
    await checkers.check_rebuildable(world.storage)
    position = await world.storage.checkpoint(CATALOGS.view)
    (key, _), *_ = [row async for rows in world.storage.rows(CATALOGS.view) for row in rows]
    lost = ViewChange(since=position, deletes=frozenset([key]))
    await world.storage.advance(CATALOGS.view, [lost], after=position, upto=position)
    with pytest.raises(AssertionError):
        await checkers.check_rebuildable(world.storage)


async def test_catalogs(world: SyncWorld) -> None:
    """A catalog that has not heard of an event."""
    _, events = await whole_log(world.storage)
    checkers.check_catalogs(await stored_catalogs(world.storage), events)
    told = [event for event in events if event.type != "entry.delisted"]
    with pytest.raises(AssertionError):
        checkers.check_catalogs(await stored_catalogs(world.storage), told)


async def test_provability() -> None:
    """A log that was seen to be another one, as long as it is now and shorter."""
    logs = [MemoryStorage(SteppingClock()) for _ in range(2)]
    for size in (3, 5):
        for storage, mark in zip(logs, ("", "other"), strict=True):
            await lengthen(storage, size, mark=mark)
        log, other = (Transparency(s, SIGNER, Cosignatures(s, [], verify)) for s in logs)
        seen, unseen = [await each.note(await each.head()) for each in (log, other)]
        await checkers.check_provable(log, [seen])
        with pytest.raises(AssertionError):
            await checkers.check_provable(log, [unseen])
    await lengthen(logs[0], 600)
    await checkers.check_provable(log, [seen])
    with pytest.raises(AssertionError):
        await checkers.check_provable(log, [unseen])


async def test_tampering(world: SyncWorld) -> None:
    """A log that was damaged before anybody looked."""
    commits, events = await whole_log(world.storage)
    hashes = [known async for batch in world.storage.all_documents() for known in batch]
    documents = await world.storage.documents(hashes)
    await checkers.check_tamper_evident(commits, events, documents, stride=50)
    with pytest.raises(AssertionError):
        await checkers.check_tamper_evident(commits, events, {**documents, hashes[0]: b"{}"})


def test_reading_for_ever(tmp_path: Path) -> None:
    """A payload of the corpus that was edited, and one that is gone."""
    corpus = shutil.copytree(GOLDEN, tmp_path / "golden")
    checkers.check_readable_forever(corpus)
    edited = corpus / "source.retired.1.json"
    released = edited.read_bytes()
    edited.write_bytes(released.replace(b"official", b"else"))
    with pytest.raises(AssertionError):
        checkers.check_readable_forever(corpus)
    edited.unlink()
    with pytest.raises(AssertionError):
        checkers.check_readable_forever(corpus)


async def test_containment(world: SyncWorld) -> None:
    """A failed sync that takes its source's last good entries away."""
    before = await stored_catalogs(world.storage)
    broken = HeldSource()
    broken.failure = RuntimeError("a defect")
    outcome = await world.syncer.sync(synced_source(broken))
    after = await stored_catalogs(world.storage)
    checkers.check_contained(before, after, outcome)
    with pytest.raises(AssertionError):
        checkers.check_contained(before, {**after, MAIN: Catalog()}, outcome)


def test_no_checker_is_left_out() -> None:
    """Each checker is shown something broken here, and each promise names those that check it."""
    defined = {
        name
        for name, value in vars(checkers).items()
        if name.startswith("check_") and value.__module__ == checkers.__name__
    }
    shown = set(re.findall(r"checkers\.(check_\w+)", Path(__file__).read_text(encoding="utf-8")))
    page = (GOLDEN.parents[1] / "docs" / "guarantees.md").read_text(encoding="utf-8")
    named = [set(re.findall(r"`(check_\w+)`", promise)) for promise in page.split("\n## ")[1:]]
    assert all(named)
    assert set().union(*named) == defined == shown
