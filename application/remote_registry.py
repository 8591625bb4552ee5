"""Checks that what another registry serves is what its log recorded."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import anyio
import attrs

from application.remote_log import Progress, RemoteLog, SignedCheckpoint, Witnessed
from domain.canonical_json import canonical_json
from domain.entry import REDACTED_META, document_hash
from domain.errors import (
    AnnalsError,
    InvalidDocumentError,
    RemoteLogError,
    UntrustedLogError,
)
from domain.identifiers import Position
from domain.merkle import leaf_hash, verify_inclusion
from domain.notes import VerifierKey, from_base64, parse_verifier_key
from domain.ports.remote import RemotePort
from domain.ports.signing import VerifyPort

_PAGE = 100
_BRINGING_A_DOCUMENT = ("entry.listed", "entry.revised")


@attrs.frozen(kw_only=True)
class Seen:
    """What is known of a log: the key it is trusted by, and the last checkpoint seen of it.

    `witnesses` are those that must have cosigned it.
    """

    key: VerifierKey | None = None
    note: str | None = None
    witnesses: tuple[VerifierKey, ...] = ()


@attrs.frozen
class ServedVersions:
    """How many versions a registry serves; of the redacted ones only the hash was checked."""

    total: int = 0
    redacted: int = 0


@attrs.frozen(kw_only=True)
class RemoteVerification:
    """What was checked and held. `since` is the checkpoint that the log has gone on from.

    `is_first_use` tells that the key came from the registry itself.
    """

    key: VerifierKey
    is_first_use: bool
    head: SignedCheckpoint
    since: SignedCheckpoint | None
    witnessed: Sequence[Witnessed]
    entries: int
    versions: ServedVersions


async def verify_remote(
    remote: RemotePort,
    seen: Seen,
    registry: str | None,
    verify: VerifyPort,
    progress: Progress = lambda _done, _all: None,
) -> RemoteVerification:
    """Check a registry from outside, and everything its log says since the last checkpoint seen.

    Raises:
        UntrustedLogError: something does not hold.
        RemoteLogError: something could not be read.
    """
    key = seen.key or await _first_key(remote)
    log = RemoteLog(remote, key, verify)
    since = log.trusted(seen.note) if seen.note else None
    head = await log.head()
    if since:
        await log.check_growth(since, head)
    witnessed = [await log.check_witness(witness, head) for witness in seen.witnesses]
    after = since.checkpoint.size if since else 0
    entries = await log.check_entries(head.checkpoint, progress, after=after)
    served = _Served(remote, log, head, registry)
    return RemoteVerification(
        key=key,
        is_first_use=seen.key is None,
        head=head,
        since=since,
        witnessed=witnessed,
        entries=entries,
        versions=await served.check() if head.checkpoint.size else ServedVersions(),
    )


async def _first_key(remote: RemotePort) -> VerifierKey:
    return parse_verifier_key((await remote.get("/log/key")).body.decode(errors="replace").strip())


@attrs.frozen
class _Version:
    """A version as it is served. One that was redacted has no document, and only says its hash."""

    name: str
    version: str
    document: Mapping[str, Any] | None
    document_hash: str


class _Served:
    """Every version that a registry serves, each held against its proof."""

    def __init__(
        self, remote: RemotePort, log: RemoteLog, head: SignedCheckpoint, registry: str | None
    ) -> None:
        self._remote = remote
        self._log = log
        self._known = {head.checkpoint.size: head}
        self._head = head
        self._base = f"/registry/{quote(registry, safe='')}/v0.1" if registry else "/v0.1"
        self._comparing = anyio.Lock()

    async def check(self) -> ServedVersions:
        """Returns how many there are.

        Raises:
            UntrustedLogError, RemoteLogError
        """
        found, size = ServedVersions(), self._head.checkpoint.size
        # Whoever is asked for that moment has read the log at least as far.
        await self._remote.get(f"{self._base}/servers", {"at": f"@{size}", "limit": "1"})
        async for position, versions in self._pages():
            problems: list[AnnalsError] = []
            async with anyio.create_task_group() as tasks:
                for version in versions:
                    tasks.start_soon(self._check, version, position, problems)
            if problems:
                raise problems[0]
            redacted = sum(version.document is None for version in versions)
            found = ServedVersions(found.total + len(versions), found.redacted + redacted)
            if not versions or found.total > position:
                raise UntrustedLogError("the registry serves more versions than its log has events")
        return found

    async def _pages(self) -> AsyncIterator[tuple[Position, Sequence[_Version]]]:
        """Versions as they are served now, and the size of a tree that has them all.

        A registry that says that it has not changed since a position is the same at the head.
        """
        query = {"include_deleted": "true", "limit": str(_PAGE)}
        while True:
            answer = await self._remote.get(f"{self._base}/servers", query)
            page = _parsed(answer.body)
            with _as_untrusted("a page of servers"):
                versions = [_version(one) for one in page["servers"]]
                cursor = page["metadata"].get("nextCursor")
            if versions or cursor:
                yield max(answer.position or 0, self._head.checkpoint.size), versions
            if not cursor:
                return
            query["cursor"] = cursor

    async def _check(
        self, version: _Version, position: Position, problems: list[AnnalsError]
    ) -> None:
        try:
            with _as_untrusted("a proof"):
                proof = await self._proof(version, position)
                tree = await self._consistent(proof["checkpoint"], position)
                _check_proof(version, proof, tree)
        except AnnalsError as error:
            problems.append(error)

    async def _proof(self, version: _Version, position: Position) -> Mapping[str, Any]:
        query = {"server": version.name, "version": version.version, "at": f"@{position}"}
        found: Mapping[str, Any] = _parsed(
            (await self._remote.get(f"{self._base}/x/dev.annals/proof", query)).body
        )
        return found

    async def _consistent(self, note: str, size: Position) -> SignedCheckpoint:
        """The checkpoint in a note: of that size, and of the log whose head was checked."""
        signed = self._log.trusted(note)
        async with self._comparing:
            if signed.checkpoint.size != size:
                raise UntrustedLogError(f"a proof leads to another tree than that of @{size}")
            if (known := self._known.get(size)) is None:
                await self._log.check_growth(self._head, signed)
                self._known[size] = known = signed
            await self._log.check_growth(known, signed)
        return signed


def _version(one: Mapping[str, Any]) -> _Version:
    document, redacted = one["server"], one["_meta"].get(REDACTED_META)
    name, version = document["name"], document["version"]
    if redacted:
        return _Version(name, version, None, redacted["documentHash"])
    return _Version(name, version, document, document_hash(canonical_json(document)))


def _check_proof(version: _Version, proof: Mapping[str, Any], tree: SignedCheckpoint) -> None:
    """Recompute the way from a document to the root.

    Raises:
        UntrustedLogError: the message names the first step that does not hold.
    """
    event, leaf, position = proof["event"], proof["leaf"], proof["position"]
    data, key = canonical_json(event["data"]), event["data"]["key"]
    named = {"kind": "server", "name": version.name, "version": version.version}
    steps = (
        (event["type"] in _BRINGING_A_DOCUMENT and key == named, "the event is about another"),
        (event["data"]["document_hash"] == version.document_hash, "the log has another document"),
        (
            (proof["document"], proof["documentHash"]) == (version.document, version.document_hash),
            "the proof is of another document",
        ),
        (leaf["data_sha256"] == hashlib.sha256(data).hexdigest(), "the leaf is of another event"),
        (
            (leaf["type"], leaf["schema_version"]) == (event["type"], event["schemaVersion"]),
            "the leaf is of an event of another type",
        ),
        (leaf["position"] == position, "the leaf is of another position"),
        (_is_included(leaf, position, proof["proof"], tree), "the leaf is not in the tree"),
    )
    for holds, what in steps:
        if not holds:
            raise UntrustedLogError(
                f"{version.name}@{version.version} is served and not proven at position "
                f"{position}: {what}",
                [str(tree.note)],
            )


def _is_included(
    leaf: Mapping[str, Any], position: Position, path: Sequence[str], tree: SignedCheckpoint
) -> bool:
    size, root = tree.checkpoint.size, tree.checkpoint.root
    hashes = [from_base64(node) for node in path]
    return verify_inclusion(leaf_hash(canonical_json(leaf)), position - 1, size, hashes, root)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise RemoteLogError("the registry answered with something else than JSON") from error


@contextmanager
def _as_untrusted(what: str) -> Iterator[None]:
    """What is not shaped as it must be proves nothing."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, InvalidDocumentError) as error:
        raise UntrustedLogError(f"{what} is not one: {error!r}") from error
