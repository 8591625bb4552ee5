"""Many servers that look like real ones, the same for the same seed."""

import random
from collections.abc import Iterator
from typing import Any

from domain.entry import PUBLISHER_META, TOOLHIVE_META, Entry, make_entry
from domain.identifiers import EntryKind

_WORDS = (
    "access agent analytics browser calendar cloud cluster code commit container context data "
    "database deploy document email event file filesystem git graph incident index issue kernel "
    "log map message metric model monitor network note page payment pipeline postgres query queue "
    "record repository report resource schedule schema search secret server session shell sheet "
    "storage stream table task team test ticket time token tool trace translate user video weather"
).split()


def documents(versions: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """That many server.json documents of about 2 KB, four versions to a name."""
    chance = random.Random(seed)
    for number in range(versions):
        name, minor = divmod(number, 4)
        if minor == 0:
            base = _document(chance, name)
        yield {**base, "version": f"1.{minor}.0"}


def entries(versions: int, seed: int = 1) -> Iterator[Entry]:
    """The same as entries."""
    for document in documents(versions, seed):
        yield make_entry(EntryKind.SERVER, document)


def _document(chance: random.Random, number: int) -> dict[str, Any]:
    words = chance.sample(_WORDS, 12)
    image = f"ghcr.io/{words[0]}-{words[1]}/{words[2]}-{number}:1.0.0"
    extension = {
        "status": "Active",
        "tier": chance.choice(("Official", "Community")),
        "tags": words[:4],
        "tools": [f"{verb}_{word}" for verb in ("get", "list", "update") for word in words[4:10]],
        "metadata": {"stars": chance.randrange(10_000), "pulls": chance.randrange(100_000)},
        "overview": " ".join(chance.choices(_WORDS, k=110)),
    }
    return {
        "name": f"io.github.{words[0]}-{words[1]}/{words[2]}-{number}",
        "title": " ".join(words[:3]).title(),
        "description": " ".join(chance.choices(_WORDS, k=12))[:100],
        "version": "1.0.0",
        "repository": {"url": f"https://github.com/{words[0]}/{words[2]}", "source": "github"},
        "packages": [
            {
                "registryType": "oci",
                "identifier": image,
                "transport": {"type": "stdio"},
                "environmentVariables": [
                    {"name": f"{word.upper()}_KEY", "description": f"The {word}", "isSecret": True}
                    for word in words[4:8]
                ],
            }
        ],
        "_meta": {PUBLISHER_META: {TOOLHIVE_META: {image: extension}}},
    }
