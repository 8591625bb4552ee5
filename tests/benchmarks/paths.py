"""What clients ask for: thousands of different paths of each kind, the same in every run."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from urllib.parse import quote, quote_plus

from domain.timestamps import to_rfc_3339
from tests.benchmarks.catalogue import NON_ASCII_WORDS, WORDS, documents

LIST = "/v0.1/servers?limit=30"
LATEST = "/v0.1/servers?version=latest&limit=50"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def pages(versions: int, page: str = LIST) -> Sequence[str]:
    """A page behind each version."""
    return [f"{page}&cursor={quote(name)}:{version}" for name, version, _ in _listed(versions)]


def single_versions(versions: int) -> Sequence[str]:
    """Each version by itself."""
    return [
        f"/v0.1/servers/{quote(name, safe='')}/versions/{version}"
        for name, version, _ in _listed(versions)
    ]


def hits(versions: int) -> Sequence[str]:
    """Searches for two words as they follow each other in descriptions."""
    texts = (text for _, _, text in _listed(versions))
    return _searches({" ".join(pair) for text in texts for pair in pairwise(text.lower().split())})


def misses() -> Sequence[str]:
    """Searches for what is nowhere, though each part of it is in many places."""
    return _searches({first + second for first in WORDS for second in WORDS if first != second})


def two_letters(versions: int) -> Sequence[str]:
    """Searches for two letters, each in another place."""
    chance = random.Random(2)
    return [f"{page}&search={''.join(chance.choices(_LETTERS, k=2))}" for page in pages(versions)]


def non_ascii(versions: int) -> Sequence[str]:
    """Searches for words of other scripts, in small and large letters, each in another place."""
    chance = random.Random(3)
    words = [quote(form) for word in NON_ASCII_WORDS for form in {word, word.upper()}]
    return [f"{page}&search={chance.choice(words)}" for page in pages(versions)]


def updated_since(earliest: datetime, latest: datetime, count: int = 50_000) -> Sequence[str]:
    """Pages of what changed since different times between two."""
    chance = random.Random(4)
    spent = [(latest - earliest) * chance.random() for _ in range(count)]
    return [f"{LIST}&updated_since={to_rfc_3339(earliest + time)}" for time in spent]


def as_of(position: int, versions: int) -> Sequence[str]:
    """Pages of one moment."""
    return pages(versions, f"{LIST}&at=@{position}")


def never_asked(first: int, last: int, versions: int, count: int) -> Sequence[str]:
    """Pages of the past, each of another moment."""
    moments = random.SystemRandom().sample(range(first, last), count)
    return [
        f"{page}&at=@{moment}"
        for page, moment in zip(pages(versions)[:count], moments, strict=True)
    ]


def unlike(asked: Sequence[str], count: int) -> Iterator[str]:
    """The same again and again, but no two alike: what is unknown in a query is ignored."""
    for number in range(count):
        path = asked[number % len(asked)]
        yield f"{path}{'&' if '?' in path else '?'}number={number}"


def _searches(needles: set[str]) -> Sequence[str]:
    found = sorted(needles)
    random.Random(1).shuffle(found)
    return [f"{LIST}&search={quote_plus(needle)}" for needle in found]


@lru_cache(maxsize=3)
def _listed(versions: int) -> Sequence[tuple[str, str, str]]:
    """Names, versions and descriptions, in no order."""
    listed = [(each["name"], each["version"], each["description"]) for each in documents(versions)]
    random.Random(0).shuffle(listed)
    return listed
