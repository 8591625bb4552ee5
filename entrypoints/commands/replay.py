"""registry replay"""

import json
import sys
from pathlib import Path
from typing import Any

import click

from entrypoints.commands.options import common_options, run
from entrypoints.commands.output import progress


@click.command()
@click.option(
    "--at",
    "moment",
    metavar="AS-OF",
    help="A time with an offset (2026-11-22T09:30:00Z), a date (2026-11-22, its UTC midnight), "
    "or a position (@4711).  [default: the end of the log]",
)
@click.option(
    "--registry",
    "registry_name",
    metavar="NAME",
    help="Which registry.  [default: the default one]",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["upstream", "toolhive", "api"]),
    default="upstream",
    show_default=True,
    help="A registry file of one of the two formats, or `api`: the answer of GET /v0.1/servers.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write into FILE.", metavar="FILE")
@common_options
def replay(**options: Any) -> None:
    """Give back the registry of any past moment, rebuilt from the log alone.

    The document goes to standard output or FILE; position, time, counts and Merkle root of the
    moment go to standard error.
    """
    as_json = options.pop("as_json")
    summary = run(_replay, **options)
    if as_json:
        click.echo(json.dumps(summary), err=True)
    else:
        for name, value in summary.items():
            click.echo(f"{name.replace('_', ' '):<12} {value}", err=True)


async def _replay(
    moment: str | None,
    registry_name: str | None,
    format_name: str,
    output: Path | None,
    config_file: Path | None,
    data_dir: Path | None,
) -> dict[str, Any]:
    from application.replay import render_answer, render_file, replay
    from domain.asof import AtPosition, parse_as_of
    from domain.timestamps import to_rfc_3339
    from entrypoints.container import formats, opened
    from entrypoints.settings import read_settings

    as_of = parse_as_of(moment) if moment else None
    settings = read_settings(config_file, data_dir)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        head = await container.storage().head()
        commit = await container.log().resolve(
            as_of or AtPosition(head.position), container.clock()
        )
        with progress("Replaying") as advance:
            past = await replay(container.log(), commit, advance)
        registry = past.registry(registry_name)
        documents = container.documents()
        if format_name == "api":
            document = await render_answer(registry, documents) + b"\n"
        else:
            document = await render_file(registry, documents, formats()[format_name])
    _write(document, output)
    return {
        "registry": registry.definition.name,
        "position": commit.last_position,
        "recorded_at": to_rfc_3339(commit.recorded_at),
        "servers": len({served.entry.key.name for served in registry.servers}),
        "versions": len(registry.servers),
        "merkle_root": commit.root.hex(),
    }


def _write(document: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(document)
        return
    try:
        output.write_bytes(document)
    except OSError as error:
        raise click.FileError(str(output), error.strerror) from error
