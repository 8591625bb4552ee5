"""Loads against each other, in rounds of another order each."""

import random
import statistics
from collections.abc import Sequence

import attrs
import click

from tests.benchmarks.report import Row
from tests.benchmarks.wrk import Load

_SECONDS = 1


@attrs.frozen(kw_only=True)
class Target:
    """A load, and another one that it is held against."""

    part: str
    what: str
    load: Load
    base: Load
    at_least: float | None = None


@attrs.define
class _Measured:
    ratios: list[float] = attrs.field(factory=list)
    base_rates: list[float] = attrs.field(factory=list)
    problem: str = ""


def measure(targets: Sequence[Target], rounds: int) -> Sequence[Row]:
    """Each target against its base, once in every round, one right after the other.

    The order of targets, and which of the two comes first, is another one each time, so that
    neither is favoured by what the machine does meanwhile.
    """
    chance = random.Random()
    measured = [_Measured() for _ in targets]
    for number in range(rounds):
        click.echo(f"round {number + 1} of {rounds}", err=True)
        for place in chance.sample(range(len(targets)), len(targets)):
            if not measured[place].problem:
                _measure(targets[place], measured[place], chance)
    return [_row(target, found) for target, found in zip(targets, measured, strict=True)]


def _measure(target: Target, measured: _Measured, chance: random.Random) -> None:
    loads = (target.load, target.base)
    rates: dict[Load, float] = {}
    try:
        for load in chance.sample(loads, 2):
            load.press(_SECONDS)  # until all is at hand again that others have driven out
            rates[load] = load.press(_SECONDS).rate
    except RuntimeError as error:
        measured.problem = str(error)
        return
    measured.ratios.append(rates[target.load] / rates[target.base])
    measured.base_rates.append(rates[target.base])


def _row(target: Target, measured: _Measured) -> Row:
    return Row(
        part=target.part,
        what=target.what,
        at_least=target.at_least,
        measured=() if measured.problem else measured.ratios,
        base_rate=statistics.median(measured.base_rates) if measured.base_rates else None,
        note=measured.problem,
    )
