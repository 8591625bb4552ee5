"""Which registry a request is about, and of which moment."""

import attrs
from starlette.requests import Request

from application.served import ServedRegistry
from domain.asof import NOW, Asked, AsOf, AtPosition, parse_as_of
from domain.errors import InvalidAsOfError
from domain.identifiers import Position
from entrypoints.http.parameters import asked_moment, cursor_moment
from entrypoints.http.services import Services


async def asked_registry(services: Services, request: Request) -> ServedRegistry:
    """The registry that the path names, else the default one, as of the moment asked for.

    The path may name it as `name@as-of`. Who goes on with a list is answered as of its moment.

    Raises:
        RegistryNotFoundError
        InvalidAsOfError, PinNotFoundError, NothingRecordedError, NothingInEffectError
    """
    name, in_path = named(request.path_params.get("registryName"))
    asked = together(asked_moment(request), in_path)
    return await services.registries.asked(name, _continued(asked, cursor_moment(request)))


async def asked_span(services: Services, request: Request) -> tuple[str | None, Position | None]:
    """Which registry's changes are asked for, and up to where if the request names a moment.

    Raises:
        InvalidAsOfError, PinNotFoundError, NothingRecordedError
    """
    name, in_path = named(request.path_params.get("registryName"))
    asked = together(asked_moment(request), in_path)
    if asked.is_live:
        return name, None
    moment = await services.registries.resolve(asked)
    if moment.effective_at:
        raise InvalidAsOfError("Changes come in the order in which they were recorded: use `at`")
    return name, moment.position


def moment_of(registry: ServedRegistry) -> Asked:
    """What a registry can be asked for with, to be answered as of the same moment."""
    if (moment := registry.moment) is None:
        return NOW
    return Asked(at=AtPosition(moment.position), effective_at=moment.effective_at)


def _continued(asked: Asked, cursor: Asked) -> Asked:
    """What is asked for, where it does not say as the cursor says."""
    if cursor.is_live:
        return asked
    return Asked(at=asked.at or cursor.at, effective_at=asked.effective_at or cursor.effective_at)


def together(asked: Asked, in_path: AsOf | None) -> Asked:
    """What the query and the path ask for.

    Raises:
        InvalidAsOfError: both name a moment.
    """
    if in_path is None:
        return asked
    if asked.at is not None:
        raise InvalidAsOfError("The path names a moment already: leave `at` out of the query")
    return attrs.evolve(asked, at=in_path)


def named(text: str | None) -> tuple[str | None, AsOf | None]:
    """A registry and a moment, of `name`, `name@as-of` or `name@4711`."""
    name, at, moment = (text or "").partition("@")
    if not at:
        return name or None, None
    return name, parse_as_of(f"@{moment}" if moment.isdecimal() else moment)
