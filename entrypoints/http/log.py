"""The log itself, for whoever does not want to trust this registry (C2SP tlog-tiles)."""

from functools import partial

from starlette.requests import Request

from domain.errors import InvalidNoteError, NotFoundError
from domain.notes import parse_note, parse_signatures
from domain.tiles import ENTRIES, parse_tile
from entrypoints.http.answer import Answer
from entrypoints.http.answers import IMMUTABLE, json_answer
from entrypoints.http.endpoint import Endpoint
from entrypoints.http.services import Services
from entrypoints.http.validation import read_body

GROUP = "log"
_BASES = ("/log",)
_TEXT, _BINARY = "text/plain; charset=utf-8", "application/octet-stream"
_SIGNATURE = "\u2014 "


async def get_checkpoint(services: Services, _request: Request) -> Answer:
    transparency = services.transparency
    return _passing(str(await transparency.note(await transparency.head())))


async def get_witnessed(services: Services, _request: Request) -> Answer:
    if (note := await services.transparency.witnessed()) is None:
        raise NotFoundError(
            "No witness has cosigned this log yet: log.witnesses of the configuration names who may"
        )
    return _passing(str(note))


async def get_key(services: Services, _request: Request) -> Answer:
    return _passing(f"{services.transparency.key}\n")


async def get_tile(services: Services, request: Request) -> Answer:
    return await _tile(services, request.path_params["tilePath"])


async def get_entries(services: Services, request: Request) -> Answer:
    return await _tile(services, f"{ENTRIES}/{request.path_params['tilePath']}")


async def add_cosignatures(services: Services, request: Request) -> Answer:
    text = await _read_text(request)
    if text.startswith(_SIGNATURE):
        checkpoint, lines = (await services.transparency.head()).text, parse_signatures(text)
    else:
        note = parse_note(text)
        checkpoint, lines = note.text, note.signatures
    witnesses = await services.transparency.cosign(checkpoint, lines)
    return json_answer({"checkpoint": checkpoint, "witnesses": witnesses})


async def _tile(services: Services, path: str) -> Answer:
    body = await services.transparency.tile(parse_tile(path))
    return Answer(body=body, headers={"Cache-Control": IMMUTABLE}, media_type=_BINARY)


async def _read_text(request: Request) -> str:
    try:
        return (await read_body(request)).decode()
    except UnicodeDecodeError as error:
        raise InvalidNoteError("not a signed note: expected UTF-8") from error


def _passing(text: str) -> Answer:
    return Answer(body=text.encode(), headers={"Cache-Control": "no-cache"}, media_type=_TEXT)


_endpoint = partial(Endpoint, bases=_BASES, group=GROUP)

ENDPOINTS = (
    _endpoint(
        path="/checkpoint",
        handler=get_checkpoint,
        summary="How large the log is and its Merkle root, as a signed note.",
        media_type=_TEXT,
    ),
    _endpoint(
        path="/checkpoint/witnessed",
        handler=get_witnessed,
        summary="The newest checkpoint that a witness has cosigned.",
        media_type=_TEXT,
        errors=(404,),
    ),
    _endpoint(
        path="/key",
        handler=get_key,
        summary="The key that checks the signature of a checkpoint.",
        media_type=_TEXT,
    ),
    _endpoint(
        path="/tile/{tilePath}",
        handler=get_tile,
        summary="A tile of the Merkle tree: LEVEL/INDEX, and .p/WIDTH for one that is not full.",
        media_type=_BINARY,
        errors=(404,),
    ),
    _endpoint(
        path="/entries/{tilePath}",
        handler=get_entries,
        summary="Entries of the log, 256 at a time; also at /log/tile/entries.",
        media_type=_BINARY,
        errors=(404,),
    ),
    _endpoint(
        method="POST",
        path="/cosignatures",
        handler=add_cosignatures,
        summary="Takes a checkpoint that a witness has cosigned, or lines for the newest one.",
        body="Text",
        body_type="text/plain",
        answer="Cosigned",
        errors=(400, 413),
    ),
)
