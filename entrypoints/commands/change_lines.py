"""Changes of servers for people: a line for each version, and its differences below."""

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import click

from entrypoints.commands.change_text import classes_text, difference_text, write_lines

if TYPE_CHECKING:
    from rich.text import Text

    from application.change_details import ServerChange, VersionChange
    from domain.change import ChangeClass

_Lines = Iterator["Text"]


def write_changes(
    changes: "Iterable[ServerChange]", classes: "Collection[ChangeClass]", *, as_timeline: bool
) -> None:
    """Changes on standard output: under their moments in a timeline, else under their names."""
    write_lines(line for change in changes for line in _lines(change, classes, as_timeline))


def tell_of_popularity(asked: str | None) -> None:
    """Say that some changes are left out, where nobody asked for that."""
    if asked is None:
        click.echo("Changes of popularity alone are hidden: --class all shows them.", err=True)


def _lines(change: "ServerChange", classes: "Collection[ChangeClass]", as_timeline: bool) -> _Lines:
    from rich.text import Text

    head = _when(change) if as_timeline else Text(change.name.name, "bold")
    yield head.append(f"  {change.outcome}", _STYLES[change.outcome])
    for version in change.versions:
        shown = version.classes & frozenset(classes)
        if shown or version.redacted or _flag(version):
            yield _version_line(version, shown)
        if version.comparison.after:  # what replaced another version tells of both
            for difference in version.shown_differences(classes):
                yield Text("      ").append_text(difference_text(difference))


def _when(change: "ServerChange") -> "Text":
    from rich.text import Text

    from domain.timestamps import to_rfc_3339

    if (commit := change.commit) is None:
        return Text()
    line = Text(f"@{commit.last_position}", "bold").append(f"  {to_rfc_3339(commit.recorded_at)}")
    if commit.effective_at != commit.recorded_at:
        line.append(f"  effective {to_rfc_3339(commit.effective_at)}", "dim")
    return line


def _version_line(version: "VersionChange", shown: "Collection[ChangeClass]") -> "Text":
    from rich.text import Text

    outcome = version.comparison.outcome
    line = Text("  ").append(f"{_SIGNS[outcome]} ", _STYLES[outcome])
    line.append(version.comparison.version, "bold").append(_instead(version))
    line.append(_flag(version))
    if shown:
        line.append("  ").append_text(classes_text(sorted(shown)))
    if version.redacted:
        line.append("  redacted: nobody can tell any longer what differs", "dim")
    if version.version_reused:
        line.append("  version reused!", "bold red")
    return line.append(f"  from {_origin(version)}", "dim")


def _instead(version: "VersionChange") -> str:
    other = version.comparison.other
    if other is None:
        return ""
    return f" {'after' if version.comparison.after else 'replaced by'} {other.entry.version}"


def _flag(version: "VersionChange") -> str:
    """What became of the flag of the latest version."""
    before, after = version.comparison.before, version.comparison.after
    if not (before and after) or before.entry.is_latest == after.entry.is_latest:
        return ""
    return ", the latest now" if after.entry.is_latest else ", no longer the latest"


def _origin(version: "VersionChange") -> str:
    before, after = version.comparison.before, version.comparison.after
    sources = dict.fromkeys(side.source for side in (after, before) if side)
    return ", was from ".join(sources)


_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_STYLES = {"added": "green", "removed": "red", "changed": "yellow"}
