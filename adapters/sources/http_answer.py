"""What the head of an answer means: where it sends us, when to return, and why it refuses."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from adapters.sources.http_access import check_url, shown
from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceUnreachableError,
)

LONGEST_WAIT_SECONDS = 30.0
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PASSING = frozenset((500, 502, 503, 504))
_KEPT = "%/:?#[]@!$&'()*+,;=~"


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: whom one speaks to (RFC 6454, section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def redirected(url: str, status: int, headers: Mapping[str, str]) -> str | None:
    """Where the answer of *url* sends us, if it does.

    Raises:
        SourceContentError: to nothing that is spoken here.
        SourceAccessError: from https to http.
    """
    if status not in _REDIRECTS or "location" not in headers:
        return None
    try:
        target, _ = urldefrag(urljoin(url, quote(headers["location"], safe=_KEPT)))
        check_url(None, None, target)
    except ValueError as error:
        raise SourceContentError(
            f"{shown(url)} redirects to what is no address of HTTP without user name: ask its"
            " operator for the address that `url` should have"
        ) from error
    if url.startswith("https:") and not target.startswith("https:"):
        raise SourceAccessError(
            f"{shown(url)} redirects to {shown(target)}, where anybody can change what is read: let"
            " `url` name an address of which all answers come over https"
        )
    return target


def wait_asked_for(headers: Mapping[str, str], now: datetime) -> float:
    """The seconds that a Retry-After asks to wait, 0 if none (RFC 9110, section 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]+", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def refusal(place: str, status: int, headers: Mapping[str, str], now: datetime) -> SourceError:
    """What an answer that brings nothing means to an operator."""
    if status == 429 or status in _PASSING:
        return _passing(place, status, headers, now)
    kind, advice = _ADVICE.get(status) or _ADVICE.get(status // 100, _OTHER)
    return kind(f"{place} answers with status {status}: {advice}")


def _passing(place: str, status: int, headers: Mapping[str, str], now: datetime) -> SourceError:
    advice = _TOO_OFTEN if status == 429 else "sync again later, or ask its operator"
    if wait_asked_for(headers, now) > LONGEST_WAIT_SECONDS:
        # Not `unreachable`: trying again is what it asks not to do.
        asked = "".join(filter(str.isprintable, headers["retry-after"]))[:40]
        return SourceAccessError(
            f"{place} answers with status {status} and Retry-After: {asked}: {advice}"
        )
    return SourceUnreachableError(f"{place} answers with status {status}: {advice}")


_TOO_OFTEN = "too many requests: let `interval` be longer, or use a token with a higher limit"
_NO_ACCESS = (
    SourceAccessError,
    "let bearerTokenFile name a file with a valid token for what `url` names",
)
_NOTHING_THERE = (
    SourceContentError,
    "check `url`; what is private may need a token, in bearerTokenFile",
)
_ADVICE: Mapping[int, tuple[type[SourceError], str]] = {
    401: _NO_ACCESS,
    403: _NO_ACCESS,
    404: _NOTHING_THERE,
    410: _NOTHING_THERE,
    2: (SourceContentError, "expected the whole content, with status 200: check `url`"),
    3: (SourceContentError, "expected the content itself: check `url`"),
}
"""What statuses mean, and the first digits of those that have no meaning of their own here."""
_OTHER = (SourceContentError, "check `url`, or ask its operator")
