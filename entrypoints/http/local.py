"""Whether a request comes from this machine, and not from a web page that somebody visits there."""

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from starlette.requests import Request

_PROXIED = ("forwarded", "via", "x-real-ip")


def strangeness(request: Request) -> str | None:
    """Why a request may be made for somebody elsewhere, None where it may not.

    A page can be let reach this machine under a name of its own, which its Host header shows.
    """
    return next(_reasons(request), None)


def _reasons(request: Request) -> Iterator[str]:
    host = request.headers.get("host", "")
    if request.client is None or not _is_loopback(request.client.host):
        yield "it comes from another machine"
    if not _is_of_this_machine(_hostname(f"//{host}")):
        yield f"it was sent to {host!r}, not to localhost"
    for name in request.headers:
        if name in _PROXIED or name.startswith("x-forwarded-"):
            yield f"a proxy has passed it on, with {name}"
    if (origin := request.headers.get("origin")) not in (None, f"http://{host}", f"https://{host}"):
        yield f"a web page of {origin!r} sent it"


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_of_this_machine(host: str) -> bool:
    """Whether a name can be no other machine's: the public DNS has none of a single label."""
    return _is_loopback(host) or re.fullmatch(r"[A-Za-z0-9-]+", host) is not None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
