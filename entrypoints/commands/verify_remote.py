"""registry verify --remote"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from entrypoints.commands.options import run
from entrypoints.commands.output import progress, write_json

if TYPE_CHECKING:
    from application.remote_registry import RemoteVerification


def verify_remote(
    url: str,
    key: str | None,
    witnesses: Sequence[str],
    since: Path | None,
    registry: str | None,
    *,
    as_json: bool,
) -> None:
    """Verify another registry from outside, and tell what was found."""
    result = run(_verify, url, key, witnesses, since, registry)
    if as_json:
        _write_json(result)
    else:
        _write(result, since)


async def _verify(
    url: str,
    key: str | None,
    witnesses: Sequence[str],
    since: Path | None,
    registry: str | None,
) -> "RemoteVerification":
    from application.remote_registry import verify_remote
    from domain.notes import parse_verifier_key
    from entrypoints.commands.seen_checkpoint import read_seen, write_seen
    from entrypoints.container import open_remote, verify_signature

    seen = attrs.evolve(
        read_seen(since, parse_verifier_key(key) if key else None),
        witnesses=tuple(map(parse_verifier_key, witnesses)),
    )
    async with open_remote(url) as remote:
        with progress("Verifying") as advance:
            result = await verify_remote(remote, seen, registry, verify_signature, advance)
    if since:
        try:
            write_seen(since, result)
        except OSError as error:
            raise click.FileError(str(since), error.strerror) from error
    return result


def _write(result: "RemoteVerification", since: Path | None) -> None:
    head = result.head.checkpoint
    click.echo(f"{head.origin}: {head.size} events\nMerkle root  {head.root.hex()}")
    click.echo(f"Key          {result.key}")
    if result.is_first_use:
        told = f"It is remembered in {since}." if since else "--since FILE remembers it."
        click.secho(
            "             This key came from the registry itself, and is trusted because it is the "
            f"first one seen.\n             {told} With --key you trust one that you were given.",
            fg="yellow",
        )
    if result.since:
        click.echo(f"Grown        from {result.since.checkpoint.size} events, and only grown")
    for witnessed in result.witnessed:
        click.echo(
            f"Witnessed    by {witnessed.witness.name} at {witnessed.size} events, on "
            f"{witnessed.at:%Y-%m-%d %H:%M:%SZ}"
        )
    click.echo(f"Entries      {result.entries} read: each is the one that the root covers")
    click.echo(f"Versions     {result.versions.total} served: each is in the log")
    if redacted := result.versions.redacted:
        click.secho(
            f"             Of {redacted} of them, which were redacted, the registry only tells the "
            "hash.",
            fg="yellow",
        )
    click.secho("Everything fits.", fg="green")


def _write_json(result: "RemoteVerification") -> None:
    head, since = result.head.checkpoint, result.since
    write_json(
        {
            "origin": head.origin,
            "size": head.size,
            "root": head.root.hex(),
            "key": str(result.key),
            "keyOnFirstUse": result.is_first_use,
            "since": since.checkpoint.size if since else None,
            "witnessed": [
                {"witness": each.witness.name, "size": each.size, "at": each.at.isoformat()}
                for each in result.witnessed
            ],
            "entries": result.entries,
            "versions": result.versions.total,
            "redacted": result.versions.redacted,
            "checkpoint": str(result.head.note),
        }
    )
