"""registry diff"""

import json
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from entrypoints.commands.options import (
    asked,
    asked_classes,
    class_option,
    common_options,
    registry_option,
    run,
)
from entrypoints.commands.output import write_json
from entrypoints.error_codes import DIFFERENCES, TROUBLE

if TYPE_CHECKING:
    from application.change_details import ServerChange
    from application.served import PastRegistry
    from domain.change import ChangeClass


@attrs.frozen(kw_only=True)
class _Found:
    """Both sides, and what lies between them."""

    old: "PastRegistry"
    new: "PastRegistry"
    classes: "frozenset[ChangeClass]"
    changes: "Sequence[ServerChange]"


@click.command()
@click.option(
    "--from",
    "old",
    metavar="AS-OF",
    help="The moment to compare: a time with an offset, a date, a position (@4711), or the name "
    "of a pin.",
)
@click.option("--to", "new", metavar="AS-OF", help="The moment to compare it with.  [default: now]")
@click.option(
    "--from-effective-at",
    "old_effective",
    metavar="TIME",
    help="Beside or in place of --from: what the sources themselves said by then.",
)
@click.option(
    "--to-effective-at", "new_effective", metavar="TIME", help="The same for the other side."
)
@registry_option
@click.option(
    "--to-registry",
    metavar="NAME",
    help="The registry to compare with, where it is another one.",
)
@class_option
@click.option(
    "--exit-code",
    "tell_by_code",
    is_flag=True,
    help="Exit with 0 where nothing of these classes differs, 1 where something does, 2 where "
    "that could not be found out.",
)
@common_options
def diff(**options: Any) -> None:
    """Show what lies between two moments, or two registries.

    Has anything that is run or contacted changed since it was approved? In CI:

      registry diff --from prod-2026-q3 --class execution --exit-code
    """
    if not (options["old"] or options["old_effective"]):
        raise click.UsageError("say what to compare: --from AS-OF or --from-effective-at TIME")
    as_json, tell_by_code = options.pop("as_json"), options.pop("tell_by_code")
    if not tell_by_code:
        _diff(as_json=as_json, **options)
        return
    with _told_apart():
        found = _diff(as_json=as_json, **options)
    if found.changes:
        raise SystemExit(DIFFERENCES)


@contextmanager
def _told_apart() -> Iterator[None]:
    """No error ends the program with what stands for a difference."""
    try:
        yield
    except (SystemExit, click.Abort, BrokenPipeError):
        raise SystemExit(TROUBLE) from None
    except Exception:  # noqa: BLE001  # whatever it is, nobody knows whether anything differs
        traceback.print_exc()
        raise SystemExit(TROUBLE) from None


def _diff(*, as_json: bool, **options: Any) -> _Found:
    found = run(_find, **options)
    if as_json:
        _write_json(found)
    else:
        _write(found, options["classes"])
    return found


async def _find(
    old: str | None,
    new: str | None,
    old_effective: str | None,
    new_effective: str | None,
    registry_name: str | None,
    to_registry: str | None,
    classes: str | None,
    config_file: Path | None,
    data_dir: Path | None,
) -> _Found:
    from entrypoints.container import opened
    from entrypoints.settings import read_settings

    settings, wanted = read_settings(config_file, data_dir), asked_classes(classes)
    moments = asked(old, old_effective), asked(new, new_effective)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        await container.projector().load()
        registries = container.registries()
        before = await registries.past(registry_name, moments[0])
        after = await registries.past(to_registry or registry_name, moments[1])
        changes = await container.diff().everything(before, after, wanted)
    return _Found(old=before, new=after, classes=wanted, changes=changes)


def _write_json(found: _Found) -> None:
    from application.change_rendering import changes_json, side_metadata

    metadata = {
        "count": len(found.changes),
        "from": side_metadata(found.old),
        "to": side_metadata(found.new),
    }
    write_json(json.loads(changes_json(found.changes, metadata, found.classes)))


def _write(found: _Found, asked: str | None) -> None:
    from entrypoints.commands.change_lines import tell_of_popularity, write_changes

    click.echo(f"{_side(found.old)} -> {_side(found.new)}")
    write_changes(found.changes, found.classes, as_timeline=False)
    click.echo(_summary(found.changes, found.classes))
    tell_of_popularity(asked)


def _side(registry: "PastRegistry") -> str:
    from domain.timestamps import to_rfc_3339

    moment = registry.moment
    effective_at = moment.effective_at
    told = f", effective {to_rfc_3339(effective_at)}" if effective_at else ""
    recorded_at = to_rfc_3339(moment.commit.recorded_at)
    return f"{registry.definition.name}@{moment.position} ({recorded_at}{told})"


def _summary(changes: "Sequence[ServerChange]", classes: "frozenset[ChangeClass]") -> str:
    """How many servers came to what, and how many changes have each class."""
    if not changes:
        return "No differences."
    outcomes = Counter[str](change.outcome for change in changes)
    counted = Counter[str](found for change in changes for found in change.classes & classes)
    counted["redacted"] = sum(change.redacted for change in changes)
    return f"{_counts(outcomes)}: {_counts(counted)}"


def _counts(counter: "Counter[str]") -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counter.items()) if count)
