"""The webhooks of a configuration."""

import re
from urllib.parse import urlsplit

import attrs

from application.change_details import SHOWN
from domain.change import ChangeClass
from domain.identifiers import RegistryName, WebhookName


def _is_receiver(_instance: object, _field: object, value: str) -> None:
    """Refuses what is no address of HTTP, and credentials, without repeating it."""
    if not re.fullmatch(r"https?://[!-~]+", value) or "#" in value or not _host(value):
        raise ValueError(
            "expected an address that starts with https:// or http:// and a host, without spaces"
        )
    if "@" in urlsplit(value).netloc:
        raise ValueError("expected an address without user name and password")


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
    except ValueError:
        return None
    return parts.hostname


def _is_not_empty(_instance: object, _field: object, value: tuple[object, ...]) -> None:
    if not value:
        raise ValueError("expected at least one class")


@attrs.frozen(kw_only=True)
class WebhookConfig:
    """Who is told of changes. Without registries: of those in all of them.

    `entries` tells whether with the whole entries, `secret_file` holds what messages are
    signed with.
    """

    name: WebhookName
    url: str = attrs.field(validator=_is_receiver, repr=False)
    secret_file: str = attrs.field(metadata={"path": True})
    registries: tuple[RegistryName, ...] = ()
    classes: tuple[ChangeClass, ...] = attrs.field(
        default=tuple(sorted(SHOWN)), validator=_is_not_empty
    )
    entries: bool = False
