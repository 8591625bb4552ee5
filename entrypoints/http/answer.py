"""An answer as endpoints make it, and as it is sent: in a coding, with all of its headers."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache, partial

import anyio.to_thread
import attrs
from starlette.types import Receive, Scope, Send

from application.projector import Live
from entrypoints.http.asking import Asking, coded_tag
from entrypoints.http.codings import IDENTITY, compressed

EXPOSED_HEADERS = (
    "ETag",
    "Registry-Position",
    "Registry-Withdrawals",
    "Registry-Recorded-At",
    "Registry-Effective-At",
)
"""What pages of other origins may read of an answer."""

CORS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS),
}
"""What every answer has: anybody's page may read it."""

_TEXT = re.compile(r"text/|application/(.+\+)?(json|xml|yaml)\b")
_WORTH = 1024  # bytes: below that a packet is sent anyhow
_LONG = 256 * 1024  # bytes: beyond that others would notice that one is compressed


@attrs.frozen(kw_only=True)
class Answer:
    """What an endpoint says, whoever asks. `headers` are those that do not follow from the rest.

    One of a registry has a strong entity `tag`, and is the answer while `basis` makes the same of
    the live state. Its `body` is None where the client has it already. One that `is_dear` took
    long to make.
    """

    status: int = 200
    media_type: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes | None = b""
    tag: str | None = None
    basis: Callable[[Live], Hashable] | None = None
    is_dear: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it may be compressed: other types are compact as they are."""
        return self.media_type is not None and _is_text(self.media_type)


@attrs.frozen(kw_only=True)
class SentAnswer:
    """All of an answer, as an ASGI application. Servers leave the body out for HEAD."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status, "headers": self.headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


async def sent(answer: Answer, asked: Asking) -> SentAnswer:
    """The form of *answer* for who asks, 304 included."""
    if answer.tag and (known := asked.known_coding(answer.tag)):
        return _sent(answer, 304, known, b"")
    coding, body = coding_for(answer, asked), answer.body or b""
    if coding != IDENTITY:
        compress = partial(compressed, body, coding)
        body = await anyio.to_thread.run_sync(compress) if len(body) > _LONG else compress()
    return _sent(answer, answer.status, coding, body)


def coding_for(answer: Answer, asked: Asking) -> str:
    """The coding to send an answer in."""
    is_small = len(answer.body or b"") < _WORTH and IDENTITY in asked.codings
    return IDENTITY if is_small or not answer.is_text else asked.codings[0]


def is_dear(answer: Answer, asked: Asking) -> bool:
    """Whether it takes longer to make than to find: compression takes longest of all."""
    return answer.is_dear or coding_for(answer, asked) != IDENTITY


def _sent(answer: Answer, status: int, coding: str, body: bytes) -> SentAnswer:
    headers = dict(answer.headers)
    if answer.tag:
        headers["ETag"] = coded_tag(answer.tag, coding)
    if answer.is_text:
        headers["Vary"] = "Accept-Encoding"
    if status in (204, 304):
        return SentAnswer(status=status, headers=[*_raw(*headers.items())], body=body)
    if answer.media_type:
        headers["Content-Type"] = answer.media_type
    if coding != IDENTITY:
        headers["Content-Encoding"] = coding
    length = b"content-length", b"%d" % len(body)
    return SentAnswer(status=status, headers=[length, *_raw(*headers.items())], body=body)


@lru_cache(maxsize=32)
def _is_text(media_type: str) -> bool:
    return _TEXT.match(media_type) is not None


@lru_cache(maxsize=256)
def _raw(*headers: tuple[str, str]) -> Sequence[tuple[bytes, bytes]]:
    """As ASGI has them, with those of every answer. Most have the same but for their length."""
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in (*headers, *CORS.items())
    ]
