"""The last changes for feed readers."""

from typing import Any
from xml.etree import ElementTree

import pytest

from application.redactions import RedactionBook
from domain.events import DocumentRedacted
from tests.harness.registry_world import RegistryWorld, registry_world, server

PATH = "/v0.1/x/dev.annals/changes.atom"
ATOM = {"a": "http://www.w3.org/2005/Atom"}
ONE = "com.example/one"


def document(description: str, stars: int = 0, version: str = "1.0.0") -> dict[str, Any]:
    meta = {"io.modelcontextprotocol.registry/publisher-provided": {"stars": stars}}
    return {**server(ONE, version), "description": description, "_meta": meta}


async def feed_of(world: RegistryWorld, url: str = PATH) -> ElementTree.Element:
    answer = await world.client.get(url)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/atom+xml"
    return ElementTree.fromstring(answer.content)


def texts(feed: ElementTree.Element, path: str) -> list[str]:
    return [element.text or "" for element in feed.findall(path, ATOM)]


@pytest.fixture
async def changing(empty_world: RegistryWorld) -> RegistryWorld:
    """A server that comes, is described anew, gets stars, and goes on to another version."""
    for offered in (
        document("Does things."),
        document("Does more."),
        document("Does more.", 1),
        document("Does more.", 1, "1.1.0"),
    ):
        await empty_world.sync("main", [offered])
    return empty_world


async def test_the_newest_change_comes_first(changing: RegistryWorld):
    """Without popularity, which can be asked for."""
    feed = await feed_of(changing)
    assert texts(feed, "a:entry/a:title") == [
        f"{ONE} 1.0.0 removed, 1.1.0 added: lifecycle",
        f"{ONE} 1.0.0: documentation; VERSION REUSED",
        f"{ONE} 1.0.0 added: documentation, identity, lifecycle",
    ]
    assert len(texts(await feed_of(changing, f"{PATH}?class=all"), "a:entry/a:id")) == 4
    assert len(texts(await feed_of(changing, f"{PATH}?limit=1"), "a:entry/a:id")) == 1


async def test_it_has_all_that_the_standard_asks_for(changing: RegistryWorld):
    """RFC 4287, sections 4.1.1 and 4.1.2: of the feed and of every entry."""
    feed = await feed_of(changing)
    for element in (feed, *feed.findall("a:entry", ATOM)):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"a:{name}", ATOM)) == 1, name
    assert texts(feed, "a:updated")[0] == texts(feed, "a:entry/a:updated")[0]
    assert texts(feed, "a:author/a:name") == ["Annals, registry default"]
    (link,) = feed.findall("a:link", ATOM)
    assert dict(link.attrib) == {
        "rel": "self",
        "type": "application/atom+xml",
        "href": f"http://registry.test{PATH}",
    }
    ids = texts(feed, "a:entry/a:id")
    assert len({*ids, *texts(feed, "a:id")}) == 4
    assert all(each.startswith("urn:uuid:") for each in ids)


async def test_ids_stay_and_are_of_one_log_and_registry(changing: RegistryWorld):
    """The same in feeds of other classes and moments; another log has others."""
    ids = texts(await feed_of(changing), "a:entry/a:id")
    assert set(ids) < set(texts(await feed_of(changing, f"{PATH}?class=all"), "a:entry/a:id"))
    before = await feed_of(changing, f"/registry/default@4{PATH}")
    assert texts(before, "a:entry/a:id") == ids[-1:]
    async with registry_world() as other:
        await other.sync("main", [document("Does things.")])
        (foreign,) = texts(await feed_of(other), "a:entry/a:id")
    assert foreign not in ids


async def test_an_entry_leads_to_the_history(changing: RegistryWorld):
    """Below the registry that was asked."""
    feed = await feed_of(changing, f"/registry/default{PATH}")
    link = feed.find("a:entry/a:link", ATOM)
    assert link is not None
    history = await changing.client.get(link.attrib["href"])
    assert history.json()["changes"][0]["name"] == ONE


async def test_the_content_says_what_differs(changing: RegistryWorld):
    """As HTML; what documents hold is escaped, and what XML cannot write is shown."""
    hostile = "<script>alert('x')</script>\x0b\ufffe & more"
    await changing.sync("main", [document(hostile, 1, "1.1.0")])
    content = (await feed_of(changing)).find("a:entry/a:content", ATOM)
    assert content is not None
    assert content.attrib == {"type": "html"}
    assert "<p>1.1.0 changed. <b>The version is reused.</b></p>" in (content.text or "")
    assert "documentation: <code>/description</code> <code>&quot;Does more.&quot;</code> → " in (
        content.text or ""
    )
    assert "<script>" not in (content.text or "")
    assert "&lt;script&gt;" in (content.text or "")


async def test_a_redaction_is_told(changing: RegistryWorld):
    """With the version whose document is gone, in the change that it is and in those before."""
    (served,) = (await changing.registry()).servers
    event = DocumentRedacted(
        document_hash=served.entry.document_hash, reason="a court", redacted_by="someone"
    )
    await RedactionBook(changing.storage, changing.log).redact(event)
    await changing.projector.catch_up()
    await changing.sync("main", [])
    titles = texts(await feed_of(changing), "a:entry/a:title")
    assert titles[:3] == [
        f"{ONE} 1.1.0 removed: lifecycle, redacted",
        f"{ONE} 1.1.0: redacted",
        f"{ONE} 1.0.0 removed, 1.1.0 added: lifecycle, redacted",
    ]


async def test_long_values_and_many_differences_are_cut(changing: RegistryWorld):
    """A feed is no place for documents."""
    many = {f"m{number:03}": "x" for number in range(80)}
    changed = {**document("y" * 100_000, 1, "1.1.0"), **many}
    await changing.sync("main", [changed])
    content = (await feed_of(changing)).findtext("a:entry/a:content", "", ATOM)
    assert "and 31 more" in content
    assert len(content) < 20_000


async def test_what_is_known_is_not_sent_again(changing: RegistryWorld):
    """Until the registry changes; a position never does."""
    first = await changing.client.get(PATH)
    known = {"If-None-Match": first.headers["etag"]}
    assert (await changing.client.get(PATH, headers=known)).status_code == 304
    assert first.headers["cache-control"] == "public, max-age=0, must-revalidate"
    past = await changing.client.get(f"{PATH}?at=@4")
    assert "immutable" in past.headers["cache-control"]
    await changing.sync("main", [])
    assert (await changing.client.get(PATH, headers=known)).status_code == 200


async def test_a_registry_that_nothing_happened_in(empty_world: RegistryWorld):
    """Has a feed without entries, as old as itself."""
    feed = await feed_of(empty_world)
    assert not feed.findall("a:entry", ATOM)
    assert texts(feed, "a:updated")[0].endswith("Z")


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=201", 422), ("class=stars", 400), ("effective_at=2026-01-01", 400)],
)
async def test_what_cannot_be_answered(changing: RegistryWorld, query: str, status: int):
    """Is refused as everywhere."""
    assert (await changing.client.get(f"{PATH}?{query}")).status_code == status
