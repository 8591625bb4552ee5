"""A whole registry under everything that happens to one, held against all promises and a model."""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
from anyio.from_thread import start_blocking_portal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from adapters.storage.memory import MemoryStorage
from adapters.storage.sqlite import SqliteStorage
from application.sync import SyncOutcome
from domain.asof import AsOf, AtPosition, AtRecorded
from domain.errors import RegistryNotFoundError, SourceUnreachableError
from domain.events import SyncStage
from domain.filters import Filter, NamePattern
from domain.guards import Guards
from domain.identifiers import SourceName
from domain.log import StoredCommit
from domain.ports.storage import StoragePort
from domain.timestamps import to_rfc_3339
from tests.harness.checkers import (
    check_as_of,
    check_atomic,
    check_catalogs,
    check_contained,
    check_durable,
    check_gapless,
    check_guarded,
    check_ordered,
    check_past_views,
    check_rebuildable,
    check_repeatable,
    check_resumable,
)
from tests.harness.clock import MICROSECOND, START, SteppingClock
from tests.harness.live_view import stored_catalogs
from tests.harness.naive_registry import SILENT, NaiveCatalog, NaiveRegistries
from tests.harness.new_commits import whole_log
from tests.harness.sync_world import (
    HeldSource,
    enveloped,
    loaded_world,
    server,
    synced_source,
)

NAMES = ("fetch", "Fetch", "zé😀")
VERSIONS = ("snapshot", "2021.03.05", "1.0.0-rc.1", "1.0.0", "1.0.0+build.5", "v1.0.1", "10.0.0")
SOURCES = tuple(map(SourceName, ("one", "two", "three")))
EARLIER = START - timedelta(days=1)
RUBBISH = (b"", b"<html>", b"{}", b'{"servers":7}', b"[" * 9999)

Opener = Callable[[Path, SteppingClock], Awaitable[StoragePort]]

names = st.sampled_from(NAMES)
numbers = st.integers(0, len(SOURCES) - 1)
sources = st.sampled_from(SOURCES)
lifecycles = st.builds(
    lambda **official: {member: value for member, value in official.items() if value is not None},
    status=st.sampled_from(["active", "active", "deprecated", "deleted"]),
    statusMessage=st.sampled_from([None, None, "moved"]),
    statusChangedAt=st.sampled_from([None, to_rfc_3339(EARLIER)]),
    publishedAt=st.sampled_from([None, None, "1999-12-31T23:59:59Z", to_rfc_3339(EARLIER)]),
)


@attrs.frozen
class Put:
    """A source adds a version, or says something else about it."""

    name: str
    version: str
    title: str
    official: dict[str, Any]


@attrs.frozen
class Withdraw:
    """A source leaves out a version."""

    which: int


@attrs.frozen
class Empty:
    """A source leaves out everything."""


@attrs.frozen
class SpoilOrMend:
    """A source has an entry that has a name and nothing else, or has it no longer."""

    name: str


puts = st.builds(
    Put, names, st.sampled_from(VERSIONS), st.sampled_from(["Fetch", "Get"]), lifecycles
)
edits = st.lists(
    puts
    | puts
    | st.builds(Withdraw, st.integers(0, 5))
    | st.builds(SpoilOrMend, names)
    | st.builds(Empty),
    max_size=4,
)
registries = st.permutations(["default", "other"]).flatmap(
    lambda order: (
        st.fixed_dictionaries(
            {order[0]: st.permutations(SOURCES).map(tuple)},
            optional={order[1]: st.lists(sources, unique=True, min_size=1).map(tuple)},
        )
        | st.fixed_dictionaries(
            {
                name: st.lists(sources, unique=True, min_size=1, max_size=2).map(tuple)
                for name in order
            }
        )
    )
)


