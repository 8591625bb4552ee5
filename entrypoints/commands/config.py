"""registry config"""

from pathlib import Path

import click

from entrypoints.commands.options import json_option
from entrypoints.commands.output import write_json, write_table


@click.group()
def config() -> None:
    """Look at configuration files."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check a configuration FILE and tell every problem, each with its place."""
    import attrs

    from domain.errors import ConfigError
    from entrypoints.config import load, location

    try:
        loaded = load(file)
    except ConfigError as error:
        if as_json:
            write_json({"valid": False, "problems": [attrs.asdict(p) for p in error.problems]})
        else:
            click.echo(str(error), err=True)
        raise SystemExit(2) from error
    sources = [
        (s.name, s.type, location(s), s.sync_policy.interval_seconds) for s in loaded.sources
    ]
    if as_json:
        columns = ("name", "type", "location", "interval_seconds")
        listed = [dict(zip(columns, source, strict=True)) for source in sources]
        write_json({"valid": True, "sources": listed})
        return
    write_table(("Source", "Type", "Location", "#Interval in s"), sources)
    for registry in loaded.registries:
        click.echo(f"registry {registry.name}: {', '.join(registry.sources)}")
