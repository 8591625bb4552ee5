"""registry sync"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.commands.options import common_options, run
from entrypoints.commands.output import progress, write_json, write_table

if TYPE_CHECKING:
    from application.sync import SyncOutcome

_COUNTS = ("listed", "revised", "status_changed", "delisted", "unchanged", "rejected", "warned")


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@common_options
def sync(
    sources: tuple[str, ...], config_file: Path | None, data_dir: Path | None, as_json: bool
) -> None:
    """Sync sources once, all of them unless some are named, and show what changed.

    Exits with 1 when a source failed; what it offered before stays as it was.
    """
    from application.source_overview import outcome_members

    outcomes = run(_sync, sources, config_file, data_dir)
    if as_json:
        write_json([outcome_members(outcome) for outcome in outcomes])
    else:
        _write_outcomes(outcomes)
    if any(outcome.failed for outcome in outcomes):
        raise SystemExit(1)


async def _sync(
    names: tuple[str, ...], config_file: Path | None, data_dir: Path | None
) -> "list[SyncOutcome]":
    from entrypoints.container import opened, synced_sources
    from entrypoints.running import prepare
    from entrypoints.settings import read_settings

    settings = read_settings(config_file, data_dir)
    known = {source.name: source for source in synced_sources(settings.config, settings.data_dir)}
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(
            f"no source {unknown[0]!r} is configured: the sources are {', '.join(known)}"
        )
    chosen = [source for name, source in known.items() if name in names or not names]
    async with opened(settings.config, settings.data_dir) as container:
        await prepare(container, settings)
        outcomes = []
        with progress("Syncing") as advance:
            for done, source in enumerate(chosen):
                advance(done, len(chosen))
                revision = partial(_advance_by_revision, advance, done, len(chosen))
                outcomes.append(await container.syncer().sync(source, revision))
        return outcomes


def _advance_by_revision(
    advance: Callable[[int, int], None], done: int, sources: int, number: int, total: int
) -> None:
    """Show how much of its history a source has told, beside the sources that are done."""
    advance(done * total + number, sources * total)


def _write_outcomes(outcomes: "list[SyncOutcome]") -> None:
    write_table(
        ("Source", "#Position", "Outcome", *(f"#{name.replace('_', ' ')}" for name in _COUNTS)),
        [_row(outcome) for outcome in outcomes],
    )
    for outcome in outcomes:
        if outcome.failed:
            click.echo(f"{outcome.source}: {outcome.failed.reason}", err=True)
        for rejected in outcome.completed.rejected if outcome.completed else ():
            place = f" ({rejected.path})" if rejected.path else ""
            click.echo(f"{outcome.source}: rejected {rejected.name}{place}: {rejected.reason}")
        for note in outcome.completed.notes if outcome.completed else ():
            click.echo(f"{outcome.source}: {note}")


def _row(outcome: "SyncOutcome") -> list[object]:
    if outcome.completed is None:
        return [outcome.source, outcome.position, "failed", *("" for _ in _COUNTS)]
    counts = [getattr(outcome.completed.counts, name) for name in _COUNTS]
    label = "unchanged" if outcome.completed.unread or not any(counts[:4]) else "changed"
    return [outcome.source, outcome.position, label, *counts]
