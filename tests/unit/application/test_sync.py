"""One sync of one source, from what it offers to what the log and the status say of it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import anyio
import attrs
import pytest

from adapters.storage.memory import MemoryStorage
from application.event_log import CATALOG
from application.findings import MOST_TOLD
from application.status_report import StatusReport
from application.sync import Syncer
from domain.entry import PUBLISHER_META, TOOLHIVE_META
from domain.errors import (
    SourceContentError,
    SourceLimitError,
    SourceUnreachableError,
    StorageUnavailableError,
    WrongExpectedVersionError,
)
from domain.events import (
    CatalogEvent,
    DelistReason,
    EntryDelisted,
    EntryListed,
    EntryRevised,
    EntryStatusChanged,
    SyncCompleted,
    SyncCounts,
    SyncFailed,
    SyncStage,
)
from domain.filters import Filter, NamePattern
from domain.guards import Guards
from domain.identifiers import CommitId, DocumentHash, SourceName
from domain.log import Appended, NewCommit
from domain.ports.source import Fetched, FetchResult, Unchanged
from domain.ports.status import SourceStatus, SyncPhase
from tests.harness.clock import START, SteppingClock
from tests.harness.sync_world import (
    MAIN,
    HeldSource,
    SyncWorld,
    enveloped,
    loaded_world,
    server,
    synced_source,
)

OTHER = SourceName("other")
NO_A = Filter(exclude_names=(NamePattern("aa"),))
BROKEN_A = {**server("aa", "3.0.0"), "description": 5}


class WatchedStorage:
    """A storage that keeps what is appended, and lets others act before a catalog changes."""

    def __init__(self, storage: MemoryStorage) -> None:
        self.storage = storage
        self.appended: list[NewCommit] = []
        self.unstaged = 0
        self.staged: list[Mapping[DocumentHash, bytes]] = []
        self.others: list[Callable[[], Awaitable[Any]]] = []
        self.failure: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    async def stage(self, commit_id: CommitId, documents: Mapping[DocumentHash, bytes]) -> None:
        if documents:
            self.staged.append(documents)
        await self.storage.stage(commit_id, documents)

    async def unstage(self, commit_id: CommitId) -> None:
        self.unstaged += 1
        await self.storage.unstage(commit_id)

    async def append(self, commit: NewCommit) -> Appended:
        if self.failure:
            raise self.failure
        if self.others and any(write.stream.startswith(CATALOG) for write in commit.writes):
            await self.others.pop(0)()
        appended = await self.storage.append(commit)
        self.appended.append(commit)
        return appended


class WatchedStatus:
    """A StatusPort that keeps everything saved, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.saved: list[SourceStatus] = []

    async def save(self, _source: SourceName, status: SourceStatus) -> None:
        if self.failure:
            raise self.failure
        self.saved.append(status)

    async def load(self) -> Mapping[SourceName, SourceStatus]:
        if self.failure:
            raise self.failure
        return {MAIN: self.saved[-1]} if self.saved else {}


class HangingSource:
    """A source that never ends: in its fetch, or after its first payload."""

    def __init__(self, *, sends_first: bool) -> None:
        self.sends_first = sends_first
        self.hanging = anyio.Event()

    async def fetch(self, _known_revision: str | None) -> FetchResult:
        if not self.sends_first:
            await self._hang()
        return Fetched(revision=lambda: "1", payloads=self._payloads())

    async def _payloads(self) -> Any:
        yield b"[]"
        await self._hang()

    async def _hang(self) -> None:
        self.hanging.set()
        await anyio.sleep_forever()


class ClosingSource:
    """A source whose first page is no registry."""

    is_closed = False

    async def fetch(self, _known_revision: str | None) -> FetchResult:
        return Fetched(revision=lambda: "1", payloads=self._payloads())

    async def _payloads(self) -> Any:
        try:
            yield b"<html>"
            yield b"[]"
        finally:
            self.is_closed = True


