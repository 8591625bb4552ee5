"""Which moments have names. They are given on the command line."""

from starlette.requests import Request

from application.pins import pin_members
from entrypoints.http.answer import Answer
from entrypoints.http.answers import json_answer
from entrypoints.http.endpoint import Endpoint
from entrypoints.http.services import Services
from entrypoints.http.sources import BASES

GROUP = "registries"


async def list_pins(services: Services, _request: Request) -> Answer:
    named = await services.registries.pins()
    return json_answer({"pins": [pin_members(*each) for each in named]})


ENDPOINTS = (
    Endpoint(
        bases=BASES,
        path="/pins",
        handler=list_pins,
        summary="Every moment that has a name.",
        group=GROUP,
        answer="PinList",
    ),
)
