"""The ASGI application: what holds for every request, whatever it asks for."""

from collections.abc import Callable, Hashable, Sequence
from time import perf_counter
from urllib.parse import quote, unquote_to_bytes

import attrs
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from application.projector import Live
from entrypoints.http.answer import Answer, SentAnswer, coding_for, is_dear, sent
from entrypoints.http.asking import ASKING, Asking, asking
from entrypoints.http.errors import problem, problem_of
from entrypoints.http.kept_answers import Kept
from entrypoints.http.routes import Route, Routes
from entrypoints.http.services import Services

_READING = ("GET", "HEAD")
_UNKNOWN = "unknown"  # the endpoint of a path that is not served
_DAY = "86400"
_SAFE = "/%:@!$&'()*+,;=~?"  # what may stand in a URL as it came
_MOST_KEPT = 16 * 1024 * 1024  # bytes
_BESIDE_BODIES = 3000  # bytes that keeping an answer takes, about


@attrs.define(kw_only=True)
class LastingAnswer:
    """An answer of a registry, and the forms that it was sent in, by status and coding.

    It is the answer while its basis makes `made_of` of the live state.
    """

    template: str
    answer: Answer
    basis: Callable[[Live], Hashable]
    made_of: Hashable
    forms: dict[tuple[int, str], SentAnswer] = attrs.field(factory=dict)

    def form(self, asked: Asking) -> tuple[int, str]:
        """Which form is for who asks."""
        if known := asked.known_coding(self.answer.tag or ""):
            return 304, known
        return self.answer.status, coding_for(self.answer, asked)

    def serves(self, asked: Asking) -> bool:
        """Whether there is all that the form for who asks is made of."""
        return self.answer.body is not None or self.form(asked)[0] == 304

    async def sent(self, asked: Asking) -> SentAnswer:
        """The form for who asks, which is there from now on."""
        form = self.form(asked)
        if form not in self.forms:
            self.forms[form] = await sent(self.answer, asked)
        return self.forms[form]

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        bodies = {id(body): len(body) for body in self._bodies()}
        return sum(bodies.values()) + _BESIDE_BODIES

    def _bodies(self) -> list[bytes]:
        return [self.answer.body or b"", *(form.body for form in self.forms.values())]


class Entrance:
    """Answers what was asked before at once, and finds the endpoint of everything else."""

    def __init__(self, services: Services, routes: Routes) -> None:
        self._services = services
        self._routes = routes
        self._kept: Kept[LastingAnswer] = Kept(_MOST_KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began, method, asked = perf_counter(), scope["method"], asking(scope)
        answer: ASGIApp | None
        if method in _READING and (known := self._known(_key(scope), asked)):
            template, answer = known
        else:
            template, answer = await self._found(scope, receive, asked)
        if answer is None:  # nobody waits for it any more
            return
        status = answer.status if isinstance(answer, SentAnswer) else 200
        self._services.measures.requested(template, method, status, perf_counter() - began)
        await answer(scope, receive, send)

    def _known(self, key: Hashable, asked: Asking) -> tuple[str, SentAnswer] | None:
        """What was sent before to somebody who asked for the same, if it still is the answer."""
        if (lasting := self._lasting(key)) is None:
            return None
        form = lasting.forms.get(lasting.form(asked))
        return (lasting.template, form) if form else None

    def _lasting(self, key: Hashable) -> LastingAnswer | None:
        lasting = self._kept.find(key)
        return lasting if lasting and self._holds(lasting) else None

    def _holds(self, lasting: LastingAnswer) -> bool:
        return lasting.basis(self._services.registries.live) == lasting.made_of

    async def _found(
        self, scope: Scope, receive: Receive, asked: Asking
    ) -> tuple[str, ASGIApp | None]:
        if turned_away := _turned_away(scope):
            return _UNKNOWN, await sent(turned_away, asked)
        method, path = scope["method"], scope["path"].removeprefix(scope.get("root_path", ""))
        if (found := self._routes.find(method, path)) is None:
            return _UNKNOWN, await sent(_unserved(method, self._routes.methods(path)), asked)
        route, parameters = found
        request = Request({**scope, "path_params": parameters, ASKING: asked}, receive)
        make = self._made_to_last if route.endpoint.lasting else self._made
        return route.template, await make(route, request, asked)

    async def _made(self, route: Route, request: Request, asked: Asking) -> ASGIApp | None:
        answer = await self._answered(route, request)
        return await sent(answer, asked) if isinstance(answer, Answer) else answer

    async def _made_to_last(self, route: Route, request: Request, asked: Asking) -> ASGIApp | None:
        """The same, but kept. Who asks for it meanwhile waits, to get it from there."""
        key = _key(request.scope)
        async with self._kept.alone(key):
            lasting = self._lasting(key)
            if lasting is None or not lasting.serves(asked):
                live = self._services.registries.live
                answer = await self._answered(route, request)
                if not isinstance(answer, Answer):
                    return answer
                if answer.basis is None or not (
                    is_dear(answer, asked) or self._kept.is_wanted(key)
                ):
                    return await sent(answer, asked)
                lasting = LastingAnswer(
                    template=route.template,
                    answer=answer,
                    basis=answer.basis,
                    made_of=answer.basis(live),
                )
            form = await lasting.sent(asked)
            if self._holds(lasting):
                self._kept.keep(key, lasting, lasting.size)
            return form

    async def _answered(self, route: Route, request: Request) -> Answer | ASGIApp | None:
        try:
            return await route.endpoint.handler(self._services, request)
        except ClientDisconnect:
            return None
        except Exception as error:  # noqa: BLE001  # whatever it is, the client gets an answer
            return problem_of(error)


def _key(scope: Scope) -> Hashable:
    """What answers of a registry differ by, beside the registry and who asks."""
    return scope.get("raw_path") or scope["path"], scope["query_string"]


def _unserved(method: str, methods: Sequence[str]) -> Answer:
    """What no endpoint answers: preflights, other methods, other paths."""
    if not methods:
        return problem(404, "There is nothing at this path: /docs lists what there is")
    allow = ", ".join(sorted({*methods, "OPTIONS"}))
    if method == "OPTIONS":
        return Answer(status=204, headers={"Allow": allow, "Access-Control-Max-Age": _DAY})
    return problem(405, f"This path takes {allow}", headers={"Allow": allow})


def _turned_away(scope: Scope) -> Answer | None:
    """The answer to a request whose URL is not one that is routed."""
    path, query = scope["path"], scope["query_string"]
    if "\0" in path or b"\0" in query or b"%00" in query:
        return problem(400, "A NUL is no part of any name: take it out of the URL")
    if "\n" in path:  # patterns of routes end before the last one
        return problem(400, "A line feed is no part of any name: take it out of the path")
    raw_path = scope.get("raw_path") or quote(path).encode()
    if "\ufffd" in path and not _is_utf8(unquote_to_bytes(raw_path)):
        return problem(400, "The path is not UTF-8: percent-encode it as UTF-8")
    if raw_path.endswith(b"/") and path != "/":
        return Answer(status=308, headers={"Location": _without_slash(raw_path, query)})
    return None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_slash(raw_path: bytes, query: bytes) -> str:
    """The same URL with one slash at its start, or it would name a host, and none at its end."""
    path = "/" + quote(raw_path.strip(b"/"), safe=_SAFE)
    return path + (f"?{quote(query, safe=_SAFE)}" if query else "")