class AlwaysUnchanged:
    """A source that breaks its promise: it is unchanged also for one who knows nothing."""

    async def fetch(self, _known_revision: str | None) -> FetchResult:
        return Unchanged()


class MeetingSource:
    """A source that answers only once another one is being asked too."""

    def __init__(self, held: HeldSource) -> None:
        self.held = held
        self.asked = anyio.Event()
        self.other: MeetingSource | None = None

    async def fetch(self, known_revision: str | None) -> FetchResult:
        assert self.other
        self.asked.set()
        await self.other.asked.wait()
        return await self.held.fetch(known_revision)


def watched_syncer(world: SyncWorld, status: WatchedStatus) -> Syncer:
    report = StatusReport(status, world.clock)  # type: ignore[arg-type]
    return Syncer(world.storage, world.log, world.projector, report)


def servers(count: int) -> list[dict[str, Any]]:
    return [server(f"s{number}") for number in range(count)]


async def catalog_events(world: SyncWorld, after: int = 0) -> list[CatalogEvent]:
    """What happened to catalogs beyond a position."""
    logged = [event.event for event in await world.events(after)]
    return [event for event in logged if isinstance(event, CatalogEvent)]


async def test_a_first_sync_lists_everything_offered() -> None:
    """What a source offers is listed, and the run itself is the last event of the commit."""
    world, port = await loaded_world(), HeldSource(server("aa"), server("bb"))
    source = synced_source(port)
    outcome = await world.syncer.sync(source)
    completed = SyncCompleted(
        revision=port.revision,
        unread=False,
        filter_hash=source.filter.hash,
        settings_hash="",
        counts=SyncCounts(listed=2),
        rejected=(),
        notes=(),
    )
    logged = await world.events()
    assert outcome.completed == logged[-1].event == completed
    assert outcome.position == logged[-1].position == 3
    assert len({event.commit_id for event in logged}) == 1
    assert await world.offered() == {"aa@1.0.0", "bb@1.0.0"}


async def test_every_kind_of_change_is_one_event() -> None:
    """A sync tells listed, revised, changed status, delisted and unchanged entries apart."""
    world, port = await loaded_world(), HeldSource(*map(server, ["same", "text", "state", "gone"]))
    first = await world.syncer.sync(synced_source(port))
    port.offer(
        server("same"),
        server("text", title="New"),
        enveloped(server("state"), status="deprecated"),
        server("new"),
    )
    second = await world.syncer.sync(synced_source(port))
    assert second.completed
    assert second.completed.counts == SyncCounts(
        listed=1, revised=1, status_changed=1, delisted=1, unchanged=1
    )
    events = await catalog_events(world, after=first.position)
    assert {type(event): event.key.name for event in events} == {
        EntryListed: "io.example/new",
        EntryRevised: "io.example/text",
        EntryStatusChanged: "io.example/state",
        EntryDelisted: "io.example/gone",
    }


async def test_an_unchanged_source_is_not_read() -> None:
    """A sync of a source at its known revision records a run that says so, and nothing else."""
    world, port = await loaded_world(), HeldSource(server("aa"), BROKEN_A)
    port.details = {"notes": ("told once",)}
    first = await world.syncer.sync(synced_source(port))
    again = await world.syncer.sync(synced_source(port))
    assert port.asked == [None, port.revision]
    assert first.completed
    assert again.completed == attrs.evolve(
        first.completed, unread=True, counts=SyncCounts(unchanged=1), rejected=(), notes=()
    )
    assert [event.event for event in await world.events(after=first.position)] == [again.completed]


async def test_a_failure_does_not_forget_the_revision() -> None:
    """After a failed sync the source is asked whether it left the last state that was read."""
    world, port = await loaded_world(), HeldSource(server("aa"))
    await world.syncer.sync(synced_source(port))
    port.failure = SourceUnreachableError("nobody is there")
    await world.syncer.sync(synced_source(port))
    port.failure = None
    outcome = await world.syncer.sync(synced_source(port))
    assert outcome.completed
    assert outcome.completed.unread


