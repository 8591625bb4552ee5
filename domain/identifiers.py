"""Names and numbers that point at things, each with a type of its own."""

import re
from enum import StrEnum
from typing import NewType

import attrs

from domain.errors import InvalidNameError

SourceName = NewType("SourceName", str)
RegistryName = NewType("RegistryName", str)
PinName = NewType("PinName", str)
WebhookName = NewType("WebhookName", str)
CommitId = NewType("CommitId", str)
StreamName = NewType("StreamName", str)
DocumentHash = NewType("DocumentHash", str)
"""SHA-256 of a document's canonical form, 64 lower-case hex digits."""

Position = int
"""1, 2, 3 ... over all events of a log."""

ORIGIN: Position = 0
"""Before the first event: what `after` starts from."""

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class EntryKind(StrEnum):
    """What an entry describes."""

    SERVER = "server"
    SKILL = "skill"
    PLUGIN = "plugin"


@attrs.frozen
class EntryName:
    """What all versions of one server, skill or plugin share."""

    kind: EntryKind
    name: str


@attrs.frozen
class EntryKey:
    """One version of one server, skill or plugin."""

    kind: EntryKind
    name: str
    version: str

    @property
    def entry_name(self) -> EntryName:
        """The key without its version."""
        return EntryName(self.kind, self.name)

    @property
    def sort_key(self) -> tuple[str, str, str]:
        """What keys are ordered by: the kind, then name and version bytewise."""
        return self.kind, self.name, self.version

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def source_name(text: str) -> SourceName:
    """Check that *text* is a DNS label (RFC 1123), as names of sources must be.

    Raises:
        InvalidNameError
    """
    return SourceName(_dns_label(text, "source"))


def registry_name(text: str) -> RegistryName:
    """Check that *text* is a DNS label (RFC 1123), as names of registries must be.

    Raises:
        InvalidNameError
    """
    return RegistryName(_dns_label(text, "registry"))


def webhook_name(text: str) -> WebhookName:
    """Check that *text* is a DNS label (RFC 1123), as names of webhooks must be.

    Raises:
        InvalidNameError
    """
    return WebhookName(_dns_label(text, "webhook"))


def pin_name(text: str) -> PinName:
    """Check that *text* is a DNS label that starts with a letter, so that no date is one.

    Raises:
        InvalidNameError
    """
    if not text[:1].isalpha():
        raise InvalidNameError(f"{text!r} is not a pin name: expected a letter at its start")
    return PinName(_dns_label(text, "pin"))


def _dns_label(text: str, what: str) -> str:
    if not _DNS_LABEL.fullmatch(text):
        raise InvalidNameError(
            f"{text!r} is not a {what} name: expected 1 to 63 of a-z, 0-9 and '-', "
            "with a letter or digit at both ends"
        )
    return text
