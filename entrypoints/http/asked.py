"""Which registry a request is about, and of which moment."""

import attrs
from starlette.requests import Request

from application.served import ServedRegistry
from domain.asof import Asked, AsOf, AtPosition, parse_as_of
from domain.errors import InvalidAsOfError
from entrypoints.http.parameters import asked_moment, cursor_moment
from entrypoints.http.services import Services


async def asked_registry(services: Services, request: Request) -> ServedRegistry:
    """The registry that the path names, else the default one, as of the moment asked for.

    The path may name it as `name@as-of`. Who goes on with a list is answered as of its moment.

    Raises:
        RegistryNotFoundError
        InvalidAsOfError, PinNotFoundError, NothingRecordedError, NothingInEffectError
    """
    name, in_path = _named(request.path_params.get("registryName"))
    asked = asked_moment(request)
    if in_path is not None:
        if asked.at is not None:
            raise InvalidAsOfError("The path names a moment already: leave `at` out of the query")
        asked = attrs.evolve(asked, at=in_path)
    return await services.registries.asked(name, cursor_moment(request) if asked.is_live else asked)


def moment_of(registry: ServedRegistry) -> Asked:
    """What a registry can be asked for with, to be answered as of the same moment."""
    if (moment := registry.moment) is None:
        return Asked()
    return Asked(at=AtPosition(moment.position), effective_at=moment.effective_at)


def _named(text: str | None) -> tuple[str | None, AsOf | None]:
    """A registry and a moment, of `name`, `name@as-of` or `name@4711`."""
    name, at, moment = (text or "").partition("@")
    if not at:
        return name or None, None
    return name, parse_as_of(f"@{moment}" if moment.isdecimal() else moment)