@pytest.mark.parametrize("process", ["the same process", "a new process"])
async def test_a_changed_filter_takes_effect_on_an_unchanged_source(process: str) -> None:
    """A source is read again where another filter applies, and what it takes out is filtered."""
    world, port = await loaded_world(), HeldSource(server("aa"), server("bb"))
    first = await world.syncer.sync(synced_source(port))
    if process == "a new process":
        world = await loaded_world(world.storage)
    await world.syncer.sync(synced_source(port, filter=NO_A))
    assert port.asked == [None, None]
    assert await world.offered() == {"bb@1.0.0"}
    (delisted,) = await catalog_events(world, after=first.position)
    assert isinstance(delisted, EntryDelisted)
    assert delisted.reason is DelistReason.FILTERED
    await world.syncer.sync(synced_source(port))
    assert await world.offered() == {"aa@1.0.0", "bb@1.0.0"}


async def test_changed_settings_read_an_unchanged_source_again() -> None:
    """A source at another place is read even where its revision is a known one."""
    world, port = await loaded_world(), HeldSource(server("aa"))
    await world.syncer.sync(synced_source(port, settings_hash="here"))
    moved = await world.syncer.sync(synced_source(port, settings_hash="there"))
    assert port.asked == [None, None]
    assert moved.completed
    assert (moved.completed.unread, moved.completed.settings_hash) == (False, "there")
    await world.syncer.sync(synced_source(port, settings_hash="there"))
    assert port.asked[-1] == port.revision


async def test_a_filter_may_take_out_everything() -> None:
    """The guards are about what a source withdraws, not about what was configured."""
    world, port = await loaded_world(), HeldSource(*servers(12))
    await world.syncer.sync(synced_source(port))
    nothing = Filter(exclude_names=(NamePattern("*"),))
    outcome = await world.syncer.sync(synced_source(port, filter=nothing))
    assert outcome.completed
    assert await world.offered() == set()


@pytest.mark.parametrize(
    ("before", "after", "guards"),
    [
        (1, 0, Guards()),
        (9, 0, Guards()),
        (10, 0, Guards(max_removal=1.0)),
        (10, 4, Guards()),
        (10, 4, Guards(allow_empty=True)),
        (10, 5, Guards()),
        (10, 4, Guards(max_removal=0.6)),
        (10, 9, Guards(max_removal=0.0)),
    ],
)
async def test_a_source_that_withdraws_too_much_is_not_believed(
    before: int, after: int, guards: Guards
) -> None:
    """A refused sync fails at the guard, leaves the catalog, and is refused as often as tried."""
    world, port = await loaded_world(), HeldSource(*servers(before))
    first = await world.syncer.sync(synced_source(port))
    port.offer(*servers(after))
    for _ in range(2):
        outcome = await world.syncer.sync(synced_source(port, guards=guards))
        assert outcome.failed
        assert outcome.failed.stage is SyncStage.GUARD
    assert len(await world.offered()) == before
    assert await catalog_events(world, after=first.position) == []


@pytest.mark.parametrize(
    ("before", "after", "guards"),
    [
        (0, 0, Guards()),
        (9, 1, Guards()),
        (10, 6, Guards()),
        (10, 4, Guards(max_removal=0.61)),
        (10, 1, Guards(max_removal=1.0)),
        (10, 0, Guards(allow_empty=True)),
    ],
)
async def test_a_source_may_withdraw_what_the_guards_allow(
    before: int, after: int, guards: Guards
) -> None:
    """Less than half of ten names, most of nine, or all where the operator says so."""
    world, port = await loaded_world(), HeldSource(*servers(before))
    await world.syncer.sync(synced_source(port))
    port.offer(*servers(after))
    outcome = await world.syncer.sync(synced_source(port, guards=guards))
    assert outcome.completed
    assert outcome.completed.counts.delisted == before - after


