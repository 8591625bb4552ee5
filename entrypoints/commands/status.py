"""registry status"""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entrypoints.commands.options import common_options, run
from entrypoints.commands.output import write_json, write_table

if TYPE_CHECKING:
    from application.source_overview import SourceOverview


@click.command()
@common_options
def status(config_file: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Show how the last sync of every source went, and which entries it rejected."""
    overviews = run(_status, config_file, data_dir)
    if as_json:
        write_json([_as_json(overview) for overview in overviews])
        return
    write_table(
        ("Source", "Phase", "#Servers", "#Failures", "Last attempt", "Last sync", "Message"),
        [_row(overview) for overview in overviews],
    )
    for overview in overviews:
        for rejected in overview.rejected:
            click.echo(f"{overview.name}: rejected {rejected.name}: {rejected.reason}")


async def _status(config_file: Path | None, data_dir: Path | None) -> "list[SourceOverview]":
    from application.source_overview import overviews
    from entrypoints.container import opened
    from entrypoints.settings import read_settings

    settings = read_settings(config_file, data_dir)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        projector = container.projector()
        await projector.load()
        return overviews(projector.live, await container.status().load())


def _row(overview: "SourceOverview") -> list[object]:
    status = overview.status
    return [
        overview.name,
        status.phase if status else "never synced",
        status.server_count if status else 0,
        status.attempt_count if status else 0,
        _time(status.last_attempt if status else None),
        _time(status.last_sync_time if status else None),
        status.message if status else "",
    ]


def _time(instant: datetime | None) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%SZ") if instant else ""


def _as_json(overview: "SourceOverview") -> dict[str, Any]:
    import attrs

    status = overview.status
    return {
        "source": overview.name,
        "type": overview.definition.type,
        "location": overview.definition.location,
        "status": attrs.asdict(status, value_serializer=_serialise) if status else None,
        "rejected": [attrs.asdict(rejected) for rejected in overview.rejected],
    }


def _serialise(_instance: object, _field: object, value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
