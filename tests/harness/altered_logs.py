"""Copies of a log, each with one byte or number that is another one."""

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from domain.identifiers import Position
from tests.harness.clock import MICROSECOND
from tests.harness.other_storages import CopiedLog


def altered_logs(log: CopiedLog) -> Iterator[tuple[CopiedLog, Iterable[Position | None]]]:
    """Copies that differ in one byte or number each, and the positions that may be named.

    For a commit these are its own and its neighbours', as a bound may have been moved.
    """
    for index, event in enumerate(log.events):
        for changed in _changes(event):
            events = [*log.events[:index], changed, *log.events[index + 1 :]]
            yield attrs.evolve(log, events=events), [event.position]
    for index, commit in enumerate(log.commits_read):
        covered = range(commit.first_position - 1, commit.last_position + 2)
        for changed in _changes(commit):
            commits = [*log.commits_read[:index], changed, *log.commits_read[index + 1 :]]
            yield attrs.evolve(log, commits_read=commits), covered
    for known, body in log.bodies.items():
        naming = [event.position for event in log.events if known.encode() in event.data]
        for changed in _changed_values(body):
            yield attrs.evolve(log, bodies={**log.bodies, known: changed}), naming[:1]


def _changes(instance: Any) -> Iterator[Any]:
    for field in attrs.fields(type(instance)):
        for value in _changed_values(getattr(instance, field.name)):
            yield attrs.evolve(instance, **{field.name: value})


def _changed_values(value: Any) -> Iterator[Any]:
    match value:
        case bytes():
            for index in range(len(value)):
                yield value[:index] + bytes([value[index] ^ 1]) + value[index + 1 :]
        case str():
            yield from (changed.decode() for changed in _changed_values(value.encode()))
        case int():
            yield from (value - 1, value + 1)
        case _:
            yield from (value - MICROSECOND, value + MICROSECOND)
