"""How payloads of earlier schema versions become those of the next, one step each.

`UPCASTERS[type, n]` takes a payload of version n and returns that of version n + 1.
"""

from collections.abc import Callable, Mapping
from typing import Any

Payload = dict[str, Any]

UPCASTERS: Mapping[tuple[str, int], Callable[[Payload], Payload]] = {}


def upcast(type_name: str, version: int, current: int, payload: Payload) -> Payload:
    """Bring *payload* from *version* to *current*."""
    for step in range(version, current):
        payload = UPCASTERS[type_name, step](payload)
    return payload
