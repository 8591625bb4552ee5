"""JSON of an API as Python has it, without repairing what is wrong with it."""

import json
from typing import Any

from adapters.sources.http_access import shown
from adapters.sources.http_client import Answer, require_json
from domain.errors import SourceContentError

_MOST_DIGITS = 400


class Repeating(dict[str, Any]):
    """An object that has a member twice. It is written as it was read."""

    def __init__(self, members: list[tuple[str, Any]]) -> None:
        super().__init__(members)
        self._members = members

    def items(self) -> Any:
        return self._members


def json_of(answer: Answer) -> Any:
    """The JSON of an answer. What only spoils the entry that it stands in is let through.

    Raises:
        SourceContentError: it is not JSON, or is nested too deeply.
    """
    require_json(answer)
    text = answer.body.decode("utf-8-sig", "surrogateescape")
    try:
        return json.loads(text, parse_int=_integer, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise SourceContentError(
            f"{shown(answer.url)}: expected JSON, found something else ({error}): check that `url`"
            " leads to a registry"
        ) from error


def has(found: Any, **kinds: type) -> bool:
    """Whether JSON is an object with members of these kinds."""
    return isinstance(found, dict) and all(
        isinstance(found.get(member), kind) for member, kind in kinds.items()
    )


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    return found if len(found) == len(members) else Repeating(members)


def _integer(digits: str) -> int | float:
    """Python refuses to read an integer of thousands of digits; as a float it is infinite."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)
