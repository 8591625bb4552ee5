"""Small attrs values as the rows of views."""

import json
from datetime import datetime
from typing import TypeVar

import cattrs

T = TypeVar("T")

LAST_KEY = chr(0x10FFFF)
"""Beyond the key of every row."""

_converter = cattrs.Converter(detailed_validation=False)
_converter.register_unstructure_hook(datetime, datetime.isoformat)
_converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))


def pack(value: object) -> bytes:
    """A row of an attrs instance."""
    return json.dumps(_converter.unstructure(value)).encode()


def unpack(row: bytes, cls: type[T]) -> T:
    """The inverse of `pack`."""
    return _converter.structure(json.loads(row), cls)
