"""Revisions whose bytes tell what they say.

They are most of a long history, and decoding takes four times as long as a look. Pure.
"""

import re

from domain.change import ChangeClass
from domain.identifiers import DocumentHash, EntryKind

_TYPE, _SCHEMA_VERSION = "entry.revised", 1

# Text of ASCII without escapes, and what it makes up. Nothing is looked at twice (`*+`).
_TEXT = r'"[ !#-\[\]-~]*+"'
_TEXTS = rf"\[(?:{_TEXT}(?:,{_TEXT})*+)?+\]"
_CLASS = rf'"(?:{"|".join(ChangeClass)})"'
_CLASSES = rf"\[(?:{_CLASS}(?:,{_CLASS})*+)?+\]"
_HASH = '"[0-9a-f]{64}"'
_NUMBER = "(?:0|[1-9][0-9]{0,14})"
_KEY = rf'\{{"kind":"(?:{"|".join(EntryKind)})","name":{_TEXT},"version":{_TEXT}\}}'
_PAYLOAD = re.compile(
    (
        rf'\{{"change":\{{"classes":{_CLASSES},"more_paths":{_NUMBER},"paths":{_TEXTS}\}}'
        rf',"document_hash":"([0-9a-f]{{64}})","key":({_KEY}),"previous_hash":{_HASH}'
        rf',"tags":{_TEXTS},"title":(?:null|{_TEXT})\}}'
    ).encode()
)


def plain_revision(
    name: str, schema_version: int, data: bytes
) -> tuple[bytes, DocumentHash] | None:
    """The key of an entry.revised, as JSON, and its document. None: only `decode` can tell.

    Whatever is told here can be decoded, and says the same.
    """
    if name != _TYPE or schema_version != _SCHEMA_VERSION:
        return None
    found = _PAYLOAD.fullmatch(data)
    return (found[2], DocumentHash(found[1].decode())) if found else None
