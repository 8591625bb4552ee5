"""registry pin and registry pins"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entrypoints.commands.options import asked, common_options, moment_options, run
from entrypoints.commands.output import write_json, write_table

if TYPE_CHECKING:
    from application.moments import Moment
    from domain.identifiers import PinName


@click.command()
@click.argument("name")
@moment_options
@click.option("--move", is_flag=True, help="Let a pin that there is stand for another moment.")
@click.option("--remove", is_flag=True, help="Let the name stand for nothing.")
@common_options
def pin(name: str, **options: Any) -> None:
    """Give a moment a name, to be asked for wherever a moment is.

    The moment is kept as a position, and with --effective-at as a time too. A pin that there is
    stays as it is without --move.
    """
    as_json, remove = options.pop("as_json"), options.pop("remove")
    if not remove:
        _write(run(_set, name, **options), as_json=as_json)
    elif options["at"] or options["effective_at"] or options["move"]:
        raise click.UsageError("--remove goes with no other moment: leave the other options out")
    else:
        run(_remove, name, options["config_file"], options["data_dir"])


async def _set(
    name: str,
    at: str | None,
    effective_at: str | None,
    move: bool,
    config_file: Path | None,
    data_dir: Path | None,
) -> "Sequence[tuple[PinName, Moment]]":
    from domain.identifiers import pin_name
    from entrypoints.container import opened
    from entrypoints.settings import read_settings

    settings = read_settings(config_file, data_dir)
    checked, wanted = pin_name(name), asked(at, effective_at)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        return [(checked, await container.pins().set(checked, wanted, move=move))]


async def _remove(name: str, config_file: Path | None, data_dir: Path | None) -> None:
    from domain.identifiers import pin_name
    from entrypoints.container import opened
    from entrypoints.settings import read_settings

    settings, checked = read_settings(config_file, data_dir), pin_name(name)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        await container.pins().remove(checked)


@click.command()
@common_options
def pins(config_file: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Show the moments that have names."""
    _write(run(_list, config_file, data_dir), as_json=as_json)


async def _list(
    config_file: Path | None, data_dir: Path | None
) -> "Sequence[tuple[PinName, Moment]]":
    from entrypoints.container import opened
    from entrypoints.settings import read_settings

    settings = read_settings(config_file, data_dir)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        return await container.pins().moments()


def _write(named: "Sequence[tuple[PinName, Moment]]", *, as_json: bool) -> None:
    from application.pins import pin_members

    members = [pin_members(*each) for each in named]
    if as_json:
        write_json(members)
        return
    columns = ("position", "recordedAt", "effectiveAt")
    write_table(
        ("Pin", "#Position", "Recorded at", "Effective at"),
        [[each["name"], *(each.get(column, "") for column in columns)] for each in members],
    )
