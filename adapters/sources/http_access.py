"""How sources are read over HTTP, as far as it can be configured. Nothing here imports httpx."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit, urlunsplit

import attrs

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_NAME = re.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile("[!-~]([ -~]*[!-~])?")
_OWN = frozenset(
    (
        "accept-encoding",
        "connection",
        "content-length",
        "host",
        "if-modified-since",
        "if-none-match",
        "range",
        "te",
        "transfer-encoding",
        "upgrade",
    )
)


def check_url(_settings: object, _attribute: object, value: str) -> None:
    """Refuse what is no address of HTTP, and credentials, without repeating it."""
    scheme, host = _split(value)
    if scheme not in ("http", "https") or not host or re.search(r"[^!-~]|\\", value):
        raise ValueError(
            "expected an address that starts with https:// or http:// and a host, without spaces;"
            " other characters than ASCII as %XX, or xn-- in the host"
        )
    if "#" in value or "@" in urlsplit(value).netloc:
        raise ValueError(
            "expected an address without user name, password and fragment: put a token into a"
            " file and name that in bearerTokenFile"
        )


def _split(value: str) -> tuple[str, str | None]:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises where it is none
    except ValueError:
        return "", None
    return parts.scheme, parts.hostname


def check_timeout(_settings: object, _attribute: object, value: float) -> None:
    """Refuse to wait for no time at all."""
    if value <= 0:
        raise ValueError("expected a duration above 0s")


def check_headers(_settings: object, _attribute: object, value: Mapping[str, str]) -> None:
    """Refuse what is no header, and those that are set by other means. Values are not repeated."""
    for name, content in value.items():
        _check_name(name)
        if not _VALUE.fullmatch(content):
            raise ValueError(
                f"expected visible ASCII characters in {name}, with spaces only between them"
            )
    if len({name.lower() for name in value}) < len(value):
        raise ValueError("expected each header once: upper and lower case are the same")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        # A line pasted as a whole has a secret in it: what is no name is not repeated.
        raise ValueError("expected names of headers such as X-Team, without colon or space")
    if name.lower() == "authorization":
        raise ValueError(f"{name} is a secret: put the token into a file named in bearerTokenFile")
    if name.lower() in _OWN:
        raise ValueError(f"{name} is set by Annals itself: remove it")


@attrs.frozen(kw_only=True)
class HttpAccess:
    """How to ask. `timeout_seconds` is for one answer, from connecting to its last byte.

    `bearer_token_file` holds a token, read again each time. `ca_file` holds certificates in PEM
    form: the authorities to trust, in place of the usual ones. `headers`, like the token, go to
    nothing but the scheme, host and port that were configured.
    """

    timeout_seconds: float = attrs.field(default=60.0, validator=check_timeout)
    headers: Mapping[str, str] = attrs.field(
        default=NO_HEADERS, validator=check_headers, repr=False
    )
    bearer_token_file: str | None = None
    ca_file: str | None = None


def shown(url: str) -> str:
    """An address for people: without user name, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
