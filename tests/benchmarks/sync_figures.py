"""How long syncs of 100,000 versions take, how much memory, and what requests notice of them."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count, cycle
from pathlib import Path
from typing import Any

import attrs

from tests.benchmarks import paths
from tests.benchmarks.catalogue import document, documents
from tests.benchmarks.data_sets import configured, registry_file, write_registry
from tests.benchmarks.long_history import VERSIONS
from tests.benchmarks.memory import Peaks, processor_seconds, until_at_rest, watched
from tests.benchmarks.programs import Program, serving, started, until
from tests.benchmarks.repeating import repeating
from tests.benchmarks.report import Row
from tests.benchmarks.stub_registry import VERSIONS as STUB_VERSIONS
from tests.benchmarks.wrk import Load, is_installed

_CHANGED = 100
_TIMES = 3
_PAUSE_SECONDS = 0.2  # a server that is asked all the time has less for its sync
_BESIDE_SECONDS = 4
_MOST_MIB = 400
_STUB = "tests.benchmarks.stub_registry:app"


def file_syncs(directory: Path) -> Iterator[Row]:
    """The first sync of a large file, and what follows when it changes a little or not at all."""
    configured(directory)
    variants = _Variants(directory)
    with _first_synced(directory, "file", at_most=15) as (program, rows):
        yield from rows
        if not rows[0].measured:
            return
        until_at_rest(program.process.pid)
        for what, at_most, offer in variants.changes():
            yield _resync(program, what, at_most, offer)
        if is_installed():
            yield from _beside(program, directory, variants)


def api_sync(directory: Path) -> Iterator[Row]:
    """The first sync of another registry, in pages of 100."""
    os.environ[STUB_VERSIONS] = str(VERSIONS)
    with serving(directory, _STUB, core=None, ready="/v0.1/servers") as stub:
        configured(directory, f"api: {{url: '{stub.url}'}}")
        spent = processor_seconds(stub.process.pid)
        with _first_synced(directory, "API", at_most=25) as (_, rows):
            network = processor_seconds(stub.process.pid) - spent
            took = rows[0]
            beside = [seconds - network for seconds in took.measured]
            note = took.note or f"beside {network:.1f} s of the other registry"
            yield attrs.evolve(took, measured=beside, note=note)
            yield from rows[1:]


@contextmanager
def _first_synced(
    directory: Path, what: str, at_most: float
) -> Iterator[tuple[Program, Sequence[Row]]]:
    """A server that has had its first sync, and what that took."""
    begun = time.monotonic()
    with started(directory) as program:
        with watched(program.process.pid) as peaks:
            until(lambda: program.answers("/readiness"), pause_seconds=_PAUSE_SECONDS)
        took, problem = time.monotonic() - begun, _problem(program)
        time_row = Row(
            part="sync",
            what=f"first sync of {VERSIONS:,} versions, {what}",
            unit="s",
            at_most=at_most,
            measured=() if problem else [took],
            note=problem,
        )
        yield program, [time_row, *(() if problem else _peak_rows(what, peaks))]


def _problem(program: Program) -> str:
    """Why the source does not offer everything; empty if it does."""
    total = f'annals_registry_servers{{registry="default"}} {VERSIONS}'
    if total in program.get("/metrics")[2].decode():
        return ""
    status = json.loads(program.get("/v1/sources/bench")[2])["syncStatus"]
    return str(status.get("message") or status)[:300]


def _peak_rows(what: str, peaks: Peaks) -> Iterator[Row]:
    sizes = {"server": peaks.own, "largest child": peaks.largest_child, "all": peaks.together}
    for who, size in sizes.items():
        yield Row(
            part="sync",
            what=f"... its peak memory, {who}",
            unit="MiB",
            at_most=_MOST_MIB,
            measured=[size],
        )


class _Variants:
    """The file of a source as it is, and as it may come to be."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = count()
        self._offered = directory / "registry.json"
        registry_file(self._offered, VERSIONS)
        self._original = self._kept(documents(VERSIONS))
        self._spaced = self._kept(documents(VERSIONS), (", ", ": "))
        self._changed = self._kept(_some_changed())

    def changes(self) -> Sequence[tuple[str, float, Callable[[], None]]]:
        """What is done to the file before a sync, and how many seconds that may take."""
        spaced, changed = (
            cycle([self._spaced, self._original]),
            cycle([self._changed, self._original]),
        )
        return (
            ("file untouched", 0.01, lambda: None),
            ("file written again", 0.5, self.write_again),
            ("other white space", 0.5, lambda: self.offer(next(spaced))),
            (f"{_CHANGED} of {VERSIONS:,} changed", 2, lambda: self.offer(next(changed))),
        )

    def offer(self, variant: Path) -> None:
        """Put a variant in the place of the file. A link: writing it takes time from others."""
        new = self._directory / f"new-{next(self._numbers)}"
        new.hardlink_to(variant)
        new.replace(self._offered)

    def write_again(self) -> None:
        """The same bytes in a file that was written just now."""
        new = self._directory / f"new-{next(self._numbers)}"
        shutil.copyfile(self._offered, new)
        new.replace(self._offered)

    def _kept(self, servers: Iterable[dict[str, Any]], separators=(",", ":")) -> Path:
        file = self._directory / f"variant-{next(self._numbers)}.json"
        write_registry(file, servers, separators)
        return file


def _some_changed() -> Iterator[dict[str, Any]]:
    step = VERSIONS // _CHANGED
    return (document(number, int(number % step == 0)) for number in range(VERSIONS))


def _resync(program: Program, what: str, at_most: float, offer: Callable[[], None]) -> Row:
    took, status = [], 200
    for _ in range(_TIMES):
        offer()
        begun = time.monotonic()
        status, _, body = program.post("/v1/sources/bench/sync")
        took.append(time.monotonic() - begun)
        if status != 200:
            return Row(part="sync", what=f"sync, {what}", note=body.decode()[:300])
    return Row(part="sync", what=f"sync, {what}", unit="s", at_most=at_most, measured=took)


def _beside(program: Program, directory: Path, variants: _Variants) -> Iterator[Row]:
    """Requests while one sync follows the other. Nothing is pinned: children need a core too."""
    load = Load(program.url, paths.pages(VERSIONS), directory, core=None)
    for what, _, offer in variants.changes()[2:]:
        alone = load.press(_BESIDE_SECONDS)
        with repeating(partial(_sync, program, offer)) as syncs:
            beside = load.press(_BESIDE_SECONDS)
        yield Row(
            part="sync",
            what=f"requests/s beside syncs, {what}",
            at_least=0.8,
            measured=[beside.rate / alone.rate],
            note=f"{len(syncs)} syncs in {_BESIDE_SECONDS} s",
        )
        yield Row(
            part="sync",
            what="... their 99th percentile",
            unit="ms",
            at_most=50,
            measured=[beside.p99_ms],
            note=f"{alone.p99_ms:.0f} ms without",
        )


def _sync(program: Program, offer: Callable[[], None]) -> int:
    """Returns the status of the answer."""
    offer()
    return program.post("/v1/sources/bench/sync")[0]
