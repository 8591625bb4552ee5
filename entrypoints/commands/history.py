"""registry history"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entrypoints.commands.options import (
    asked_classes,
    class_option,
    common_options,
    registry_option,
    run,
)
from entrypoints.commands.output import write_json

if TYPE_CHECKING:
    from application.change_feed import FeedPage
    from domain.change import ChangeClass


@click.command()
@click.argument("server")
@registry_option
@class_option
@click.option(
    "--after",
    metavar="ID",
    help="Only beyond this change or position: a `next` of --json, or a number.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="At most N changes, the first ones beyond --after.",
)
@common_options
def history(server: str, **options: Any) -> None:
    """Show every change of one server, the first one first.

    Each comes with its position and time, what its classes say, and the values that differ. A
    version that became another definition under the same number is marked `version reused!`.
    """
    asked, as_json = options["classes"], options.pop("as_json")
    page, classes = run(_history, server, **options)
    if as_json:
        _write_json(page, classes)
    else:
        _write(page, classes, asked)


async def _history(
    server: str,
    registry_name: str | None,
    classes: str | None,
    after: str | None,
    limit: int,
    config_file: Path | None,
    data_dir: Path | None,
) -> "tuple[FeedPage, frozenset[ChangeClass]]":
    import attrs

    from application.change_feed import BEGINNING, parse_mark
    from domain.identifiers import EntryKind, EntryName
    from entrypoints.container import opened
    from entrypoints.settings import read_settings

    settings = read_settings(config_file, data_dir)
    wanted, mark = asked_classes(classes), parse_mark(after) if after else BEGINNING
    name = EntryName(EntryKind.SERVER, server)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        await container.projector().load()
        feed = container.feed()
        page = await feed.history(registry_name, name, mark, limit, wanted)
        found = list(page.changes)
        while not page.is_last and len(found) < limit:
            rest = limit - len(found)
            page = await feed.history(registry_name, name, page.next, rest, wanted)
            found += page.changes
    return attrs.evolve(page, changes=found), wanted


def _write_json(page: "FeedPage", classes: "frozenset[ChangeClass]") -> None:
    from application.change_rendering import changes_json, feed_metadata

    write_json(json.loads(changes_json(page.changes, feed_metadata(page), classes)))


def _write(page: "FeedPage", classes: "frozenset[ChangeClass]", asked: str | None) -> None:
    from entrypoints.commands.change_lines import tell_of_popularity, write_changes

    write_changes(page.changes, classes, as_timeline=True)
    if not page.is_last:
        click.echo(f"There may be more: --after {page.next} goes on.", err=True)
    tell_of_popularity(asked)
