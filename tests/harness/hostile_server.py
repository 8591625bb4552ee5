"""A real HTTP server that answers well until it is told to misbehave, on the wire where needed."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from itertools import repeat
from typing import Any, TypeAlias
from unittest.mock import patch
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from tests.harness.certificates import Certificate, make_certificate

_REASON = "As The Test Says"


@attrs.frozen(kw_only=True)
class Request:
    """A request as it came in; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The parameters; the last one of a name counts."""
        return dict(parse_qsl(urlsplit(self.target).query))


@attrs.frozen(kw_only=True)
class Answer:
    """A whole answer, sent with its length."""

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=lambda: {"Content-Type": "application/json"})
    body: bytes = b""

    def head(self, **changes: str | None) -> bytes:
        """Status line and headers; *changes* replace headers, and None removes one."""
        headers = {**self.headers, "Content-Length": str(len(self.body))}
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
        return "\r\n".join([f"HTTP/1.1 {self.status} {_REASON}", *lines, "", ""]).encode()


Misbehaviour: TypeAlias = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
"""Writes what it likes in place of an answer; afterwards the connection is closed."""

Handler: TypeAlias = Callable[[Request], Awaitable[Answer]]
Applies: TypeAlias = Callable[[Request], bool]


class HostileServer:
    """Answers what `answer` says. With a `misbehaviour`, requests that it applies to get that.

    `requests` has all that came. The port stays the same while the server is away. What has to
    be undone before it behaves again is in `damage`.
    """

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.answer: Handler = _nothing
        self.requests: list[Request] = []
        self.damage = ExitStack()
        self.port = 0
        self._asked = asyncio.Event()
        self.certificate = certificate
        self._tls = certificate and certificate.context()
        self._misbehaviour: Misbehaviour | None = None
        self._applies: Applies = lambda _request: True
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def url(self, path: str = "", host: str = "127.0.0.1") -> str:
        """The address of *path*, which starts with a slash."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def misbehave(
        self, misbehaviour: Misbehaviour, applies: Applies = lambda _request: True
    ) -> None:
        """From now on misbehave, whenever a request comes that it *applies* to."""
        self._misbehaviour, self._applies = misbehaviour, applies

    def become_a_stranger(self) -> None:
        """Show a certificate that nobody has heard of to whoever connects from now on."""
        assert self._tls
        assert self.certificate
        stranger = make_certificate(self.certificate.file.parent, "stranger")
        self._tls.load_cert_chain(stranger.file, stranger.key)
        self.damage.callback(self._tls.load_cert_chain, self.certificate.file, self.certificate.key)

    async def until_asked(self, times: int) -> None:
        """Wait until so many requests have come."""
        while len(self.requests) < times:
            self._asked = asyncio.Event()
            await self._asked.wait()

    async def behave(self) -> None:
        """Answer well again, and listen again."""
        self._misbehaviour = None
        self.damage.close()
        if self._server is None:
            await self.listen()

    async def listen(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(
            self._converse, "127.0.0.1", self.port, ssl=self._tls, limit=2**20
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def go_away(self) -> None:
        """Hang up on everybody, and take no more connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            # Clients that hang up are what some tests are about.
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._answered(await _read_request(reader), writer):
                    pass
        finally:
            self._connections.discard(task)
            writer.transport.abort() if task.cancelling() else writer.close()

    async def _answered(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can go on."""
        self.requests.append(request)
        self._asked.set()
        if self._misbehaviour is not None and self._applies(request):
            await self._misbehaviour(request, writer)
            await writer.drain()
            return False
        answer = await self.answer(request)
        writer.write(answer.head() + answer.body)
        await writer.drain()
        return True


@asynccontextmanager
async def hostile_server(certificate: Certificate | None = None) -> AsyncIterator[HostileServer]:
    """A running server, which is gone afterwards."""
    server = HostileServer(certificate)
    await server.listen()
    try:
        yield server
    finally:
        server.damage.close()
        await server.go_away()


async def _nothing(_request: Request) -> Answer:
    return Answer(status=404)


async def _read_request(reader: asyncio.StreamReader) -> Request:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    method, target, _ = first.split(" ")
    raw = dict(line.split(": ", 1) for line in lines if line)
    headers = {name.lower(): value for name, value in raw.items()}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method=method, target=target, headers=headers, body=body)


def answers(status: int, body: bytes = b"", **headers: str) -> Misbehaviour:
    """The same answer to everybody."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _write(Answer(status=status, headers=named, body=body))


def redirects(location: Callable[[Request], str]) -> Misbehaviour:
    """Sends everybody elsewhere."""

    async def misbehave(request: Request, writer: asyncio.StreamWriter) -> None:
        answer = Answer(status=302, headers={"Location": location(request)})
        writer.write(answer.head(Connection="close"))

    return misbehave


def leads_away(server: HostileServer, host: str) -> Misbehaviour:
    """Sends everybody to another *host*, which answers nobody without credentials."""

    async def misbehave(request: Request, writer: asyncio.StreamWriter) -> None:
        is_there = request.headers["host"].startswith(host)
        refuses = is_there and "authorization" not in request.headers
        target = server.url(request.target, host)
        await (
            answers(401)
            if refuses
            else _write(await server.answer(request))
            if is_there
            else redirects(lambda _: target)
        )(request, writer)

    return misbehave


async def says_nothing(_request: Request, _writer: asyncio.StreamWriter) -> None:
    """Takes the request and leaves it at that."""
    await asyncio.Event().wait()


def cuts_off(handler: Handler) -> Misbehaviour:
    """Announces a whole answer, and sends half of it."""

    async def misbehave(request: Request, writer: asyncio.StreamWriter) -> None:
        answer = await handler(request)
        writer.write(answer.head() + answer.body[: len(answer.body) // 2])

    return misbehave


async def drips(_request: Request, writer: asyncio.StreamWriter) -> None:
    """Sends white space that could be the beginning of JSON, with a pause after each byte."""
    await streams(repeat(b" "), pause_seconds=0.02)(_request, writer)


def streams(chunks: Iterable[bytes], pause_seconds: float = 0, **headers: str) -> Misbehaviour:
    """Sends chunks without telling their length, in one answer."""
    named = {"Content-Type": "application/json"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = Answer(headers=named).head(Content_Length=None, Transfer_Encoding="chunked")

    async def misbehave(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for chunk in chunks:
            writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()
            await asyncio.sleep(pause_seconds)
        writer.write(b"0\r\n\r\n")

    return misbehave


def _write(answer: Answer) -> Misbehaviour:
    async def misbehave(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer.head(Connection="close") + answer.body)

    return misbehave


@contextmanager
def unknown_host(host: str) -> Iterator[None]:
    """Nobody in this process finds out what the name means."""
    resolve = socket.getaddrinfo

    def getaddrinfo(name: Any, *details: Any, **options: Any) -> Any:
        if name in (host, host.encode()):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(name, *details, **options)

    with patch.object(socket, "getaddrinfo", getaddrinfo):
        yield
