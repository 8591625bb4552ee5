"""registry replay"""

import json
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import click

from entrypoints.commands.options import (
    asked,
    common_options,
    listening,
    moment_options,
    registry_option,
    run,
    server_option,
)
from entrypoints.commands.output import progress
from entrypoints.interpreter import uncollected

_BUFFER = 1024 * 1024


@click.command()
@moment_options
@registry_option
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["upstream", "toolhive", "api"]),
    default="upstream",
    show_default=True,
    help="A registry file of one of the two formats, or `api`: the answer of GET /v0.1/servers.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write into FILE.", metavar="FILE")
@click.option("--serve", is_flag=True, help="Serve that moment over HTTP instead.")
@click.option("--address", metavar="[HOST]:PORT", help="Where to --serve.  [default: :8080]")
@server_option
@common_options
def replay(**options: Any) -> None:
    """Give back the registry of any past moment, rebuilt from the log alone.

    The document goes to standard output or FILE; position, time, counts and Merkle root of the
    moment go to standard error. With --serve that moment is what clients get at the address:
    read-only, and no source is synced.
    """
    as_json = options.pop("as_json")
    if options.pop("serve"):
        run(_serve, options, json_logs=as_json, serves=True)
        return
    del options["address"], options["server"]
    with uncollected():
        summary = run(_replay, **options)
    if as_json:
        click.echo(json.dumps(summary), err=True)
    else:
        for name, value in summary.items():
            click.echo(f"{name.replace('_', ' '):<12} {value}", err=True)


async def _serve(options: dict[str, Any], *, json_logs: bool) -> None:
    from entrypoints.serve import serve_past
    from entrypoints.settings import read_settings

    moment = asked(options["at"], options["effective_at"])
    settings = read_settings(options["config_file"], options["data_dir"])
    if options["address"] is not None:
        settings = listening(settings, options["address"])
    await serve_past(settings, moment, options["server"], json_logs=json_logs)


async def _replay(
    at: str | None,
    effective_at: str | None,
    registry_name: str | None,
    format_name: str,
    output: Path | None,
    config_file: Path | None,
    data_dir: Path | None,
) -> dict[str, Any]:
    import anyio.to_thread

    from application.moments import resolve_from_log
    from application.replay import redacted_entries, render_answer, render_file, replay
    from domain.timestamps import to_rfc_3339
    from entrypoints.container import formats, opened
    from entrypoints.settings import read_settings

    wanted = asked(at, effective_at)
    settings = read_settings(config_file, data_dir)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        log = container.log()
        moment = await resolve_from_log(wanted, log, container.clock())
        documents = container.documents()
        with progress("Replaying") as advance:
            past = await replay(log, moment, advance)
        registry = past.registry(registry_name)
        if format_name == "api":
            pieces: Iterable[bytes] = chain(await render_answer(registry, documents), [b"\n"])
        else:
            pieces = await render_file(registry, documents, formats()[format_name])
        await anyio.to_thread.run_sync(_write, pieces, output)
    effective = moment.effective_at
    redacted = redacted_entries(registry, documents)
    return {
        "registry": registry.definition.name,
        "position": moment.position,
        "recorded_at": to_rfc_3339(moment.commit.recorded_at),
        **({"effective_at": to_rfc_3339(effective)} if effective else {}),
        "servers": len({served.entry.key.name for served in registry.servers}),
        "versions": len(registry.servers),
        **({"redacted": redacted} if redacted else {}),
        "merkle_root": moment.commit.root.hex(),
    }


def _write(pieces: Iterable[bytes], output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.writelines(pieces)
        return
    try:
        with output.open("wb", _BUFFER) as file:
            file.writelines(pieces)
    except OSError as error:
        raise click.FileError(str(output), error.strerror) from error
