"""Which entries of a source are kept: name globs and tags."""

import hashlib
import re
from collections.abc import Iterable

import attrs

from domain.canonical_json import canonical_json
from domain.errors import InvalidFilterError


@attrs.frozen
class NamePattern:
    """A glob over names: `*` (crosses `/`), `?`, `[a-z]`, `[!a-z]`; everything else is itself.

    A pattern without a slash is also held against the part of a name behind its slash.

    Raises:
        InvalidFilterError: the text cannot be parsed.
    """

    text: str
    _regex: re.Pattern[str] = attrs.field(init=False, repr=False, eq=False)

    @_regex.default
    def _compiled_text(self) -> re.Pattern[str]:
        return _compile(self.text)

    def matches(self, name: str) -> bool:
        """Whether the whole *name*, or what stands behind its slash, is of this pattern."""
        if self._regex.fullmatch(name):
            return True
        _, slash, short = name.partition("/")
        return bool(slash and "/" not in self.text and self._regex.fullmatch(short))


@attrs.frozen(kw_only=True)
class Filter:
    """Name and tags must both pass. Exclude wins over include; an empty include takes all."""

    include_names: tuple[NamePattern, ...] = ()
    exclude_names: tuple[NamePattern, ...] = ()
    include_tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()

    def keeps(self, name: str, tags: Iterable[str]) -> bool:
        """Whether an entry of that name and those tags passes."""
        return self._name_passes(name) and self._tags_pass(frozenset(tags))

    def _name_passes(self, name: str) -> bool:
        if any(pattern.matches(name) for pattern in self.exclude_names):
            return False
        return not self.include_names or any(
            pattern.matches(name) for pattern in self.include_names
        )

    def _tags_pass(self, tags: frozenset[str]) -> bool:
        if not tags.isdisjoint(self.exclude_tags):
            return False
        return not self.include_tags or not tags.isdisjoint(self.include_tags)

    @property
    def hash(self) -> str:
        """SHA-256 over all patterns and tags: tells whether the filter has changed."""
        parts = [
            [pattern.text for pattern in self.include_names],
            [pattern.text for pattern in self.exclude_names],
            list(self.include_tags),
            list(self.exclude_tags),
        ]
        return hashlib.sha256(canonical_json(parts)).hexdigest()


def _compile(glob: str) -> re.Pattern[str]:
    """As a regular expression. Only the last `*` may go back, or many would go back together."""
    if not glob:
        raise InvalidFilterError("an empty name pattern matches nothing: write '*' for every name")
    between_stars, position = [""], 0
    while position < len(glob):
        if glob[position] == "*":
            between_stars.append("")
            position += 1
        else:
            part, position = _translate(glob, position)
            between_stars[-1] += part
    start, *rest = between_stars
    end = ".*" + rest.pop() if rest else ""
    return re.compile(start + "".join(f"(?>.*?{part})" for part in rest) + end, re.DOTALL)


def _translate(glob: str, position: int) -> tuple[str, int]:
    """One element of the glob as a regular expression, and where the next one starts."""
    character = glob[position]
    if character == "?":
        return ".", position + 1
    if character == "[":
        return _translate_set(glob, position)
    return re.escape(character), position + 1


def _translate_set(glob: str, start: int) -> tuple[str, int]:
    negated = glob.startswith("[!", start)
    first = start + (2 if negated else 1)
    end = glob.find("]", first + 1)  # a `]` that comes first is a member
    if end < 0:
        raise InvalidFilterError(
            f"{glob!r}: the '[' at {start + 1} is not closed: write '[[]' for the character itself"
        )
    members = _set_members(glob, glob[first:end])
    return f"[{'^' if negated else ''}{members}]", end + 1


def _set_members(glob: str, members: str) -> str:
    parts, position = [], 0
    while position < len(members):
        low, high = members[position], members[position + 2 : position + 3]
        if members[position + 1 : position + 2] == "-" and high:
            if low > high:
                raise InvalidFilterError(f"{glob!r}: the range {low}-{high} runs backwards")
            parts.append(f"{re.escape(low)}-{re.escape(high)}")
            position += 3
        else:
            parts.append(re.escape(low))
            position += 1
    return "".join(parts)
