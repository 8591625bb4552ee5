"""What a client takes, and what it has: the headers that choose among forms of one answer."""

import attrs
from starlette.types import Scope

from entrypoints.http.codings import IDENTITY, acceptable

ASKING = "annals.asking"
"""Where endpoints find it in the scope of a request."""


@attrs.frozen(kw_only=True)
class Asking:
    """`codings` are those a client takes, the best first, and `known` is its If-None-Match."""

    codings: tuple[str, ...]
    known: str | None

    def known_coding(self, tag: str) -> str | None:
        """The coding in which the client has what *tag* names (RFC 9110, section 13.1.2).

        Only of those it takes: a cache names all it has, and answers many clients.
        """
        if self.known is None:
            return None
        known = [part.strip().removeprefix("W/") for part in self.known.split(",")]
        if "*" in known:
            return IDENTITY if IDENTITY in self.codings else self.codings[0]
        return next((one for one in self.codings if coded_tag(tag, one) in known), None)


def asking(scope: Scope) -> Asking:
    """The headers of a request; one that comes in several lines is a list."""
    accepted, known = [], []
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            accepted.append(value.decode("latin-1"))
        elif name == b"if-none-match":
            known.append(value.decode("latin-1"))
    return Asking(
        codings=acceptable(",".join(accepted) if accepted else None),
        known=",".join(known) if known else None,
    )


def coded_tag(tag: str, coding: str) -> str:
    """The entity tag of an answer in a coding: strong tags tell bytes apart."""
    return tag if coding == IDENTITY else f'{tag[:-1]}-{coding}"'
