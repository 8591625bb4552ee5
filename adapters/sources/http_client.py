"""A client that asks as sources do: with GET, within limits, and again where that may help.

The proxies of the environment are used. Cookies are not kept, and .netrc is not read.
"""

import logging
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from pathlib import Path
from typing import Self

import anyio
import attrs
import httpx
import stamina
from anyio import to_thread

from adapters.sources.http_access import HttpAccess, shown
from adapters.sources.http_answer import (
    LONGEST_WAIT_SECONDS,
    origin,
    redirected,
    refusal,
    wait_asked_for,
)
from adapters.sources.http_body import Body, too_large
from adapters.sources.http_failure import failure
from adapters.sources.spool import Spool
from domain.errors import SourceAccessError, SourceContentError, SourceUnreachableError
from domain.ports.source import LargePayload, Payload

MAX_BYTES = 100 * 1024 * 1024
JSON = "application/json, */*;q=0.5"

_USER_AGENT = f"annals-registry/{version('annals-registry')}"
_CONNECT_SECONDS = 10.0
_MOST_REDIRECTS = 5
_MOST_VALUES = 5_000_000
_MOST_TOKEN_BYTES = 64 * 1024

# It writes every address down, with what stands behind the question mark.
logging.getLogger("httpx").setLevel(logging.WARNING)


@attrs.frozen(kw_only=True)
class Answer:
    """A whole answer. `url` is where it came from after redirects, `body` is unpacked.

    The names in `headers` are found in upper and in lower case.
    """

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes
    large: LargePayload | None = None


