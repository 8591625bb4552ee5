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
    check_rebuildable,
    check_repeatable,
    check_resumable,
)
from tests.harness.clock import MICROSECOND, START, SteppingClock
from tests.harness.naive_registry import SILENT, NaiveCatalog, NaiveRegistries
from tests.harness.new_commits import whole_log
from tests.harness.sync_world import (
    HeldSource,
    enveloped,
    loaded_world,
    server,
    synced_source,
)

NAMES = ("fetch", "fetch-2", "Fetch", "zé😀")
VERSIONS = (
    "snapshot",
    "2021.03.05",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.0+build.5",
    "v1.0.1",
    "10.0.0",
)
SOURCES = tuple(map(SourceName, ("one", "two", "three")))
EARLIER = START - timedelta(days=1)

Opener = Callable[[Path, SteppingClock], Awaitable[StoragePort]]

names = st.sampled_from(NAMES)
sources = st.sampled_from(SOURCES)
lifecycles = st.builds(
    lambda **official: {member: value for member, value in official.items() if value is not None},
    status=st.sampled_from(["active", "active", "deprecated", "deleted"]),
    statusMessage=st.sampled_from([None, None, "moved"]),
    statusChangedAt=st.sampled_from([None, to_rfc_3339(EARLIER)]),
    publishedAt=st.sampled_from([None, None, "1999-12-31T23:59:59Z", to_rfc_3339(EARLIER)]),
)
registries = st.lists(
    st.tuples(
        st.sampled_from(["default", "other"]),
        st.lists(sources, unique=True, min_size=1).map(tuple),
    ),
    min_size=1,
    unique_by=lambda registry: registry[0],
).map(dict)


@attrs.define
class Offering:
    """What a source has to say at the moment, and how it is to be read."""

    port: HeldSource = attrs.field(factory=HeldSource)
    said: dict[tuple[str, str], tuple[Any, dict[str, Any]]] = attrs.field(factory=dict)
    spoiled: set[str] = attrs.field(factory=set)
    excluded: frozenset[str] = frozenset()
    allow_empty: bool = False
    settings_hash: str = ""

    def items(self) -> list[Any]:
        """The payload: what is spoiled has a name and nothing else."""
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

    @initialize(wanted=registries)
    def start(self, wanted: Mapping[str, tuple[SourceName, ...]]) -> None:
        storage = self.portal.call(type(self).opener, self.path, self.clock)
        self.world = self.portal.call(loaded_world, storage)
        self.configure(wanted, list(wanted))

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.portal.call(self._check_to_the_end)
                self.portal.call(self.world.storage.close)
        finally:
            self.open.close()

    # What sources do, which nobody learns of before the next sync.

    @rule(
        source=sources,
        name=names,
        version=st.sampled_from(VERSIONS),
        title=st.sampled_from(["", "Fetch", "Get"]),
        official=lifecycles,
    )
    def offer(
        self, source: SourceName, name: str, version: str, title: str, official: dict[str, Any]
    ) -> None:
        self.offerings[source].said[name, version] = server(name, version, title=title), official

    @rule(source=sources, which=st.integers(0, 9))
    def withdraw(self, source: SourceName, which: int) -> None:
        said = self.offerings[source].said
        for key in list(said)[which : which + 1]:
            del said[key]

    @rule(source=sources)
    def withdraw_all(self, source: SourceName) -> None:
        self.offerings[source].said.clear()
        self.offerings[source].spoiled.clear()

    @rule(source=sources, name=names)
    def spoil_or_mend(self, source: SourceName, name: str) -> None:
        self.offerings[source].spoiled ^= {name}

    @rule(source=sources, names=st.frozensets(names, max_size=2))
    def change_filter(self, source: SourceName, names: frozenset[str]) -> None:
        self.offerings[source].excluded = names

    @rule(source=sources, allow_empty=st.booleans())
    def change_guard(self, source: SourceName, allow_empty: bool) -> None:
        self.offerings[source].allow_empty = allow_empty

    @rule(source=sources, settings_hash=st.sampled_from(["", "elsewhere"]))
    def change_settings(self, source: SourceName, settings_hash: str) -> None:
        self.offerings[source].settings_hash = settings_hash

    # What the registry does.

    @rule(source=sources)
    def sync(self, source: SourceName) -> None:
        offering = self.offerings[source]
        offering.port.offer(*offering.items())
        outcome = self._synced(source)
        refused = self._is_gutted(source)
        assert (outcome.failed is not None) == refused, outcome
        if outcome.failed:
            assert outcome.failed.stage is SyncStage.GUARD
        else:
            self._model_sync(source, self.acknowledged[-1])
        self.portal.call(self._check)

    @rule(
        source=sources,
        failure=st.sampled_from([SourceUnreachableError("no answer"), RuntimeError("a defect")]),
        late=st.booleans(),
    )
    def sync_while_unreachable(self, source: SourceName, failure: Exception, late: bool) -> None:
        port = self.offerings[source].port
        port.offer(server("never-seen"))
        port.failure, port.late_failure = (None, failure) if late else (failure, None)
        outcome = self._synced(source)
        port.failure = port.late_failure = None
        assert outcome.failed
        assert outcome.failed.stage is SyncStage.FETCH
        self.portal.call(self._check)

    @rule(
        source=sources,
        rubbish=st.sampled_from([b"", b"<html>", b"{}", b'{"servers":7}', b"[" * 9999]),
    )
    def sync_rubbish(self, source: SourceName, rubbish: bytes) -> None:
        self.offerings[source].port.payloads = [rubbish]
        outcome = self._synced(source)
        assert outcome.failed
        assert outcome.failed.stage is SyncStage.PARSE
        self.portal.call(self._check)

    @rule(wanted=registries, order=st.permutations(["default", "other"]))
    def configure(self, wanted: Mapping[str, tuple[SourceName, ...]], order: list[str]) -> None:
        """Registries change or come in another order, sources are added and retired."""
        ordered = {name: wanted[name] for name in order if name in wanted}
        settings = {source: self.offerings[source].settings_hash for source in SOURCES}
        events = self.portal.call(lambda: self.world.configure(ordered, **settings))
        assert self.portal.call(lambda: self.world.configure(ordered, **settings)) == ()
        if events:
            self._acknowledge()
            self._model_configuration(ordered, self.acknowledged[-1])
        self.portal.call(self._check)

    @rule(back=st.sampled_from([MICROSECOND, timedelta(seconds=2), timedelta(days=1)]))
    def clock_goes_back(self, back: timedelta) -> None:
        self.clock.at -= back

    @rule()
    def rebuild(self) -> None:
        self.portal.call(check_rebuildable, self.world.storage)

    @rule()
    def restart(self) -> None:
        self.portal.call(self._restart)
        self.portal.call(self._check)

    @rule(which=st.integers(0, 99), by_time=st.booleans())
    def look_back(self, which: int, by_time: bool) -> None:
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
        before = self.world.projector.live
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
        check_contained(before, self.world.projector.live, outcome)
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
        check_catalogs(self.world.projector.live.catalogs, events)
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
        await check_guarded(storage)
        await check_resumable(storage)
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
    run_state_machine_as_test(InMemory, settings=settings(max_examples=40, stateful_step_count=30))


def test_a_registry_in_sqlite_keeps_all_promises() -> None:
    """The same over a file, which is closed and opened again on the way."""
    run_state_machine_as_test(InSqlite, settings=settings(max_examples=8, stateful_step_count=25))