async def test_a_rejected_entry_keeps_what_was_known_of_its_name() -> None:
    """Versions of a name with a bad entry stay; they go when the source is sound without them."""
    world = await loaded_world()
    port = HeldSource(server("aa", "1.0.0"), server("aa", "2.0.0"), server("bb"), server("cc"))
    await world.syncer.sync(synced_source(port))
    port.offer(server("aa", "1.0.0"), BROKEN_A, server("bb"))
    outcome = await world.syncer.sync(synced_source(port))
    assert outcome.completed
    assert [rejected.name for rejected in outcome.completed.rejected] == ["io.example/aa"]
    assert outcome.completed.counts == SyncCounts(delisted=1, unchanged=2, rejected=1)
    assert await world.offered() == {"aa@1.0.0", "aa@2.0.0", "bb@1.0.0"}
    port.offer(server("aa", "1.0.0"), server("bb"))
    await world.syncer.sync(synced_source(port))
    assert await world.offered() == {"aa@1.0.0", "bb@1.0.0"}


async def test_warnings_are_counted_and_reject_nothing() -> None:
    """An entry with something amiss is kept; the log counts names, the outcome tells what."""
    world = await loaded_world()
    port = HeldSource(server("aa", repository={}), server("bb"))
    outcome = await world.syncer.sync(synced_source(port))
    assert outcome.completed
    assert outcome.completed.counts == SyncCounts(listed=2, warned=1)
    assert {warning.name for warning in outcome.warnings} == {"io.example/aa"}


async def test_of_two_payloads_the_first_to_have_an_entry_wins() -> None:
    """Payloads are one offer: an entry that comes twice is the one that came first."""
    world, port = await loaded_world(), HeldSource()
    pages = [HeldSource(server("aa", title="First")), HeldSource(server("aa"), server("bb"))]
    port.payloads = [payload for page in pages for payload in page.payloads]
    await world.syncer.sync(synced_source(port))
    titles = [e.title for e in await catalog_events(world) if isinstance(e, EntryListed)]
    assert titles == ["First", None]


async def test_what_a_part_does_not_mention_stays() -> None:
    """A source that sends only what changed withdraws nothing, and all else is unchanged."""
    world, port = await loaded_world(), HeldSource(*map(server, ["aa", "bb", "cc"]))
    await world.syncer.sync(synced_source(port))
    port.details = {"complete": False}
    port.offer(enveloped(server("aa"), status="deleted"), server("bb", title="New"), server("dd"))
    outcome = await world.syncer.sync(synced_source(port))
    assert outcome.completed
    assert outcome.completed.counts == SyncCounts(
        listed=1, revised=1, status_changed=1, unchanged=1
    )
    assert await world.offered() == {"aa@1.0.0", "bb@1.0.0", "cc@1.0.0", "dd@1.0.0"}


async def test_a_part_may_send_what_the_filter_takes_out_now() -> None:
    """An entry that changed so that the filter takes it out is delisted, others are not."""
    world = await loaded_world()
    tagged = {PUBLISHER_META: {TOOLHIVE_META: {"image": {"tags": ["beta"]}}}}
    no_beta = Filter(exclude_tags=("beta",))
    port = HeldSource(server("aa"), server("bb"))
    first = await world.syncer.sync(synced_source(port, filter=no_beta))
    port.details = {"complete": False}
    port.offer(server("aa", _meta=tagged), server("cc", _meta=tagged))
    await world.syncer.sync(synced_source(port, filter=no_beta))
    (delisted,) = await catalog_events(world, after=first.position)
    assert isinstance(delisted, EntryDelisted)
    assert (delisted.key.name, delisted.reason) == ("io.example/aa", DelistReason.FILTERED)


