"""What a URL in a server.json may be: its form, its host and the `{variables}` in it."""

import re
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from domain.json_checks import Check, Issue, Place, shown

OVER_HTTP = ("streamable-http", "sse")


class UrlFlaw(Enum):
    """Why a text is not the URL that was expected."""

    MALFORMED = "it is not written as RFC 3986 writes URLs"
    RELATIVE = "it has no scheme"
    SCHEME = "it has another scheme"


_CHARACTERS = re.compile(r"[!#-;=?-\[\]_a-z~]*")
_HOST_NAME = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+\.?")
_VARIABLE = re.compile(r"\{([^{}\s]+)\}")
_PORT_VARIABLE = re.compile(r":\{[^{}\s]+\}(?=[/?#]|$)")
# Browsers and resolvers read `127.1`, `2130706433` and `0x7f.1` as IPv4 addresses.
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL_ZONES = (".localhost", ".local", ".internal", ".home.arpa")
_REPOSITORIES = {
    "github": re.compile(r"https?://(?:www\.)?github\.com/[\w.-]+/[\w.-]+/?", re.ASCII),
    "gitlab": re.compile(r"https?://(?:www\.)?gitlab\.com/[\w.-]+(?:/[\w.-]+)+/?", re.ASCII),
}
REPOSITORY_SOURCES = tuple(_REPOSITORIES)


def https_url(references: Mapping[UrlFlaw, str]) -> Check:
    """An absolute https URL; each flaw has a reference code."""

    def check(url: str, place: Place) -> Iterator[Issue]:
        if flaw := _flaw(url):
            message = f"expected an absolute https URL, found {shown(url)}: {flaw.value}"
            yield place.issue(references[flaw], message)

    return check


def repository_url(url: str, place: Place) -> Iterator[Issue]:
    """The URL of a repository at the source that stands beside it."""
    source = place.owners[0].get("source")
    pattern = _REPOSITORIES.get(source) if isinstance(source, str) else None
    if pattern and not pattern.fullmatch(url):
        message = f"expected https://{source}.com/owner/repo, found {shown(url)}"
        yield place.issue("invalid-repository-url", message)


def url_required(reference: str) -> Check:
    """A transport over HTTP has a URL."""

    def check(transport: dict[str, Any], place: Place) -> Iterator[Issue]:
        if transport.get("type") in OVER_HTTP and transport.get("url", "") == "":
            message = f"expected the URL of a {transport['type']} transport"
            yield place.member("url", transport).issue(reference, message)

    return check


def package_url(url: str, place: Place) -> Iterator[Issue]:
    """The URL that a package listens at: none beside stdio, else http or https, local or not."""
    transport, package = place.owners[:2]
    kind = transport.get("type")
    if kind == "stdio" and url:
        message = f"expected no URL beside stdio, found {shown(url)}"
        yield place.issue("stdio-transport-url-not-empty", message)
    if kind in OVER_HTTP and url:
        if not _is_local_or_remote(url):
            message = f"expected http, https or a {{variable}} first, found {shown(url)}"
            yield place.issue("invalid-templated-url", message)
        yield from _undeclared(url, _input_names(package), place)


def remote_url(url: str, place: Place) -> Iterator[Issue]:
    """The URL of a remote server: https, on a host that anyone can reach."""
    if url:
        if not _is_remote(url):
            message = f"expected an https URL on a public host, found {shown(url)}"
            yield place.issue("invalid-remote-url", message)
        declared = place.owners[0].get("variables")
        yield from _undeclared(url, declared if isinstance(declared, dict) else (), place)


def _undeclared(url: str, declared: Collection[str], place: Place) -> Iterator[Issue]:
    for name in dict.fromkeys(_VARIABLE.findall(url)):
        if name not in declared:
            message = f"expected a declared variable, found {shown(name)}"
            yield place.issue("invalid-templated-url", message)


def _input_names(package: dict[str, Any]) -> set[str]:
    """What the URL of a package's transport may name in braces."""
    members = ("environmentVariables", "runtimeArguments", "packageArguments")
    arrays = (found for member in members if isinstance(found := package.get(member), list))
    inputs = (item for array in arrays for item in array if isinstance(item, dict))
    names = (item.get(key) for item in inputs for key in ("name", "valueHint"))
    return {name for name in names if isinstance(name, str)}


def _is_local_or_remote(url: str) -> bool:
    """Whether *url*, its variables filled in, can be http or https."""
    if url.startswith("{"):
        return _CHARACTERS.fullmatch(_filled(url)) is not None
    return (
        url.startswith(("http://", "https://")) and _flaw(_filled(url), ("http", "https")) is None
    )


def _is_remote(url: str) -> bool:
    """Whether *url*, its variables filled in, is https on a public host."""
    filled = _filled(url)
    return (
        url.startswith("https://")
        and _flaw(filled) is None
        and _is_public(urlsplit(filled).hostname or "")
    )


def _filled(url: str) -> str:
    """Put something fitting where variables are: a port takes digits, the rest takes names."""
    return _VARIABLE.sub("x.x", _PORT_VARIABLE.sub(":1", url))


def _flaw(url: str, schemes: Collection[str] = ("https",)) -> UrlFlaw | None:
    if not _CHARACTERS.fullmatch(url):
        return UrlFlaw.MALFORMED
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return UrlFlaw.MALFORMED
    if not parts.scheme:
        return UrlFlaw.RELATIVE
    if parts.scheme not in schemes:
        return UrlFlaw.SCHEME
    return None if _has_host(parts) else UrlFlaw.MALFORMED


def _has_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        return _address(host) is not None
    return _HOST_NAME.fullmatch(host) is not None


def _is_public(host: str) -> bool:
    """Whether *host* is neither a local name nor an address that the internet does not route."""
    host = host.removesuffix(".")
    address = _address(host)
    if address is not None:
        return address.is_global and not address.is_multicast
    top = host.rpartition(".")[2]
    return "." in host and not host.endswith(_LOCAL_ZONES) and not _NUMERIC_LABEL.fullmatch(top)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
