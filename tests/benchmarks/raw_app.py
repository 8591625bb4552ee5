"""What a server can do at most: an ASGI application that answers with constants."""

from functools import lru_cache
from typing import Any


def raw_path(status: int, body_bytes: int, headers: int) -> str:
    """Where an answer of that size, and with that many headers, is found."""
    return f"/{status}/{body_bytes}/{headers}"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The answer that the path describes, made when it is asked for first."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    start, body = _answer(scope["path"])
    await send(start)
    await send(body)


@lru_cache
def _answer(path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    status, size, headers = map(int, path[1:].split("/"))
    own = [(b"content-length", str(size).encode())] if status == 200 else []
    others = [(f"x-header-{number}".encode(), b"x" * 24) for number in range(headers - len(own))]
    start = {"type": "http.response.start", "status": status, "headers": own + others}
    return start, {"type": "http.response.body", "body": b"x" * size}


async def _live(receive: Any, send: Any) -> None:
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})
