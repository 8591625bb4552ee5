"""What an API source remembers from one fetch to the next, to ask for less. All may be lost."""

from enum import StrEnum

import attrs


class Dialect(StrEnum):
    """The APIs that are spoken."""

    OFFICIAL = "official"
    TOOLHIVE = "toolhive"


@attrs.frozen
class Spoken:
    """A dialect, and the prefix of its paths."""

    dialect: Dialect
    prefix: str


@attrs.frozen(kw_only=True)
class Tagged:
    """The entity tag of what an address answered, and the digest of that where it was new."""

    url: str
    answer: str | None
    etag: str | None


@attrs.define
class Memory:
    """What was found out last."""

    spoken: Spoken | None = None
    tagged: Tagged | None = None
