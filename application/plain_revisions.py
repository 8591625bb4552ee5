"""What the bytes of revisions tell.

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
        rf',"document_hash":"([0-9a-f]{{64}})","key":{_KEY},"previous_hash":{_HASH}'
        rf',"tags":{_TEXTS},"title":(?:null|{_TEXT})\}}'
    ).encode()
)


def revised_document(name: str, schema_version: int, data: bytes) -> DocumentHash | None:
    """The document of an entry.revised, if its texts are plain. None: only `decode` can tell.

    Whatever it is told of can be decoded, and says the same.
    """
    if name != _TYPE or schema_version != _SCHEMA_VERSION:
        return None
    found = _PAYLOAD.fullmatch(data)
    return DocumentHash(found[1].decode()) if found else None
