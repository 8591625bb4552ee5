"""The servers that the application can stand behind, in this process: one file for each."""

import socket
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Protocol

import attrs
from starlette.types import ASGIApp


@attrs.frozen(kw_only=True)
class Listening:
    """Where a server listens, and for how long.

    `until_stopped` is awaited from when it listens to when it shall stop. Then requests that
    have begun have `grace_seconds` to end.
    """

    host: str
    port: int
    grace_seconds: float
    until_stopped: Callable[[], Awaitable[None]]


class Serve(Protocol):
    """What the file of a server has: a function `serve`."""

    async def __call__(self, app: ASGIApp, listening: Listening) -> None:
        """Serve until all is over. The application runs already: there is no lifespan.

        Raises:
            OSError: it cannot listen there.
        """
        ...


def bound(listening: Listening) -> socket.socket:
    """A socket that can listen there.

    Raises:
        OSError
    """
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    # With its protocol named: otherwise asyncio lets Nagle's algorithm hold up every answer.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((listening.host, listening.port))
    except OSError:
        bound.close()
        raise
    return bound


def server_of(name: str) -> Serve:
    """The server of that name, which must be installed."""
    serve: Serve = import_module(f"{__name__}.{name}").serve
    return serve
