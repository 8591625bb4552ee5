"""The load benchmark: `python -m tests.benchmarks.load [--only PART,...]`. It gates nothing."""

import argparse
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click

from tests.benchmarks import log_figures, loop_delay, sync_figures
from tests.benchmarks.http_targets import TARGETS, workers
from tests.benchmarks.long_history import bench_dir, long_history
from tests.benchmarks.programs import serving
from tests.benchmarks.report import Row, table, write_json
from tests.benchmarks.rounds import Target, measure
from tests.benchmarks.stage import Stage
from tests.benchmarks.wrk import HOW_TO_GET, is_installed

_PARTS = (*TARGETS, "workers", "memory", "log", "file-sync", "api-sync")
T = TypeVar("T")

_WITHOUT_HISTORY = {"file-sync", "api-sync"}
_FOLD_SECONDS = 1200
_SECONDS = 2
_DEFAULT_FILE = Path(".benchmarks", "load.json")


@attrs.frozen(kw_only=True)
class Wanted:
    """What a run shall measure, how often, and where to write it."""

    parts: frozenset[str]
    rounds: int
    json: Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON."""
    wanted = _wanted(arguments)
    rows = list(_rows(wanted, _history() if wanted.parts - _WITHOUT_HISTORY else Path()))
    click.echo(table(rows))
    write_json(rows, wanted.json)


def _history() -> Path:
    """The long history, with all that this release keeps beside a log."""
    history = long_history(bench_dir())
    click.echo("starting once, so that the views are there", err=True)
    with serving(history, within_seconds=_FOLD_SECONDS):
        return history


def _wanted(arguments: Sequence[str] | None) -> Wanted:
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("--only", default=",".join(_PARTS), help=f"of {', '.join(_PARTS)}")
    parser.add_argument("--rounds", type=int, default=7, help="of a second for each target")
    parser.add_argument("--json", type=Path, default=_DEFAULT_FILE, help="where to write figures")
    given = parser.parse_args(arguments)
    parts = frozenset(given.only.split(","))
    if unknown := parts.difference(_PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; expected {', '.join(_PARTS)}")
    return Wanted(parts=parts, rounds=given.rounds, json=given.json)


def _rows(wanted: Wanted, history: Path) -> Iterator[Row]:
    if not is_installed():
        click.echo(HOW_TO_GET, err=True)
    elif wanted.parts.intersection((*TARGETS, "workers")):
        yield from _under_load(wanted, history)
    for part, rows in _PROCESSES.items():
        if part in wanted.parts:
            yield from _attempt(part, rows, history)


def _under_load(wanted: Wanted, history: Path) -> Iterator[Row]:
    with _room() as room, Stage(history, Path(room)) as stage:
        targets, problems = _prepared(wanted.parts, stage)
        yield from measure(targets, wanted.rounds)
        yield from problems
        if "past" in wanted.parts:
            yield from _attempt("past", log_figures.never_asked, stage.annals())
        if "search" in wanted.parts:
            yield from _attempt("search", loop_delay.during_searches, stage)
    if "workers" in wanted.parts:
        with _room() as room, Stage(history, Path(room)) as stage:
            yield from _attempt("workers", _workers, stage, wanted.rounds)


def _workers(stage: Stage, rounds: int) -> Sequence[Row]:
    targets = list(workers(stage))
    return [*measure(targets, rounds), *map(_of_the_load, targets)]


def _of_the_load(target: Target) -> Row:
    pressed = target.load.press(_SECONDS)
    cores = pressed.processor_seconds / pressed.seconds
    return Row(part=target.part, what="... cores that wrk takes meanwhile", measured=[cores])


def _prepared(parts: frozenset[str], stage: Stage) -> tuple[Sequence[Target], Sequence[Row]]:
    """The targets of all wanted parts, and what is said of those that cannot be prepared."""
    targets: list[Target] = []
    problems: list[Row] = []
    for part, make in TARGETS.items():
        if part in parts:
            found = list(_attempt(part, make, stage))
            targets += (each for each in found if isinstance(each, Target))
            problems += (each for each in found if isinstance(each, Row))
    return targets, problems


def _attempt(part: str, make: Callable[..., Iterable[T]], *arguments: Any) -> Iterator[T | Row]:
    """What is made, and a row in place of what cannot be: one part stops no other."""
    try:
        yield from make(*arguments)
    except Exception as error:  # noqa: BLE001  # whatever it is, the table tells it
        traceback.print_exc()
        yield Row(part=part, what=part, note=f"not measured: {error!r}"[:200])


def _room() -> tempfile.TemporaryDirectory[str]:
    """A directory for what servers and loads need, gone afterwards."""
    return tempfile.TemporaryDirectory(prefix="annals-bench-")


def _in_a_room(make: Callable[[Path], Iterable[Row]]) -> Callable[[Path], Iterator[Row]]:
    def rows(_history: Path) -> Iterator[Row]:
        with _room() as room:
            yield from make(Path(room))

    return rows


_PROCESSES: dict[str, Callable[[Path], Iterable[Row]]] = {
    "memory": log_figures.resident,
    "log": log_figures.long_log,
    "file-sync": _in_a_room(sync_figures.file_syncs),
    "api-sync": _in_a_room(sync_figures.api_sync),
}


if __name__ == "__main__":
    main()
