"""A large registry that looks like a real one: the same for the same number of versions."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from domain.entry import PUBLISHER_META, TOOLHIVE_META

VERSIONS_OF_A_NAME = 4
WORDS = (
    "access account agent alert analytics answer archive article asset audit backup balance batch "
    "billing board book branch browser bucket budget build cache calendar campaign card catalog "
    "channel chart chat check claim client cloud cluster code column comment commit compliance "
    "contact container content context contract course customer dashboard data database dataset "
    "deploy design device diagram directory discount document domain draft email embedding event "
    "export feature feed field file filesystem filter flight folder forecast form function gateway "
    "git graph group health history holiday hotel image import incident index insight inventory "
    "invoice issue journal kernel key language layer lead ledger lesson library license link list "
    "location log machine mail map market memory merge message metric model monitor network note "
    "notebook object offer order package page patient payment permission photo pipeline player "
    "policy portfolio postgres price process product profile project prompt proposal query queue "
    "quote reader receipt recipe record region release report repository request resource review "
    "role route rule salary sample scan schedule schema score script search secret segment sensor "
    "server session shell sheet shipment signal site snapshot song stock storage stream style "
    "supplier survey table tag task team template tenant test thread ticket time token tool topic "
    "trace track train transaction translate travel tree trial user vector vendor video voice "
    "wallet warehouse weather webhook widget workflow workspace"
).split()
NON_ASCII_WORDS = (
    "données größe übersetzung façade niño señal søk žurnál čas łódź 日本語 検索 数据库 服务器 "
    "データ поиск данные αναζήτηση مستند 검색"
).split()
_VERBS = ("create", "delete", "get", "list", "search", "update")
_OWNERS = ("io.github", "com.example", "dev.tools", "ai.agents", "org.open")


def documents(versions: int) -> Iterator[dict[str, Any]]:
    """That many server.json documents of about 2 KB, four versions to a name."""
    for number in range(versions):
        yield document(number)


def document(number: int, edition: int = 0) -> dict[str, Any]:
    """The version of that number. Editions of it differ as revised documents do."""
    base, minor = divmod(number, VERSIONS_OF_A_NAME)
    chance = random.Random(base)
    words = chance.sample(WORDS, 14)
    name = f"{chance.choice(_OWNERS)}.{words[0]}-{words[1]}/{words[2]}-{base}"
    version = f"1.{minor}.0"
    image = f"ghcr.io/{words[0]}-{words[1]}/{words[2]}-{base}:{version}"
    listed = {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": name,
        "description": _description(chance),
        "version": version,
        "repository": {"url": f"https://github.com/{words[0]}-{words[1]}/{words[2]}-{base}"},
        "_meta": {PUBLISHER_META: {TOOLHIVE_META: {image: _extension(chance, words, edition)}}},
    }
    listed["repository"]["source"] = "github"
    if base % 8:
        listed["title"] = " ".join(words[:3]).title()
    if base % 5:
        listed["packages"] = [_package(chance, words, image)]
    if base % 3 == 0 or "packages" not in listed:
        listed["remotes"] = [_remote(words, base)]
    return listed


def _description(chance: random.Random) -> str:
    """About 100 characters, the most there may be; every tenth with words of other scripts."""
    words = chance.choices(WORDS, k=13)
    if chance.random() < 0.1:
        words[chance.randrange(6)] = chance.choice(NON_ASCII_WORDS)
    return " ".join(words)[:100].strip().capitalize()


def _extension(chance: random.Random, words: Sequence[str], edition: int) -> dict[str, Any]:
    return {
        "status": "Active",
        "tier": chance.choice(("Official", "Community")),
        "tags": list(words[:4]),
        "tools": [f"{verb}_{word}" for verb in _VERBS for word in words[4:7]],
        "metadata": {"stars": chance.randrange(10_000) + edition, "pulls": chance.randrange(10**6)},
        "overview": " ".join(chance.choices(WORDS, k=90)),
    }


def _package(chance: random.Random, words: Sequence[str], image: str) -> dict[str, Any]:
    return {
        "registryType": "oci",
        "identifier": image,
        "transport": {"type": "stdio"},
        "environmentVariables": [
            {
                "name": f"{word.upper()}_{words[8].upper()}_KEY",
                "description": f"The {word} of your {chance.choice(WORDS)}",
                "isRequired": chance.random() < 0.5,
                "isSecret": chance.random() < 0.5,
            }
            for word in words[9 : 11 + chance.randrange(3)]
        ],
    }


def _remote(words: Sequence[str], base: int) -> dict[str, Any]:
    header = {"name": "Authorization", "description": f"Token for {words[0]}", "isSecret": True}
    url = f"https://{words[0]}-{words[1]}-{base}.example.com/mcp"
    return {"type": "streamable-http", "url": url, "headers": [header]}