class HttpClient:
    """Asks servers, over connections that it keeps until it is closed.

    `max_bytes` is how large a body may be; one of more than `large_bytes`, where that is said,
    comes as a file in `spool_dir`. A server that does not answer is asked up to
    `attempts` times.
    """

    def __init__(
        self,
        access: HttpAccess,
        *,
        max_bytes: int = MAX_BYTES,
        attempts: int = 3,
        first_wait_seconds: float = 0.5,
        spool_dir: Path | None = None,
        large_bytes: int | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._access = access
        self._max_bytes = max_bytes
        self._new_spool = partial(Spool, spool_dir, large_bytes)
        self._again = stamina.AsyncRetryingCaller(
            attempts=attempts,
            timeout=None,
            wait_initial=first_wait_seconds,
            wait_jitter=first_wait_seconds,
        )
        self._sleep = sleep
        self._trusted: ssl.SSLContext | None = None
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()

    async def get(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        accepting: Collection[int] = (),
        accept: str = JSON,
    ) -> Answer:
        """The answer of *url*, if it is one of success, or of a status in *accepting*.

        With the *etag* or the time *last_modified* of an earlier answer, it may also be 304.

        Raises:
            SourceError: what happened, and what to do about it.
        """
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        conditions = {
            name: value for name, value in validators.items() if value and value.isascii()
        }
        secret = await to_thread.run_sync(_secret_headers, self._access)
        question = _Question(
            client=await self._connected(),
            url=url,
            headers={**_own_headers(accept), **conditions},
            secret_headers=secret,
            accepting={*accepting, 304} if conditions else accepting,
            timeout_seconds=self._access.timeout_seconds,
            max_bytes=self._max_bytes,
            new_spool=self._new_spool,
            sleep=self._sleep,
        )
        # Without arguments: those of a call that is repeated are written into the program's log.
        return await self._again(SourceUnreachableError, question.ask)

    async def _connected(self) -> httpx.AsyncClient:
        if self._trusted is None:
            self._trusted = await to_thread.run_sync(_trusted_authorities, self._access.ca_file)
        if self._client is None:
            self._client = _open(self._trusted, self._access.timeout_seconds)
        return self._client


@attrs.define(kw_only=True)
class _Question:
    """One GET. `secret_headers` go to nothing but the origin of `url`."""

    client: httpx.AsyncClient
    url: str
    headers: Mapping[str, str]
    secret_headers: Mapping[str, str] = attrs.field(repr=False)
    accepting: Collection[int]
    timeout_seconds: float
    max_bytes: int
    new_spool: Callable[[], Spool]
    sleep: Callable[[float], Awaitable[None]]
    _at: str = attrs.field(init=False, default="")
    _wait_seconds: float = attrs.field(init=False, default=0.0)

    async def ask(self) -> Answer:
        """Ask once, as soon as the server wants to be asked again."""
        if self._wait_seconds:
            await self.sleep(self._wait_seconds)
        self._at, self._wait_seconds = self.url, 0.0
        try:
            with anyio.fail_after(self.timeout_seconds):
                return await self._follow()
        except (TimeoutError, UnicodeError, httpx.TransportError, httpx.InvalidURL) as error:
            raise failure(self._place, error, self.timeout_seconds) from error

    async def _follow(self) -> Answer:
        seen: list[str] = []
        is_home = True
        while len(seen) <= _MOST_REDIRECTS and self._at not in seen:
            seen.append(self._at)
            # What once led elsewhere gets no secret back home: the way there was not ours.
            is_home = is_home and origin(self._at) == origin(self.url)
            answer = await self._ask_at(self._at, self.secret_headers if is_home else {})
            if isinstance(answer, Answer):
                return answer
            self._at = answer
        raise SourceContentError(
            f"{shown(self.url)} redirects in a circle, or more than {_MOST_REDIRECTS} times: let"
            " `url` be the address where that should end"
        )

    async def _ask_at(self, url: str, secret_headers: Mapping[str, str]) -> Answer | str:
        """The answer, or where it sends us."""
        headers = httpx.Headers(self.headers)
        headers.update(secret_headers)
        async with self.client.stream("GET", url, headers=headers) as response:
            if response.status_code not in self.accepting:
                target = redirected(url, response.status_code, response.headers)
                if target is not None:
                    return target
                self._check_status(response)
            content = await self._read(response)
            return Answer(
                status=response.status_code,
                url=url,
                headers=response.headers,
                body=content if isinstance(content, bytes) else b"",
                large=content if isinstance(content, LargePayload) else None,
            )

    def _check_status(self, response: httpx.Response) -> None:
        # A part of a registry would look like one that has lost the rest.
        if response.is_success and response.status_code != httpx.codes.PARTIAL_CONTENT:
            return
        now = datetime.now(UTC)
        asked = wait_asked_for(response.headers, now)
        self._wait_seconds = min(asked, LONGEST_WAIT_SECONDS)
        raise refusal(self._place, response.status_code, response.headers, now)

    async def _read(self, response: httpx.Response) -> Payload:
        if int(response.headers.get("content-length", 0)) > self.max_bytes:
            raise too_large(self._place, self.max_bytes)
        encoding = response.headers.get("content-encoding", "").strip().lower()
        spool = self.new_spool()
        try:
            body = Body(self._place, encoding, self.max_bytes, spool)
            async for chunk in response.aiter_raw():
                body.add(chunk)
            return body.content()
        except BaseException:
            spool.close()
            raise

    @property
    def _place(self) -> str:
        asked, at = shown(self.url), shown(self._at)
        return asked if self._at == self.url else f"{asked} (redirected to {at})"


def require_json(answer: Answer) -> None:
    """Refuse an answer that neither is called JSON nor looks like it, and every HTML page.

    Servers of plain files call everything text/plain. JSON of so many values that reading them
    would fill the memory is refused too.

    Raises:
        SourceContentError
    """
    if sum(answer.body.count(mark) for mark in (b",", b"[", b"{")) > _MOST_VALUES:
        raise SourceContentError(
            f"{shown(answer.url)}: expected a registry, found JSON of more than {_MOST_VALUES}"
            " values: check `url`"
        )
    start = answer.body[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if start == b"<":
        raise SourceContentError(
            f"{shown(answer.url)}: expected JSON, found what looks like HTML (probably a login"
            " page): check `url` and bearerTokenFile"
        )
    if not media_type.endswith(("/json", "+json")) and start not in (b"{", b"["):
        raise SourceContentError(
            f"{shown(answer.url)}: expected JSON, found something else (Content-Type"
            f" {media_type[:60]!r}): check `url`"
        )


def _own_headers(accept: str) -> dict[str, str]:
    return {
        "User-Agent": _USER_AGENT,
        "Accept": accept,
        "Accept-Encoding": "gzip",
    }


def _secret_headers(access: HttpAccess) -> dict[str, str]:
    if access.bearer_token_file is None:
        return {**access.headers}
    return {**access.headers, "Authorization": f"Bearer {_read_token(access.bearer_token_file)}"}


def _read_token(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            token = file.read(_MOST_TOKEN_BYTES).decode("latin-1").strip()
    except OSError as error:
        raise SourceAccessError(
            f"bearerTokenFile {path} cannot be read ({error.strerror}): name a file that exists and"
            " that this process may read"
        ) from error
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SourceAccessError(
            f"bearerTokenFile {path} does not hold a token: write it there in one line"
        )
    return token


def _trusted_authorities(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()
    except OSError as error:
        where = f"caFile {ca_file}" if ca_file else "The file that SSL_CERT_FILE names"
        raise SourceAccessError(
            f"{where} cannot be used ({error.strerror}): name a file of certificates in PEM form"
            " that this process may read"
        ) from error


def _open(trusted: ssl.SSLContext, timeout_seconds: float) -> httpx.AsyncClient:
    try:
        return httpx.AsyncClient(
            verify=trusted,
            timeout=httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )
    except (ValueError, ImportError, httpx.InvalidURL):
        # Without its cause, which may name the proxy with its password.
        raise SourceAccessError(
            "The proxy that the environment names cannot be used: let HTTPS_PROXY, HTTP_PROXY and"
            " ALL_PROXY be addresses that start with http:// or https://"
        ) from None