@attrs.define
class Offering:
    """What a source has to say at the moment, and how it is to be read."""

    port: HeldSource = attrs.field(factory=HeldSource)
    said: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = attrs.field(factory=dict)
    spoiled: set[str] = attrs.field(factory=set)
    excluded: frozenset[str] = frozenset()
    allow_empty: bool = False
    settings_hash: str = ""

    def edit(self, edit: Put | Withdraw | Empty | SpoilOrMend) -> None:
        match edit:
            case Put(name, version, title, official):
                self.said[name, version] = server(name, version, title=title), official
            case Withdraw(which):
                for key in list(self.said)[which : which + 1]:
                    del self.said[key]
            case Empty():
                self.said.clear()
                self.spoiled.clear()
            case SpoilOrMend(name):
                self.spoiled ^= {name}

    def items(self) -> list[Any]:
        """The payload."""
        return [
            *(enveloped(document, **official) for document, official in self.said.values()),
            *({"name": f"io.example/{name}"} for name in sorted(self.spoiled)),
        ]


class RegistryMachine(RuleBasedStateMachine):
    """Sources change, fail and lie; the clock goes back; processes come and go."""

    opener: Opener

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.path = Path(self.open.enter_context(TemporaryDirectory())) / "log.db"
        self.portal = self.open.enter_context(start_blocking_portal())
        self.clock = SteppingClock()
        self.offerings = {source: Offering() for source in SOURCES}
        self.model = NaiveRegistries()
        self.acknowledged: list[StoredCommit] = []
        self.remembered: dict[int, dict[str, bytes]] = {}

    @initialize(wanted=registries, first=st.tuples(*[st.lists(puts, max_size=5)] * len(SOURCES)))
    def start(
        self, wanted: Mapping[str, tuple[SourceName, ...]], first: tuple[list[Put], ...]
    ) -> None:
        storage = self.portal.call(type(self).opener, self.path, self.clock)
        self.world = self.portal.call(loaded_world, storage)
        self.configure(wanted)
        for number, offered in enumerate(first):
            self.sync(number, offered)

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.portal.call(self._check_to_the_end)
                self.portal.call(self.world.storage.close)
        finally:
            self.open.close()

    def source(self, number: int) -> SourceName:
        """One of those that are configured."""
        configured = self.world.projector.live.definitions.sources
        return sorted(configured)[number % len(configured)]

    @rule(number=numbers, edits=edits)
    def sync(self, number: int, edits: list[Any]) -> None:
        """A source changes in some ways, or in none, and is synced."""
        source = self.source(number)
        offering = self.offerings[source]
        for edit in edits:
            offering.edit(edit)
        offering.port.offer(*offering.items())
        outcome = self._synced(source)
        if self._is_gutted(source):
            assert outcome.failed
            assert outcome.failed.stage is SyncStage.GUARD
        else:
            assert outcome.completed
            self._model_sync(source, self.acknowledged[-1])
        self.portal.call(self._check)

    @rule(
        number=numbers,
        excluded=st.frozensets(names, max_size=2),
        allow_empty=st.booleans(),
        settings_hash=st.sampled_from(["", "elsewhere"]),
    )
    def sync_by_other_rules(
        self, number: int, excluded: frozenset[str], allow_empty: bool, settings_hash: str
    ) -> None:
        """Operators change filter, guard and settings of a source that may be as it was."""
        offering = self.offerings[self.source(number)]
        offering.excluded, offering.allow_empty = excluded, allow_empty
        offering.settings_hash = settings_hash
        self.sync(number, [])

    @rule(
        number=numbers,
        failure=st.sampled_from([SourceUnreachableError, RuntimeError]),
        late=st.booleans(),
    )
    def sync_in_vain(self, number: int, failure: type[Exception], late: bool) -> None:
        """A source cannot be read, or breaks off."""
        source = self.source(number)
        port = self.offerings[source].port
        port.offer(server("never-seen"))
        port.failure, port.late_failure = (None, failure()) if late else (failure(), None)
        outcome = self._synced(source)
        port.failure = port.late_failure = None
        assert outcome.failed
        assert outcome.failed.stage is SyncStage.FETCH
        self.portal.call(self._check)

    @rule(number=numbers, rubbish=st.sampled_from(RUBBISH))
    def sync_rubbish(self, number: int, rubbish: bytes) -> None:
        """A source sends something else than a registry."""
        source = self.source(number)
        self.offerings[source].port.payloads = [rubbish]
        outcome = self._synced(source)
        assert outcome.failed
        assert outcome.failed.stage is SyncStage.PARSE
        self.portal.call(self._check)

    @rule(wanted=registries)
    def configure(self, wanted: Mapping[str, tuple[SourceName, ...]]) -> None:
        """Registries change or come in another order, sources are added and retired."""
        settings = {source: self.offerings[source].settings_hash for source in SOURCES}
        events = self.portal.call(lambda: self.world.configure(wanted, **settings))
        assert self.portal.call(lambda: self.world.configure(wanted, **settings)) == ()
        if events:
            self._acknowledge()
            self._model_configuration(wanted, self.acknowledged[-1])
        self.portal.call(self._check)

    @rule(back=st.sampled_from([MICROSECOND, timedelta(seconds=2), timedelta(days=1)]))
    def clock_goes_back(self, back: timedelta) -> None:
        self.clock.at -= back

    @rule(rebuild=st.booleans())
    def restart(self, rebuild: bool) -> None:
        """Another process takes over, with the views as they are or with new ones."""
        if rebuild:
            self.portal.call(check_rebuildable, self.world.storage)
        self.portal.call(self._restart)
        self.portal.call(self._check)

    @rule(step=st.integers(0, 100))
    def die(self, step: int) -> None:
        """A process dies over the views, at whichever step."""
        self.portal.call(check_resumable, self.world.storage, [step])

    @rule(which=st.integers(0, 99), by_time=st.booleans())
    def look_back(self, which: int, by_time: bool) -> None:
        """What was answered once is answered again, by its time or its position."""
        commit = self.acknowledged[which % len(self.acknowledged)]
        self.portal.call(
            self._look_back,
            AtRecorded(commit.recorded_at) if by_time else AtPosition(commit.last_position),
            self.remembered[commit.last_position],
        )

    # What of it a model knows.

    def _kept(self, source: SourceName) -> dict[tuple[str, str, str], tuple[Any, dict[str, Any]]]:
        offering = self.offerings[source]
        return {
            ("server", document["name"], document["version"]): (document, _said(official))
            for (name, _), (document, official) in offering.said.items()
            if name not in offering.excluded
        }

    def _model_sync(self, source: SourceName, commit: StoredCommit) -> None:
        catalog = self.model.catalogs.setdefault(source, NaiveCatalog())
        kept = self._kept(source)
        for key in list(catalog.rows):
            if key not in kept and not self._stays(source, key):
                catalog.drop(key)
        for key, (document, said) in kept.items():
            catalog.put(key, document, said, commit.recorded_at)
        self.model.settle(commit.recorded_at)

    def _stays(self, source: SourceName, key: tuple[str, str, str]) -> bool:
        """What could not be read this time stays as it was, unless the filter takes it out."""
        return _short(key) in self.offerings[source].spoiled and not self._is_filtered(source, key)

    def _is_filtered(self, source: SourceName, key: tuple[str, str, str]) -> bool:
        """Only what the source does offer can be filtered."""
        offering = self.offerings[source]
        return _short(key) in offering.excluded and (_short(key), key[2]) in offering.said

    def _is_gutted(self, source: SourceName) -> bool:
        """Whether nothing would be left of any name, by no choice of the operator's."""
        catalog = self.model.catalogs.get(source, NaiveCatalog())
        before = {key[1] for key in catalog.rows}
        left = {key[1] for key in self._kept(source)} | {
            key[1]
            for key in catalog.rows
            if self._stays(source, key) or self._is_filtered(source, key)
        }
        return bool(before) and not before & left and not self.offerings[source].allow_empty

    def _model_configuration(
        self, wanted: Mapping[str, tuple[SourceName, ...]], commit: StoredCommit
    ) -> None:
        configured = {source for sources in wanted.values() for source in sources}
        for source, catalog in self.model.catalogs.items():
            if source not in configured:
                catalog.rows.clear()
        self.model.define(wanted)
        self.model.settle(commit.recorded_at)

    # What must hold.

    def _synced(self, source: SourceName) -> SyncOutcome:
        offering = self.offerings[source]
        before = self.portal.call(stored_catalogs, self.world.storage)
        outcome = self.portal.call(
            self.world.syncer.sync,
            synced_source(
                offering.port,
                source,
                filter=Filter(
                    exclude_names=tuple(NamePattern(name) for name in sorted(offering.excluded))
                ),
                guards=Guards(allow_empty=offering.allow_empty),
                settings_hash=offering.settings_hash,
            ),
        )
        after = self.portal.call(stored_catalogs, self.world.storage)
        check_contained(before, after, outcome)
        self._acknowledge()
        assert self.acknowledged[-1].last_position == outcome.position
        return outcome

    def _acknowledge(self) -> None:
        commits, _ = self.portal.call(whole_log, self.world.storage)
        self.acknowledged.append(commits[-1])

    async def _check(self) -> None:
        storage = self.world.storage
        commits, events = await whole_log(storage)
        check_ordered(commits, events)
        check_gapless(commits, events)
        check_durable(self.acknowledged, commits)
        check_catalogs(await stored_catalogs(storage), events)
        answers = {name: await self.world.answer(name) for name in self.model.sources}
        for name, answer in answers.items():
            assert json.loads(answer)["servers"] == self.model.serve(name)
        head = commits[-1].last_position
        self.remembered.setdefault(head, answers)
        await self._look_back(AtPosition(head), answers)

    async def _look_back(self, moment: AsOf, answers: Mapping[str, bytes]) -> None:
        for name in ("default", "other"):
            try:
                assert await self.world.answer_at(moment, name) == answers[name]
            except RegistryNotFoundError:
                assert name not in answers

    async def _restart(self) -> None:
        if isinstance(self.world.storage, SqliteStorage):
            await self.world.storage.close()
            storage = await type(self).opener(self.path, self.clock)
        else:
            storage = self.world.storage
        self.world = await loaded_world(storage)

    async def _check_to_the_end(self) -> None:
        storage = self.world.storage
        await check_atomic(storage)
        await check_as_of(storage)
        await check_past_views(storage)
        await check_guarded(storage)
        for name in ("default", "other"):
            remembered = {at: seen[name] for at, seen in self.remembered.items() if name in seen}
            await check_repeatable(
                lambda position, name=name: self.world.answer_at(AtPosition(position), name),
                remembered,
            )


def _short(key: tuple[str, str, str]) -> str:
    return key[1].removeprefix("io.example/")


def _said(official: Mapping[str, Any]) -> dict[str, Any]:
    members = {
        "status": "status",
        "statusMessage": "status_message",
        "statusChangedAt": "status_changed_at",
        "publishedAt": "published_at",
    }
    return {**SILENT, **{members[member]: value for member, value in official.items()}}


async def open_memory(_path: Path, clock: SteppingClock) -> StoragePort:
    return MemoryStorage(clock)


class InMemory(RegistryMachine):
    opener = staticmethod(open_memory)


class InSqlite(RegistryMachine):
    opener = staticmethod(SqliteStorage.open)


def test_a_registry_in_memory_keeps_all_promises() -> None:
    """Whatever sources, operators and clocks do, every checker and the model agree."""
    run_state_machine_as_test(InMemory, settings=settings(max_examples=60, stateful_step_count=40))


def test_a_registry_in_sqlite_keeps_all_promises() -> None:
    """The same over a file, which is closed and opened again on the way."""
    run_state_machine_as_test(InSqlite, settings=settings(max_examples=12, stateful_step_count=40))
