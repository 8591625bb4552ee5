"""Documents in SQLite: packed with a dictionary, which is made of the first that come."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import anyio
import anyio.to_thread

from adapters.storage import document_body, document_dictionary
from adapters.storage.document_body import Packing, Row
from adapters.storage.sqlite_bundle import bundled, rows_of
from adapters.storage.sqlite_database import SqliteDatabase, beyond
from domain.errors import CorruptLogError
from domain.identifiers import DocumentHash
from domain.log import check_documents

DICTIONARIES = "SELECT dictionary_id, content, content_crc32 FROM dictionaries ORDER BY rowid"
_WANTED = bundled(
    """
    SELECT hash, body, body_crc32 FROM documents
    WHERE hash IN (SELECT value FROM json_each(?)) AND hash NOT IN (SELECT hash FROM redactions)
    """,
    ["hash", "body_crc32"],
    "body",
)

_FEW = 1000  # documents that are read as one: SQLite takes a gigabyte at most
_MANY = 1000  # rows of a batch, and bodies that are worth a hop to another thread


class SqliteDocuments:
    """The documents of a log, and the dictionaries that this process knows of."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._packing = Packing()
        self._sample: document_dictionary.Sample | None = document_dictionary.Sample()
        self._training = anyio.Lock()

    async def pack(self, documents: Mapping[DocumentHash, bytes]) -> Sequence[Row]:
        """Documents as they are to be stored.

        Raises:
            CorruptLogError: a body has another hash.
        """
        if not documents:
            return []
        await anyio.to_thread.run_sync(check_documents, documents)
        if not self._packing.has_dictionary:
            await self._prepare(documents.values())
        return await anyio.to_thread.run_sync(self._packing.pack, documents)

    async def documents(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        """The bodies of those that are known and not erased."""
        frames = await self.packed(hashes)
        if len(frames) > _MANY:
            return await anyio.to_thread.run_sync(self._packing.unpack_all, frames)
        return self._packing.unpack_all(frames)

    async def packed(self, hashes: Iterable[DocumentHash]) -> Mapping[DocumentHash, bytes]:
        """Their frames, for which `unpack` then has every dictionary."""
        wanted, rows = list(hashes), list[Row]()
        for start in range(0, len(wanted), _FEW):
            listed = json.dumps(wanted[start : start + _FEW])
            found = rows_of(await self._database.fetch(_WANTED, listed))
            rows += [(name, body, crc) for name, crc, body in found]
        return await self._frames(rows)

    async def _frames(self, rows: Sequence[Row]) -> Mapping[DocumentHash, bytes]:
        frames = document_body.checked(rows)
        if self._packing.lacks(frames.values()):
            await self._learn()
        return frames

    async def all_documents(self) -> AsyncIterator[Mapping[DocumentHash, bytes | None]]:
        """All that have a body, in the order in which they lie in the file."""
        sql = (
            "SELECT hash, body, body_crc32, rowid FROM documents WHERE rowid > ?"
            f" AND hash NOT IN (SELECT hash FROM redactions) ORDER BY rowid LIMIT {_MANY}"
        )
        after = 0
        while rows := await self._database.fetch(sql, after):
            yield await self._readable([row[:3] for row in rows])
            after = beyond(after, rows[-1][3])

    async def _readable(self, rows: Sequence[Row]) -> Mapping[DocumentHash, bytes | None]:
        """The bodies of rows. One that is damaged hides no other."""
        try:
            frames = await self._frames(rows)
            return await anyio.to_thread.run_sync(self._packing.unpack_all, frames)
        except (CorruptLogError, TypeError):
            if len(rows) == 1:
                return {rows[0][0]: None}
            alone = [await self._readable([row]) for row in rows]
            return {name: body for found in alone for name, body in found.items()}

    def unpack(self, packed: Sequence[bytes]) -> Sequence[bytes]:
        """The bodies of frames."""
        return self._packing.unpack(packed)

    async def _prepare(self, bodies: Iterable[bytes]) -> None:
        """Find the log's dictionary, or make it as soon as there is enough to make it of."""
        async with self._training:
            await self._learn()
            if self._packing.has_dictionary or self._sample is None:
                return
            self._sample.add(bodies)
            if sample := self._sample.bodies():
                self._sample = None
                await self._train(sample)

    async def _train(self, sample: Sequence[bytes]) -> None:
        content = await anyio.to_thread.run_sync(document_dictionary.train, sample)
        if content is not None:
            async with self._database.transaction() as db:
                await db.execute(
                    "INSERT INTO dictionaries SELECT ?, ?, ?"
                    " WHERE NOT EXISTS (SELECT 1 FROM dictionaries)",
                    document_body.dictionary_row(content),
                )
            await self._learn()

    async def _learn(self) -> None:
        self._packing.learn(await self._database.fetch(DICTIONARIES))
