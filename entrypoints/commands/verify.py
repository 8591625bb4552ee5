"""registry verify"""

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from entrypoints.commands.options import common_options, run
from entrypoints.commands.output import progress, write_json
from entrypoints.commands.verify_remote import verify_remote
from entrypoints.interpreter import uncollected

if TYPE_CHECKING:
    from application.verify import Verification

_SHOWN = 20


@click.command()
@click.option(
    "--remote",
    metavar="URL",
    help="Verify the registry at URL instead, from outside: its signature, all of its log, and "
    "that everything it serves is in there.",
)
@click.option("--key", metavar="KEY", help="The key of the remote log, as `registry key` tells it.")
@click.option(
    "--witness",
    "witnesses",
    metavar="KEY",
    multiple=True,
    help="The key of a witness that must have cosigned the remote log. May be given repeatedly.",
)
@click.option(
    "--since",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The last checkpoint seen of the remote log: it must only have grown. Written when all "
    "of it holds.",
)
@click.option(
    "--registry",
    "registry_name",
    metavar="NAME",
    help="Which of the remote registries.  [default: the default one]",
)
@common_options
def verify(
    remote: str | None,
    key: str | None,
    witnesses: tuple[str, ...],
    since: Path | None,
    registry_name: str | None,
    config_file: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Recompute the whole log: positions, hashes, the Merkle tree, every document.

    Names the first position that does not fit, and exits with 1, when anything was changed.
    With --remote the log is somebody else's, and nothing of it is believed.
    """
    if remote is not None:
        verify_remote(remote, key, witnesses, since, registry_name, as_json=as_json)
        return
    if key or witnesses or since or registry_name:
        raise click.UsageError("--key, --witness, --since and --registry go with --remote URL")
    with uncollected():
        result = run(_verify, config_file, data_dir)
    if as_json:
        write_json({**attrs.asdict(result), "root": result.root.hex()})
    else:
        _write(result)
    if result.damages:
        raise SystemExit(1)


async def _verify(config_file: Path | None, data_dir: Path | None) -> "Verification":
    from application.verify import verify as verify_log
    from entrypoints.container import check_apart, opened
    from entrypoints.settings import read_settings

    settings = read_settings(config_file, data_dir)
    apart = check_apart(settings.config, settings.data_dir)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        with progress("Verifying") as advance:
            return await verify_log(container.storage(), advance, apart)


def _write(result: "Verification") -> None:
    redacted = f", {result.redacted} of them redacted" if result.redacted else ""
    click.echo(
        f"{result.events} events in {result.commits} commits, {result.documents} documents"
        f"{redacted}\n"
        f"Merkle root  {result.root.hex()}"
    )
    for damage in result.damages[:_SHOWN]:
        place = f"position {damage.position}" if damage.position is not None else "storage"
        click.secho(f"{place}: {damage.what}", fg="red")
    if len(result.damages) > _SHOWN:
        click.echo(f"and {len(result.damages) - _SHOWN} more: see --json")
    if result.damages:
        click.echo("The log is not what was appended. Restore it from a backup.")
    else:
        click.secho("Everything fits.", fg="green")
