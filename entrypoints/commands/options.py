"""What all commands share: their options, and how errors become messages and exit codes."""

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from domain.asof import Asked
    from domain.change import ChangeClass
    from entrypoints.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_config = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    envvar="REGISTRY_CONFIG",
    help="The configuration file. Without one the embedded example is used.",
)
_data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    envvar="REGISTRY_DATA_DIR",
    help="Where the log and the caches are kept.  [default: ./data]",
)
_json = click.option("--json", "as_json", is_flag=True, help="Write JSON, for machines.")
_at = click.option(
    "--at",
    metavar="AS-OF",
    help="What this registry had recorded by then: a time with an offset (2026-11-22T09:30:00Z), "
    "a date (2026-11-22, its UTC midnight), a position (@4711), or the name of a pin.  [default: "
    "the end of the log]",
)
_effective_at = click.option(
    "--effective-at",
    metavar="TIME",
    help="What the sources themselves said by then, as far as it was known: a time or a date.",
)
registry_option = click.option(
    "--registry",
    "registry_name",
    metavar="NAME",
    help="Which registry.  [default: the default one]",
)


def _installed(_context: click.Context, _parameter: click.Parameter, server: str) -> str:
    if find_spec(server) is None:
        raise click.BadParameter(
            f"{server} is not installed: pip install 'annals-registry[fast]', or do without"
        )
    return server


server_option = click.option(
    "--server",
    type=click.Choice(["hypercorn", "granian", "uvicorn"]),
    default="hypercorn",
    show_default=True,
    callback=_installed,
    help="What takes the requests. Granian and Uvicorn come with annals-registry[fast].",
)

class_option = click.option(
    "--class",
    "classes",
    metavar="CLASS,...",
    help="Only changes of these classes: execution, inputs, capability, identity, lifecycle, "
    "documentation, popularity, or all.  [default: all but popularity]",
)


def common_options(command: F) -> F:
    """Give a command --config, --data-dir and --json."""
    return _config(_data_dir(_json(command)))


json_option = _json


def moment_options(command: F) -> F:
    """Give a command --at and --effective-at."""
    return _at(_effective_at(command))


def asked(at: str | None, effective_at: str | None) -> "Asked":
    """The moment that the options name.

    Raises:
        InvalidAsOfError
    """
    from domain.asof import Asked, parse_as_of, parse_effective_at

    return Asked(
        at=parse_as_of(at) if at else None,
        effective_at=parse_effective_at(effective_at) if effective_at else None,
    )


def asked_classes(text: str | None) -> "frozenset[ChangeClass]":
    """The classes of changes that --class names.

    Raises:
        InvalidInputError
    """
    from application.change_details import SHOWN, parse_classes

    return SHOWN if text is None else parse_classes(text)


def listening(settings: "Settings", address: str) -> "Settings":
    """The settings with another address, which must be one."""
    import attrs

    from entrypoints.config import ServerConfig

    try:
        ServerConfig(address=address)
    except ValueError as error:
        raise click.BadParameter(f"{address!r}: {error}", param_hint="--address") from error
    return attrs.evolve(settings, address=address)


def run(
    work: Callable[..., Awaitable[T]], *arguments: Any, serves: bool = False, **options: Any
) -> T:
    """Run a command's work; an error that we know ends the program with its message and code.

    One that *serves* has uvloop where that is installed, which answers a tenth faster.
    """
    import anyio

    from domain.errors import AnnalsError
    from entrypoints.error_codes import code_of
    from entrypoints.interpreter import collect_seldom, take_short_turns

    collect_seldom()
    if serves:
        take_short_turns()
    try:
        return anyio.run(
            partial(work, *arguments, **options),
            backend_options={"use_uvloop": serves and find_spec("uvloop") is not None},
        )
    except AnnalsError as error:
        known = error
    except ExceptionGroup as group:
        known = _only_known(group, AnnalsError)
    except KeyboardInterrupt:
        raise click.Abort from None
    click.echo(f"registry: {known}", err=True)
    raise SystemExit(code_of(known).exit_code)


def _only_known(group: ExceptionGroup[Exception], cls: type[T]) -> T:
    """The error of ours that a task group wrapped; any other group goes on as it is."""
    error: Exception = group
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if not isinstance(error, cls):
        raise group
    return error
