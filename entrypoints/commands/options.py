"""What all commands share: their options, and how errors become messages and exit codes."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

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


def common_options(command: F) -> F:
    """Give a command --config, --data-dir and --json."""
    return _config(_data_dir(_json(command)))


json_option = _json


def run(work: Callable[..., Awaitable[T]], *arguments: Any, **options: Any) -> T:
    """Run a command's work; an error that we know ends the program with its message and code."""
    import anyio

    from domain.errors import AnnalsError
    from entrypoints.error_codes import code_of
    from entrypoints.garbage import collect_seldom

    collect_seldom()
    try:
        return anyio.run(partial(work, *arguments, **options))
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
