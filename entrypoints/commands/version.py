"""registry version"""

import click

from entrypoints.commands.options import json_option
from entrypoints.commands.output import write_json


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Show which release this is."""
    from entrypoints.release import current_release

    release = current_release()
    if as_json:
        write_json(release)
    else:
        click.echo(f"annals-registry {release['version']} (Python {release['python_version']})")
