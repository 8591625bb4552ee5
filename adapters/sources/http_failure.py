"""What it means to an operator when a server cannot be asked, or does not finish its answer."""

import socket
import ssl
from collections.abc import Iterator

import httpx

from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceUnreachableError,
)


def failure(place: str, error: Exception, timeout_seconds: float) -> SourceError:
    """What *error* means: of httpx, of a time limit, or of a host's name (a UnicodeError)."""
    match error:
        case httpx.ConnectTimeout():
            return SourceUnreachableError(
                f"{place} takes no connection in time: check `url`, the network and the firewall"
            )
        case TimeoutError() | httpx.TimeoutException():
            return SourceUnreachableError(
                f"{place} did not answer to the end within {timeout_seconds:g} s: sync again, or"
                " raise `timeout`"
            )
        case httpx.ProxyError():
            return SourceUnreachableError(
                f"{place}: the proxy refuses: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the"
                " environment"
            )
        case httpx.ConnectError():
            return _no_connection(place, error)
        case httpx.TransportError():
            return SourceUnreachableError(
                f"{place} broke its answer off, or sent what is not HTTP: sync again, and check"
                " scheme and port of `url`"
            )
        case _:
            return SourceContentError(
                f"{place}: this, or what it redirects to, is no address of a host: check `url`"
            )


def _no_connection(place: str, error: Exception) -> SourceError:
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return SourceAccessError(
                    f"{place} has a certificate that is not trusted ({cause.verify_message}): let"
                    " caFile name the certificate of the authority which signed it"
                )
            case ssl.SSLError():
                return SourceUnreachableError(
                    f"{place}: no TLS connection ({cause.reason}): check scheme and port of `url`"
                )
            case socket.gaierror():
                return SourceUnreachableError(
                    f"{place}: no address is known for this host ({cause.strerror}): check `url`"
                    " and the DNS of this machine"
                )
            case ConnectionRefusedError():
                return SourceUnreachableError(
                    f"{place} refuses connections: check host and port of `url`, and that the"
                    " server runs"
                )
    return SourceUnreachableError(
        f"{place} cannot be reached: check `url` and the network of this machine"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """What lies beneath *error*; connecting to several addresses has several causes."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__