async def test_what_was_rejected_stays_rejected_until_a_part_mentions_it() -> None:
    """A run over changes tells what is still rejected of the rest, and no longer what is sound."""
    world, port = await loaded_world(), HeldSource(BROKEN_A, {**BROKEN_A, "name": "io.example/bb"})
    await world.syncer.sync(synced_source(port))
    port.details = {"complete": False}
    port.offer(server("bb"))
    outcome = await world.syncer.sync(synced_source(port))
    assert outcome.completed
    assert [rejected.name for rejected in outcome.completed.rejected] == ["io.example/aa"]
    assert outcome.completed.counts == SyncCounts(listed=1, rejected=1)
    port.offer(server("aa"))
    assert (await world.syncer.sync(synced_source(port))).completed.rejected == ()


async def test_an_entry_without_a_name_may_be_any_that_was_known() -> None:
    """While nobody knows which entry was damaged, nothing that is missing counts as withdrawn."""
    world, port = await loaded_world(), HeldSource(server("aa"), server("bb"))
    await world.syncer.sync(synced_source(port))
    port.offer(server("aa"), {"version": "1.0.0"})
    outcome = await world.syncer.sync(synced_source(port))
    assert outcome.completed
    assert (outcome.completed.counts.delisted, outcome.completed.counts.rejected) == (0, 1)
    assert await world.offered() == {"aa@1.0.0", "bb@1.0.0"}


async def test_no_more_than_a_thousand_rejected_entries_are_told() -> None:
    """A source of nothing but garbage does not fill the log with it; all of it is counted."""
    world, port = await loaded_world(), HeldSource(*[{"name": f"n{i}"} for i in range(1500)])
    outcome = await world.syncer.sync(synced_source(port))
    assert outcome.completed
    assert len(outcome.completed.rejected) == MOST_TOLD
    assert outcome.completed.counts.rejected == 1500


async def test_a_source_is_closed_when_it_is_no_longer_read() -> None:
    """Where a page is no registry, what is open for the next one is closed at once."""
    world, port = await loaded_world(), ClosingSource()
    outcome = await world.syncer.sync(attrs.evolve(synced_source(HeldSource()), port=port))
    assert outcome.failed
    assert port.is_closed


async def test_a_failed_sync_stages_nothing_for_long() -> None:
    """Documents that were kept for a commit that does not come are forgotten."""
    storage = WatchedStorage(MemoryStorage(SteppingClock()))
    world, port = await loaded_world(storage), HeldSource(server("aa"))
    port.late_failure = SourceUnreachableError("gone")
    await world.syncer.sync(synced_source(port))
    assert storage.staged
    assert storage.unstaged == 1


@pytest.mark.parametrize("payload", [b"<html>", b"", b"\xff", b'"text"'])
async def test_a_payload_that_is_no_registry_fails_at_parse(payload: bytes) -> None:
    """A source that sends something else changes nothing but the record of its syncs."""
    world, port = await loaded_world(), HeldSource(server("aa"))
    first = await world.syncer.sync(synced_source(port))
    port.payloads = [*port.payloads, payload]
    outcome = await world.syncer.sync(synced_source(port))
    assert outcome.failed
    assert outcome.failed.stage is SyncStage.PARSE
    assert outcome.failed.reason.startswith("a test: expected ")
    assert [event.event for event in await world.events(after=first.position)] == [outcome.failed]
    assert await world.offered() == {"aa@1.0.0"}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("error", [SourceUnreachableError, SourceLimitError, SourceContentError])
async def test_a_source_that_cannot_be_read_fails_at_fetch(
    error: type[Exception], late: bool
) -> None:
    """An error of the source is told in its own words, be it before or among the payloads."""
    world, port = await loaded_world(), HeldSource(server("aa"))
    setattr(port, "late_failure" if late else "failure", error("what to do"))
    outcome = await world.syncer.sync(synced_source(port))
    assert outcome.failed == SyncFailed(stage=SyncStage.FETCH, reason="what to do")
    assert [event.event for event in await world.events()] == [outcome.failed]


