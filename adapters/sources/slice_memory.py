"""What a payload came to, slice by slice: the next one of its source is compared with it."""

import hashlib
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import attrs
import msgspec

from domain.events import RejectedEntry

_LAYOUT = "annals-slices-1"
_DIGEST_BYTES = 32


@attrs.frozen(kw_only=True)
class _Content:
    """As it is written, with the warnings of slices by number."""

    layout: str
    rules: str
    digests: list[bytes]
    keys: list[str]
    warnings: dict[int, list[RejectedEntry]]


@attrs.define
class SliceMemory:
    """Of each slice of a payload, by the digest of its text, the key of the entry it became.

    Keys are as `key_text` writes them. The paths of warnings begin at the slice.
    """

    keys: dict[bytes, str] = attrs.field(factory=dict)
    warnings: dict[bytes, list[RejectedEntry]] = attrs.field(factory=dict)

    def encoded(self, rules: str) -> bytes:
        """As bytes, with a digest of their own."""
        numbers = {digest: number for number, digest in enumerate(self.keys)}
        content = _Content(
            layout=_LAYOUT,
            rules=rules,
            digests=list(self.keys),
            keys=list(self.keys.values()),
            warnings={numbers[digest]: told for digest, told in self.warnings.items()},
        )
        body = msgspec.msgpack.encode(content)
        return hashlib.sha256(body).digest() + body


def decoded(text: bytes, rules: str) -> SliceMemory | None:
    """What `encoded` gave by the same rules, None for anything else."""
    digest, body = text[:_DIGEST_BYTES], memoryview(text)[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    try:
        content = msgspec.msgpack.decode(body, type=_Content)
    except msgspec.MsgspecError:
        return None
    if (content.layout, content.rules) != (_LAYOUT, rules):
        return None
    return SliceMemory(
        dict(zip(content.digests, content.keys, strict=True)),
        {content.digests[number]: told for number, told in content.warnings.items()},
    )


def load(path: Path, rules: str) -> SliceMemory | None:
    """The memory in a file, None where there is none that can be used."""
    with suppress(OSError):
        return decoded(path.read_bytes(), rules)
    return None


def save(memory: SliceMemory, path: Path, rules: str, keep: Collection[str]) -> None:
    """Write a memory, whole or not at all, and remove all others but those to *keep*.

    It is a cache: a disk that is full costs time at the next sync, and nothing else.
    """
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        for other in path.parent.iterdir():
            if other.name not in keep:
                other.unlink(missing_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(memory.encoded(rules))
        Path(file.name).replace(path)
