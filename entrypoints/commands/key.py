"""registry key"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.commands.options import common_options, run
from entrypoints.commands.output import write_json

if TYPE_CHECKING:
    from domain.notes import VerifierKey


@click.command()
@common_options
def key(config_file: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Print the key that checks the signatures of this log.

    Give it to whoever shall verify the log with `registry verify --remote`, or with any other
    tool that reads signed notes.
    """
    found = run(_key, config_file, data_dir)
    if as_json:
        public_key = found.public_key.hex()
        write_json({"key": str(found), "origin": found.name, "publicKey": public_key})
    else:
        click.echo(str(found))


async def _key(config_file: Path | None, data_dir: Path | None) -> "VerifierKey":
    from entrypoints.container import read_log_key
    from entrypoints.settings import read_settings

    settings = read_settings(config_file, data_dir)
    return read_log_key(settings.config, settings.data_dir)
