"""registry redact"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entrypoints.commands.options import common_options, run
from entrypoints.commands.output import write_json

if TYPE_CHECKING:
    from application.redactions import Redacted


@click.command()
@click.option("--document", required=True, metavar="HASH", help="The hash of the document.")
@click.option("--reason", required=True, metavar="TEXT", help="Why: everybody who asks is told.")
@click.option("--by", metavar="NAME", help="Who says so: everybody is told.  [default: user@host]")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@common_options
def redact(**options: Any) -> None:
    """Take a document away for good, from the registry of today and of every past moment.

    Its hash, its place in the log and all proofs stay as they are, and the log says who took it
    away and why. Name, version, title and tags of the entry stay in the log too. Nothing brings
    the document back.
    """
    as_json = options.pop("as_json")
    if not options["reason"].strip():
        raise click.BadParameter("expected some words", param_hint="--reason")
    redacted = run(_redact, **options)
    if as_json:
        write_json(_members(redacted))
    else:
        _write(redacted)
    if not redacted.scrubbed:
        click.echo(
            "registry: the document is still in a file beside the log, because somebody reads"
            " what was there before: end long reads and backups, and redact it again",
            err=True,
        )
        raise SystemExit(1)


async def _redact(
    document: str,
    reason: str,
    by: str | None,
    yes: bool,
    config_file: Path | None,
    data_dir: Path | None,
) -> "Redacted":
    from domain.events import DocumentRedacted
    from domain.identifiers import DocumentHash
    from entrypoints.container import opened
    from entrypoints.settings import read_settings

    settings = read_settings(config_file, data_dir)
    event = DocumentRedacted(
        document_hash=DocumentHash(document), reason=reason, redacted_by=by or _operator()
    )
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        redactions = container.redactions()
        found = await redactions.find(event.document_hash)
        if isinstance(found, bytes) and not yes:
            _confirm(found, event.redacted_by)
        return await redactions.redact(event)


def _confirm(document: bytes, by: str) -> None:
    """Ask whoever sits at the terminal.

    Raises:
        click.ClickException: nobody does, or they do not want to.
    """
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked whether this is meant: say so with --yes")
    members = json.loads(document)
    click.echo(f"{members.get('name')}@{members.get('version')}, redacted by {by}.", err=True)
    click.confirm("Take this document away for good?", abort=True, err=True)


def _operator() -> str:
    """Whoever runs this, as far as the machine knows."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError) as error:
        raise click.UsageError("this user has no name: say who redacts with --by") from error
    return f"{user}@{socket.gethostname()}"


def _members(redacted: "Redacted") -> dict[str, Any]:
    from application.rendering import redaction_members

    return {
        **redaction_members(redacted.redaction),
        "repeated": redacted.repeated,
        "scrubbed": redacted.scrubbed,
    }


def _write(redacted: "Redacted") -> None:
    from domain.timestamps import to_rfc_3339

    redaction = redacted.redaction
    before = "was redacted before" if redacted.repeated else "is redacted"
    click.echo(
        f"Document {redaction.document_hash} {before}:"
        f" at {to_rfc_3339(redaction.recorded_at)} by {redaction.redacted_by},"
        f" {redaction.reason}"
    )
