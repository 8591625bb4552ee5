"""registry log"""

import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entrypoints.commands.options import common_options, run
from entrypoints.commands.output import write_table

if TYPE_CHECKING:
    from application.event_log import EventLog, LoggedEvent
    from domain.ports.storage import EventStorePort
    from entrypoints.container import Container

_FOLLOW_SECONDS = 0.25


@click.command()
@click.option("--source", metavar="NAME", help="Only events of one source.")
@click.option("--after", type=click.IntRange(min=0), metavar="N", help="Only beyond position N.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="At most N events: the first ones beyond --after, without it the last ones.",
)
@click.option(
    "--follow",
    is_flag=True,
    help="Go on with what comes, until interrupted: from --after on, or after the last N events.",
)
@common_options
def log(**options: Any) -> None:
    """Show what happened, in the order of the log. With --json: one event per line."""
    as_json = options.pop("as_json")
    if options.pop("follow"):
        with suppress(click.Abort):  # the way to end it
            run(_follow, write=_write_json if as_json else _write_line, **options)
        return
    events = run(_log, **options)
    if not as_json:
        write_table(("#Position", "Recorded at", "Stream", "What"), [_row(e) for e in events])
        return
    for event in events:
        _write_json(event)


async def _log(
    source: str | None,
    after: int | None,
    limit: int,
    config_file: Path | None,
    data_dir: Path | None,
) -> "list[LoggedEvent]":
    async with _opened(source, config_file, data_dir) as container:
        head = await container.log().end()
        return await _shown(container.log(), source, after, limit, head)


async def _follow(
    source: str | None,
    after: int | None,
    limit: int,
    config_file: Path | None,
    data_dir: Path | None,
    write: "Callable[[LoggedEvent], None]",
) -> None:
    import anyio

    async with _opened(source, config_file, data_dir) as container:
        log, shown = container.log(), after
        if shown is None:
            shown = await log.end()
            for event in await _shown(log, source, None, limit, shown):
                write(event)
        while True:
            head = await log.end()
            if head > shown:
                async for event in _events(log, source, shown, head):
                    write(event)
                shown = head
            await anyio.sleep(_FOLLOW_SECONDS)


@asynccontextmanager
async def _opened(
    source: str | None, config_file: Path | None, data_dir: Path | None
) -> "AsyncIterator[Container]":
    from entrypoints.container import opened
    from entrypoints.settings import read_settings

    settings = read_settings(config_file, data_dir)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        if source is not None:
            await _refuse_unknown(source, container.storage())
        yield container


async def _shown(
    log: "EventLog", source: str | None, after: int | None, limit: int, head: int
) -> "list[LoggedEvent]":
    """The first events beyond a position, or the last ones."""
    start = after if after is not None else (0 if source else max(0, head - limit))
    events = _events(log, source, start, head)
    if after is None:
        last: deque[LoggedEvent] = deque(maxlen=limit)
        async for event in events:
            last.append(event)
        return list(last)
    return [event async for event in _first(events, limit)]


async def _refuse_unknown(source: str, store: "EventStorePort") -> None:
    from application.event_log import catalog_stream, sync_stream
    from domain.errors import SourceNotFoundError
    from domain.identifiers import SourceName

    streams = (catalog_stream(SourceName(source)), sync_stream(SourceName(source)))
    if not any([await store.stream_version(stream) for stream in streams]):
        raise SourceNotFoundError(
            f"the log has nothing of a source {source!r}: `registry status` shows which there are"
        )


async def _events(
    log: "EventLog", source: str | None, after: int, upto: int
) -> "AsyncIterator[LoggedEvent]":
    from application.event_log import source_of

    async for batch in log.read(after=after, upto=upto):
        for event in batch:
            if source in (None, source_of(event.stream)):
                yield event


async def _first(events: "AsyncIterator[LoggedEvent]", limit: int) -> "AsyncIterator[LoggedEvent]":
    count = 0
    async for event in events:
        yield event
        count += 1
        if count == limit:
            return


def _write_json(logged: "LoggedEvent") -> None:
    click.echo(json.dumps(_as_json(logged), ensure_ascii=False))


def _write_line(logged: "LoggedEvent") -> None:
    position, recorded_at, stream, what = _row(logged)
    click.echo(f"{position:>9}  {recorded_at}  {stream:<24}  {what}")


def _row(logged: "LoggedEvent") -> list[object]:
    from application.describe import describe
    from domain.timestamps import to_rfc_3339

    return [logged.position, to_rfc_3339(logged.recorded_at), logged.stream, describe(logged.event)]


def _as_json(logged: "LoggedEvent") -> dict[str, Any]:
    from application.codec import name_of, payload_of
    from domain.timestamps import to_rfc_3339

    return {
        "position": logged.position,
        "commit_id": logged.commit_id,
        "recorded_at": to_rfc_3339(logged.recorded_at),
        "effective_at": to_rfc_3339(logged.effective_at),
        "stream": logged.stream,
        "type": name_of(logged.event),
        "data": payload_of(logged.event),
    }
