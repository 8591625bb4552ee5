"""The last changes of a registry for feed readers (Atom, RFC 4287)."""

import json
import re
import uuid
from collections.abc import Collection, Iterator, Sequence
from html import escape
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import anyio.to_thread
import attrs
from starlette.requests import Request

from application.change_details import SHOWN, ServerChange, VersionChange
from application.served import ServedRegistry
from domain.change import ChangeClass, Difference
from domain.comparison import Outcome
from domain.identifiers import EntryKind
from domain.timestamps import to_rfc_3339
from entrypoints.http.answer import Answer
from entrypoints.http.answers import answer_from
from entrypoints.http.asked import asked_registry, asked_span
from entrypoints.http.endpoint import Endpoint, Parameter
from entrypoints.http.history import BASES, CLASS, GROUP, asked_classes
from entrypoints.http.parameters import AT, asked_limit, read_query
from entrypoints.http.services import Services

ATOM = "application/atom+xml"
LIMIT = Parameter(
    name="limit",
    schema={"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    description="How many changes the feed holds at most.",
)

_NAMESPACE = "http://www.w3.org/2005/Atom"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONGEST = 200  # characters of a value
_MOST_DIFFERENCES = 50  # of a version

ElementTree.register_namespace("", _NAMESPACE)


@attrs.frozen(kw_only=True)
class _Feed:
    """What a feed is made of. `url` is what was asked for, `log_key` tells this log from others."""

    registry: ServedRegistry
    url: str
    log_key: str
    classes: frozenset[ChangeClass]


async def changes_atom(services: Services, request: Request) -> Answer:
    await asked_span(services, request)  # which refuses what has no order
    registry = await asked_registry(services, request)
    limit = asked_limit(read_query(request), LIMIT)
    feed = _Feed(
        registry=registry,
        url=str(request.url),
        log_key=str(services.transparency.key),
        classes=asked_classes(request, SHOWN),
    )

    async def render() -> bytes:
        name, upto = registry.definition.name, registry.position
        changes = await services.feed.latest(name, limit, feed.classes, upto=upto)
        return await anyio.to_thread.run_sync(_document, feed, changes)

    return await answer_from(services, request, registry, render, "atom", media_type=ATOM)


def _document(feed: _Feed, changes: Sequence[ServerChange]) -> bytes:
    name = feed.registry.definition.name
    commits = [change.commit for change in changes if change.commit]
    times = [commit.recorded_at for commit in commits] or [feed.registry.definition.defined_at]
    root = ElementTree.Element(f"{{{_NAMESPACE}}}feed")
    _add(root, "id", _identifier(feed, "changes"))
    _add(root, "title", f"Changes of the registry {name}")
    _add(root, "updated", to_rfc_3339(max(times)))
    _add(_add(root, "author"), "name", f"Annals, registry {name}")
    _add(root, "link", rel="self", type=ATOM, href=feed.url)
    for change in changes:
        _add_entry(root, feed, change)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add_entry(root: ElementTree.Element, feed: _Feed, change: ServerChange) -> None:
    entry = _add(root, "entry")
    _add(entry, "id", _identifier(feed, change.mark))
    _add(entry, "title", _title(change, feed.classes))
    if change.commit:
        _add(entry, "updated", to_rfc_3339(change.commit.recorded_at))
    if change.name.kind is EntryKind.SERVER:
        _add(entry, "link", rel="alternate", href=_history_url(feed, change))
    for found in sorted(change.classes):
        _add(entry, "category", term=found)
    _add(entry, "content", "".join(_content(change, feed.classes)), type="html")


def _add(
    parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    plain = {key: _visible(value) for key, value in attributes.items()}
    element = ElementTree.SubElement(parent, f"{{{_NAMESPACE}}}{name}", plain)
    element.text = None if text is None else _visible(text)
    return element


def _identifier(feed: _Feed, what: str) -> str:
    """The same whenever and wherever this change of this log is told."""
    told = "/".join((feed.log_key, feed.registry.definition.name, what))
    return uuid.uuid5(uuid.NAMESPACE_URL, told).urn


def _history_url(feed: _Feed, change: ServerChange) -> str:
    base = feed.url.partition("?")[0].removesuffix("/changes.atom")
    return f"{base}/servers/{quote(change.name.name, safe='')}/history"


def _title(change: ServerChange, classes: Collection[ChangeClass]) -> str:
    versions = [_version_title(each) for each in change.versions if each.classes or each.redacted]
    told = [*sorted(change.classes.intersection(classes)), *["redacted"] * change.redacted]
    reused = "; VERSION REUSED" if change.version_reused else ""
    return f"{change.name.name} {', '.join(versions)}: {', '.join(told)}{reused}"


def _version_title(version: VersionChange) -> str:
    compared = version.comparison
    if compared.outcome is Outcome.CHANGED:
        return compared.version
    return f"{compared.version} {compared.outcome}"


def _content(change: ServerChange, classes: Collection[ChangeClass]) -> Iterator[str]:
    for version in change.versions:
        told = escape(f"{version.comparison.version} {version.comparison.outcome}")
        reused = " <b>The version is reused.</b>" if version.version_reused else ""
        redacted = " A document was redacted." if version.redacted else ""
        yield f"<p>{told}.{reused}{redacted}</p>"
        if items := [_item(found) for found in version.shown_differences(classes)]:
            more = len(items) - _MOST_DIFFERENCES
            rest = [f"<li>and {more} more</li>"] if more > 0 else []
            yield f"<ul>{''.join(items[:_MOST_DIFFERENCES] + rest)}</ul>"


def _item(found: Difference) -> str:
    match found.operation:
        case "add":
            told = f"added {_value(found.new)}"
        case "remove":
            told = f"removed {_value(found.old)}"
        case "move":
            told = f"was <code>{escape(found.origin or '')}</code>"
        case "replace":
            told = f"{_value(found.old)} → {_value(found.new)}"
    return f"<li>{found.change_class}: <code>{escape(found.path)}</code> {told}</li>"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"<code>{escape(short)}</code>"


def _visible(text: str) -> str:
    """Without what XML has no way to write: documents are written by others."""
    return _NO_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


ENDPOINTS = (
    Endpoint(
        bases=BASES,
        group=GROUP,
        path="/changes.atom",
        handler=changes_atom,
        summary="The last changes, the newest first, for feed readers.",
        query=(CLASS, LIMIT, AT),
        media_type=ATOM,
        errors=(400, 404, 422),
    ),
)
