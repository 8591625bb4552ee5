"""Redacts one document after the other, and tells what is acknowledged: a process to be killed.

Run it as `python -m tests.crash.redacting DIRECTORY`. Once a redaction has returned it writes a
line with the hash of the document.
"""

import sys
from pathlib import Path

import anyio

from application.redactions import RedactionBook
from domain.events import DocumentRedacted
from domain.identifiers import DocumentHash
from entrypoints.container import opened
from tests.crash.syncing import settings_in
from tests.harness.new_commits import collect


async def redact(book: RedactionBook, known: DocumentHash) -> None:
    """Take one document away."""
    event = DocumentRedacted(document_hash=known, reason="a test", redacted_by="a process")
    await book.redact(event)


async def keep_redacting(directory: Path) -> None:
    """Redact until killed, or until nothing is left."""
    settings = settings_in(directory)
    async with opened(settings.config, settings.data_dir, must_exist=True) as container:
        for known in await collect(container.storage().all_documents()):
            await redact(container.redactions(), known)
            sys.stdout.write(f"{known}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(keep_redacting, Path(sys.argv[1]))
