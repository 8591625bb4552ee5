"""A version of a server with the proof that the log has it."""

import json
from functools import partial

from starlette.requests import Request

from application.queries import LATEST, server_version
from application.rendering import redaction_members
from application.served import ServedRegistry
from application.transparency import Transparency
from domain.checkpoints import Checkpoint
from domain.composition import RegistryEntry
from domain.errors import MalformedQueryError
from domain.identifiers import EntryKind, EntryName
from domain.log import leaf_data
from domain.notes import to_base64
from domain.redaction import Redaction
from entrypoints.http.answer import Answer
from entrypoints.http.answers import answer_from
from entrypoints.http.asked import asked_registry
from entrypoints.http.endpoint import Endpoint, Parameter, in_every_registry
from entrypoints.http.parameters import MOMENT, read_query
from entrypoints.http.services import Services

GROUP = "log"

SERVER = Parameter(
    name="server", schema={"type": "string"}, description="The name of a server. It has to be said."
)
PROVEN_VERSION = Parameter(
    name="version",
    schema={"type": "string", "default": LATEST},
    description="A version of it, deleted ones included, or `latest`.",
)


async def get_proof(services: Services, request: Request) -> Answer:
    registry = await asked_registry(services, request)
    served = await _served(registry, request)
    checkpoint = await _checkpoint(services.transparency, registry)
    render = partial(_rendered, services, served, checkpoint)
    return await answer_from(
        services, request, registry, render, variant=f"proof-{checkpoint.size}"
    )


async def _served(registry: ServedRegistry, request: Request) -> RegistryEntry:
    query = read_query(request)
    if not (name := query.get("server")):
        raise MalformedQueryError("server", "", "server: expected the name of a server")
    found = await registry.versions(name)
    wanted = server_version(found.servers, query.get("version", LATEST), include_deleted=True)
    entries = await registry.named(EntryName(EntryKind.SERVER, name))
    return next(served for served in entries if served.entry.version == wanted.version)


async def _checkpoint(transparency: Transparency, registry: ServedRegistry) -> Checkpoint:
    """That of the moment, so that a proof of the past is always the same; else of the end."""
    if (moment := registry.moment) is None:
        return await transparency.head()
    return transparency.checkpoint(moment.position, moment.commit.root)


async def _rendered(services: Services, served: RegistryEntry, checkpoint: Checkpoint) -> bytes:
    position = served.entry.document_position
    (found,) = await services.documents.bodies_or_redactions([served])
    document = b"null" if isinstance(found, Redaction) else found
    event = await services.transparency.event(position)
    path = await services.transparency.inclusion(position, checkpoint.size)
    event_members = b'{"type":"%b","schemaVersion":%d,"data":%b}' % (
        event.type.encode(),
        event.schema_version,
        event.data,
    )
    others = {
        "documentHash": served.entry.document_hash,
        **({"redaction": redaction_members(found)} if isinstance(found, Redaction) else {}),
        "position": position,
        "proof": [to_base64(node) for node in path],
        "checkpoint": str(services.transparency.signed(checkpoint)),
    }
    return b'{"document":%b,"event":%b,"leaf":%b,%b' % (
        document,
        event_members,
        leaf_data(event),
        json.dumps(others, separators=(",", ":")).encode()[1:],
    )


ENDPOINTS = (
    Endpoint(
        bases=in_every_registry("/v0.1/x/dev.annals"),
        group=GROUP,
        path="/proof",
        handler=get_proof,
        summary="A version with its event, its leaf of the Merkle tree, and the way to the root.",
        query=(SERVER, PROVEN_VERSION, *MOMENT),
        answer="Proof",
        errors=(400, 404),
    ),
)
