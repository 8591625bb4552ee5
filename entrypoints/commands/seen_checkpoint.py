"""The file in which an auditor keeps the last checkpoint seen of a log, and the log's key."""

import json
import os
import tempfile
from pathlib import Path

from application.remote_registry import RemoteVerification, Seen
from domain.errors import InvalidNoteError
from domain.notes import VerifierKey, parse_verifier_key


def read_seen(file: Path | None, key: VerifierKey | None) -> Seen:
    """What the file says, or nothing where there is none yet; and the key that was given.

    A file that holds a note and nothing else will do too.

    Raises:
        InvalidNoteError: it holds something else, or another key than the one given.
    """
    if file is None or not file.exists():
        return Seen(key=key)
    try:
        text = file.read_text(encoding="utf-8")
        if not text.startswith("{"):
            return Seen(key=key, note=text)
        members = json.loads(text)
        seen = Seen(key=parse_verifier_key(members["key"]), note=str(members["checkpoint"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidNoteError(
            f"{file}: {error!r}: expected what `registry verify --remote --since` wrote"
        ) from error
    if key not in (None, seen.key):
        raise InvalidNoteError(
            f"{file} was written for the key {seen.key}: leave --key out, or name another file "
            "for another log"
        )
    return seen


def write_seen(file: Path, verified: RemoteVerification) -> None:
    """Remember what was verified; whoever reads the file meanwhile sees all of it or nothing.

    Raises:
        OSError
    """
    members = {"key": str(verified.key), "checkpoint": str(verified.head.note)}
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            written.write(json.dumps(members, indent=2, ensure_ascii=False) + "\n")
            written.flush()
            os.fsync(written.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
