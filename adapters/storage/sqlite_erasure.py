"""How bodies of documents are taken out of the SQLite file."""

import json
from collections.abc import Collection, Mapping

import aiosqlite

from adapters.storage.sqlite_database import SqliteDatabase
from domain.identifiers import CommitId, DocumentHash
from domain.log import refuse_unknown_documents

_HASHES = "(SELECT value FROM json_each(?))"


async def erase(
    db: aiosqlite.Connection, hashes: Collection[DocumentHash], commit_number: int | None
) -> None:
    """Overwrite the bodies of documents, and note with which commit.

    A value of the same length is written where the old one lies, on the same pages. A shorter one
    would let SQLite pack its neighbours anew, which leaves copies of them where they were.

    Raises:
        DocumentNotFoundError
    """
    if not hashes:
        return
    listed = json.dumps(sorted(hashes))
    sql = f"SELECT hash FROM documents WHERE hash IN {_HASHES}"
    known = [known for (known,) in await db.execute_fetchall(sql, (listed,))]
    refuse_unknown_documents(hashes, known)
    await db.execute(
        "INSERT INTO redactions SELECT value, ?2 FROM json_each(?1) WHERE true"
        " ON CONFLICT (hash) DO NOTHING",
        (listed, commit_number),
    )
    await db.execute(
        f"UPDATE documents SET body = zeroblob(length(body)) WHERE hash IN {_HASHES}", (listed,)
    )


async def erasures(database: SqliteDatabase) -> Mapping[DocumentHash, CommitId]:
    """The documents whose bodies were overwritten, and with which commit."""
    sql = "SELECT hash, commit_id FROM redactions JOIN commits USING (commit_number)"
    return dict(await database.fetch(sql))