@pytest.mark.parametrize("late", [False, True])
async def test_a_defect_of_a_source_is_a_failed_sync(
    late: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception that nobody foresaw is recorded, and its traceback is logged."""
    world, port = await loaded_world(), HeldSource(server("aa"))
    setattr(port, "late_failure" if late else "failure", ZeroDivisionError("oops"))
    outcome = await world.syncer.sync(synced_source(port))
    assert outcome.failed
    assert outcome.failed.stage is SyncStage.FETCH
    assert "please report it: ZeroDivisionError('oops')" in outcome.failed.reason
    assert caplog.records[-1].exc_info


async def test_a_source_cannot_be_unchanged_since_never() -> None:
    """A source that claims so on its first sync has a defect."""
    world = await loaded_world()
    outcome = await world.syncer.sync(
        attrs.evolve(synced_source(HeldSource()), port=AlwaysUnchanged())
    )
    assert outcome.failed
    assert "internal error" in outcome.failed.reason


async def test_a_reason_that_is_no_unicode_can_be_recorded() -> None:
    """A path with bytes that are no UTF-8 does not keep the failure out of the log."""
    world, port = await loaded_world(), HeldSource()
    port.failure = SourceUnreachableError("/srv/\udcff: not there")
    outcome = await world.syncer.sync(synced_source(port))
    assert outcome.failed
    assert outcome.failed.reason == "/srv/?: not there"


async def test_a_sync_takes_effect_when_the_source_says() -> None:
    """The time that a source knows is the effective time of the commit."""
    world, port = await loaded_world(), HeldSource(server("aa"))
    port.details = {"effective_at": START - timedelta(days=3)}
    await world.syncer.sync(synced_source(port))
    assert {e.effective_at for e in await world.events()} == {START - timedelta(days=3)}


async def test_only_documents_of_new_hashes_are_staged() -> None:
    """A sync stages the documents of listed and revised entries and of no others."""
    storage = WatchedStorage(MemoryStorage(SteppingClock()))
    world, port = await loaded_world(storage), HeldSource(server("aa"), server("bb"), server("cc"))
    await world.syncer.sync(synced_source(port))
    port.offer(enveloped(server("aa"), status="deprecated"), server("bb"), server("cc", title="C"))
    await world.syncer.sync(synced_source(port))
    await world.syncer.sync(synced_source(port))
    assert [len(bodies) for bodies in storage.staged] == [3, 1]


async def test_a_sync_that_was_overtaken_decides_again() -> None:
    """Where another process changed the catalog meanwhile, the diff is against that catalog."""
    storage = WatchedStorage(MemoryStorage(SteppingClock()))
    world, rival = await loaded_world(storage), await loaded_world(storage.storage)
    theirs = synced_source(HeldSource(server("aa"), server("bb")))
    storage.others = [lambda: rival.syncer.sync(theirs)]
    outcome = await world.syncer.sync(synced_source(HeldSource(server("bb"), server("cc"))))
    assert outcome.completed
    assert outcome.completed.counts == SyncCounts(listed=1, delisted=1, unchanged=1)
    assert await world.offered() == {"bb@1.0.0", "cc@1.0.0"}


async def test_a_sync_that_is_overtaken_again_and_again_gives_up() -> None:
    """Three times is enough: the next sync comes anyway. The status says that this one failed."""
    storage = WatchedStorage(MemoryStorage(SteppingClock()))
    world, rival = await loaded_world(storage), await loaded_world(storage.storage)
    rivals = [synced_source(HeldSource(server("aa", f"{number}.0.0"))) for number in range(3)]
    storage.others = [lambda theirs=theirs: rival.syncer.sync(theirs) for theirs in rivals]
    with pytest.raises(WrongExpectedVersionError):
        await world.syncer.sync(synced_source(HeldSource(server("aa", "9.0.0"))))
    assert storage.appended == []
    assert await world.offered() == {"aa@2.0.0"}
    assert (await world.status.load())[MAIN].phase is SyncPhase.FAILED


async def test_a_sync_that_cannot_be_recorded_is_an_error_of_the_storage() -> None:
    """Nothing is in the log, but the status tells of the failure."""
    storage = WatchedStorage(MemoryStorage(SteppingClock()))
    world = await loaded_world(storage)
    storage.failure = StorageUnavailableError("the disk is full")
    with pytest.raises(StorageUnavailableError):
        await world.syncer.sync(synced_source(HeldSource(server("aa"))))
    status = (await world.status.load())[MAIN]
    assert (status.phase, status.message) == (SyncPhase.FAILED, "the disk is full")


@pytest.mark.parametrize("sends_first", [False, True])
async def test_a_cancelled_sync_leaves_nothing(sends_first: bool) -> None:
    """A sync that is cancelled while it reads is not in the log, and the next one is whole."""
    world, hanging = await loaded_world(), HangingSource(sends_first=sends_first)
    source = attrs.evolve(synced_source(HeldSource()), port=hanging)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.syncer.sync, source)
        await hanging.hanging.wait()
        tasks.cancel_scope.cancel()
    assert await world.events() == []
    assert (await world.syncer.sync(synced_source(HeldSource(server("aa"))))).completed


async def test_two_sources_are_synced_at_once() -> None:
    """Neither waits for the other, and both are in the log as if they had."""
    world = await loaded_world()
    one, other = MeetingSource(HeldSource(server("aa"))), MeetingSource(HeldSource(server("bb")))
    one.other, other.other = other, one
    async with anyio.create_task_group() as tasks:
        for name, port in ((MAIN, one), (OTHER, other)):
            source = attrs.evolve(synced_source(HeldSource(), name), port=port)
            tasks.start_soon(world.syncer.sync, source)
    assert await world.offered(MAIN) == {"aa@1.0.0"}
    assert await world.offered(OTHER) == {"bb@1.0.0"}
    commits = [event.commit_id for event in await world.events()]
    assert commits == [commits[0]] * 2 + [commits[2]] * 2


async def test_the_status_goes_through_its_phases_in_order() -> None:
    """Every sync is reported when it begins and when it ends, well or badly."""
    world, port, status = await loaded_world(), HeldSource(server("aa")), WatchedStatus()
    syncer = watched_syncer(world, status)
    await syncer.sync(synced_source(port))
    port.failure = SourceUnreachableError("nobody is there")
    await syncer.sync(synced_source(port))
    await syncer.sync(synced_source(port))
    assert [(saved.phase, saved.attempt_count) for saved in status.saved] == [
        (SyncPhase.SYNCING, 0),
        (SyncPhase.COMPLETE, 0),
        (SyncPhase.SYNCING, 0),
        (SyncPhase.FAILED, 1),
        (SyncPhase.SYNCING, 1),
        (SyncPhase.FAILED, 2),
    ]


@pytest.mark.parametrize("failure", [None, SourceUnreachableError("nobody is there")])
async def test_a_status_port_that_fails_fails_no_sync(failure: Exception | None) -> None:
    """The log has the run whether or not its status could be kept."""
    world, port = await loaded_world(), HeldSource(server("aa"))
    port.failure = failure
    status = WatchedStatus(StorageUnavailableError("the disk is full"))
    outcome = await watched_syncer(world, status).sync(synced_source(port))
    assert (await world.events())[-1].event == (outcome.completed or outcome.failed)
    assert bool(outcome.failed) == bool(failure)


async def test_an_overtaken_sync_that_found_nothing_new_decides_again() -> None:
    """Its revision would else stand over a catalog that another filter has cut meanwhile."""
    storage = WatchedStorage(MemoryStorage(SteppingClock()))
    world, rival = await loaded_world(storage), await loaded_world(storage.storage)
    port = HeldSource(server("aa"), server("bb"))
    await world.syncer.sync(synced_source(port, settings_hash="here"))
    theirs = synced_source(HeldSource(server("aa"), server("bb")), filter=NO_A)
    storage.others = [lambda: rival.syncer.sync(theirs)]
    await world.syncer.sync(synced_source(port, settings_hash="there"))
    assert await world.offered() == {"aa@1.0.0", "bb@1.0.0"}
