"""The index that a registry is served from, beside a plain list of the same names."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from adapters.scratch.memory import MemoryScratch
from application.cursor import ListFilters
from application.registry_index import RegistryIndex, ServedName, ServedVersion, build_index
from application.registry_version import ServerKey
from application.search_marks import NO_MARKS
from domain.identifiers import EntryKind, EntryName
from domain.timestamps import from_micros, to_micros

LETTERS = "ab\0é\U0001f600İ"
NOTHING = MemoryScratch().open()
EMPTY = build_index((), NOTHING)
Known = dict[EntryName, ServedName]

texts = st.text(LETTERS, max_size=6)
names = st.builds(
    EntryName, st.sampled_from(EntryKind), st.sampled_from(["a", "b", "ab", "é", "\U0001f600", "z"])
)
filters = st.builds(
    ListFilters,
    search=st.none() | st.text(LETTERS + "AÉ", max_size=3),
    updated_since=st.none() | st.integers(1, 9).map(from_micros),
    version=st.sampled_from([None, "", "latest", "1", "é"]),
    include_deleted=st.sampled_from([None, False, True]),
)


def version_of(name: str, version: str, updated_us: int = 5, **said: bool) -> ServedVersion:
    """A version of which nothing else matters."""
    return ServedVersion(
        name=name,
        version=version,
        document_hash=f"{name}{version}".encode(),
        start=0,
        end=2,
        redaction=None,
        updated_us=updated_us,
        published_us=1,
        is_latest=said.get("is_latest", False),
        is_deleted=said.get("is_deleted", False),
    )


@st.composite
def served_names(draw: st.DrawFn, name: EntryName) -> ServedName:
    """Some versions of a name."""
    found = sorted(draw(st.sets(st.sampled_from(["1", "2", "10", "é"]))))
    latest = draw(st.sampled_from([None, *found]))
    versions = tuple(
        version_of(
            name.name,
            version,
            draw(st.integers(1, 9)),
            is_latest=version == latest,
            is_deleted=draw(st.booleans()),
        )
        for version in found
    )
    return ServedName(
        name=name,
        versions=versions,
        latest=next((served for served in versions if served.is_latest), None),
        texts=tuple(draw(texts).lower() for _ in found),
        updated_us=max([served.updated_us for served in versions], default=0),
        changed_us=draw(st.integers(1, 9)),
        left_us=draw(st.integers(0, 9)),
        hidden=draw(st.integers(0, 2**64 - 1)),
    )


@st.composite
def changes(draw: st.DrawFn) -> Mapping[EntryName, ServedName | None]:
    """Names as they are now, or None."""
    return {name: draw(st.none() | served_names(name)) for name in draw(st.sets(names, max_size=8))}


def ordered(known: Known) -> list[ServedName]:
    """The names in the order of an index."""
    return sorted(known.values(), key=lambda served: (served.name.kind, served.name.name))


def many(count: int, kind: EntryKind = EntryKind.SERVER) -> list[ServedName]:
    """Names of one version each, enough for several shelves."""
    return [one_name(f"n{number:04}", kind) for number in range(count)]


def one_name(name: str, kind: EntryKind = EntryKind.SERVER, text: str = "") -> ServedName:
    """A name of one version."""
    version = version_of(name, "1", is_latest=True)
    return ServedName(
        name=EntryName(kind, name),
        versions=(version,),
        latest=version,
        texts=(text or name,),
        updated_us=version.updated_us,
        changed_us=1,
        left_us=0,
        hidden=0,
    )


def by_name(served: list[ServedName]) -> Known:
    """The same as changes."""
    return {name.name: name for name in served}


def walked(known: Known, asked: ListFilters, after: ServerKey | None) -> Iterator[ServedVersion]:
    """What a walk gives, told without any index."""
    for name in ordered(known):
        for served, text in zip(name.versions, name.texts, strict=True):
            since = asked.updated_since
            if (
                name.name.kind is EntryKind.SERVER
                and (after is None or (served.name, served.version) > after)
                and (asked.search or "").lower() in text
                and (asked.shows_deleted or not served.is_deleted)
                and (since is None or served.updated_us > to_micros(since))
                and (asked.version != "latest" or served.is_latest)
                and (asked.version in (None, "", "latest") or served.version == asked.version)
            ):
                yield served


def assert_same(index: RegistryIndex, known: Known) -> None:
    """The index has what is known, and nothing else."""
    servers = [name for name in known.values() if name.name.kind is EntryKind.SERVER]
    assert [served for name in ordered(known) for served in name.versions] == list(index.entries())
    assert all(index.named(name) == served for name, served in known.items())
    assert index.server_names == sum(bool(name.versions) for name in servers)
    assert index.server_versions == sum(len(name.versions) for name in servers)
    assert index.changed_us == max((name.changed_us for name in known.values()), default=0)
    assert index.left_us == max((name.left_us for name in known.values()), default=0)
    assert index.hidden == sum(name.hidden for name in known.values())


@given(
    st.lists(changes(), max_size=4),
    st.lists(filters, min_size=1, max_size=5),
    st.none() | st.tuples(st.sampled_from(["", "a", "aa", "é", "zz"]), st.sampled_from(["", "10"])),
)
def test_an_index_changed_name_by_name_answers_as_a_plain_list_does(
    steps: list[Mapping[EntryName, ServedName | None]],
    asked: list[ListFilters],
    after: ServerKey | None,
) -> None:
    """Whatever came and went, walks, counts and marks are those of the names that are left."""
    known: Known = {}
    index = EMPTY
    for step in steps:
        index = index.replaced(step)
        known = {name: served for name, served in {**known, **step}.items() if served}
        assert_same(index, known)
    for wanted in asked:
        expected = list(walked(known, wanted, after))
        assert list(index.walk(wanted, after)) == expected
        assert list(build_index(ordered(known), NOTHING).walk(wanted, after)) == expected


def test_the_empty_index_has_nothing() -> None:
    """No names, no entries, nothing found, and it can be added to."""
    empty = EMPTY
    assert_same(empty, {})
    assert empty.named(EntryName(EntryKind.SERVER, "a")) is None
    assert not list(empty.walk(ListFilters(search="a"), ("a", "1")))
    assert_same(empty.replaced(by_name([one_name("a")])), by_name([one_name("a")]))


def test_a_change_shares_all_shelves_it_does_not_touch() -> None:
    """Of many shelves one is made anew, and the old index stays as it was."""
    before = many(1000)
    index = build_index(before, NOTHING)
    changed = one_name("n0500", text="changed")
    after = index.replaced({changed.name: changed})
    assert len(set(map(id, index.shelves)) - set(map(id, after.shelves))) == 1
    assert_same(index, by_name(before))
    assert_same(after, by_name([*before, changed]))


def test_shelves_are_split_and_dropped_as_names_come_and_go() -> None:
    """No shelf grows beyond its bounds, and none is left without a name."""
    index = build_index(many(1), NOTHING).replaced(by_name(many(1000)))
    assert_same(index, by_name(many(1000)))
    assert max(len(shelf.names) for shelf in index.shelves) <= 64
    emptied = index.replaced(dict.fromkeys(by_name(many(1000)[1:])))
    assert_same(emptied, by_name(many(1)))
    assert len(emptied.shelves) == 1


def test_kinds_next_to_each_other_keep_shelves_of_their_own() -> None:
    """A skill that comes to a shelf of servers is not walked with them."""
    skill = one_name("a", EntryKind.SKILL)
    index = build_index(many(3), NOTHING).replaced({skill.name: skill})
    assert_same(index, by_name([*many(3), skill]))
    assert len(list(index.walk(ListFilters(), None))) == 3


def test_a_page_begins_anywhere_in_the_list() -> None:
    """The walk continues beyond a key, whether or not the key is there."""
    index = build_index(
        [*many(500, EntryKind.PLUGIN), *many(500), *many(9, EntryKind.SKILL)], NOTHING
    )
    for after in (("n0255", "1"), ("n0255", "5"), ("n0255x", "")):
        page = islice(index.walk(ListFilters(), after), 2)
        assert [served.name for served in page] == ["n0256", "n0257"]
    assert not list(index.walk(ListFilters(), ("n9", "")))


def test_every_part_of_a_text_is_found_and_no_text_that_runs_over_two() -> None:
    """Whatever was cut out of a text, of any letters, leads to it."""
    text = "größe \U0001f600 ab\0cd \ud800 naïve"
    index = build_index([*many(300), one_name("x", text=text), one_name("y", text="tail")], NOTHING)
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1):
            found = index.walk(ListFilters(search=text[start:end].upper()), None)
            expected = text[start:end].upper().lower() in text
            assert ("x" in [served.name for served in found]) == expected
    assert not list(index.walk(ListFilters(search="naïvetail"), None))
    assert not list(index.walk(ListFilters(search="e\0\0\0t"), None))


def test_marks_that_were_added_to_often_are_made_anew() -> None:
    """What left the texts also leaves the mark in the end."""
    index = build_index([one_name("a", text="before")], NOTHING)
    for number in range(300):
        index = index.replaced(by_name([one_name("a", text=f"text {number}")]))
    assert index.shelves[0].worn < 300
    assert not list(index.walk(ListFilters(search="before"), None))


def test_equal_texts_and_versions_are_held_once() -> None:
    """A name with the same text in all versions keeps one string, and so do equal versions."""
    twice = attrs.evolve(
        one_name("a"),
        versions=(version_of("a", "".join("1.0")), version_of("a", "".join("2.0"))),
        texts=("".join(["same", " text"]), "".join(["same ", "text"])),
    )
    found = build_index([twice], NOTHING).named(twice.name)
    assert found
    assert found.texts[0] is found.texts[1]
    assert found.versions[0].name is found.versions[1].name


def test_only_what_may_have_hits_is_looked_into() -> None:
    """A search for what is nowhere looks at nothing, one for what each name has at all of them."""
    index = build_index(many(8000), NOTHING)

    def looked_into(**filters: Any) -> int:
        return sum(1 for _ in index.stretches(ListFilters(**filters), None))

    assert looked_into() == len(index.shelves)
    assert looked_into(search="n") == 8000 / 32
    assert looked_into(search="absent") == 0
    assert looked_into(updated_since=from_micros(9)) == 0


def test_of_a_shelf_only_the_names_that_may_have_a_needle_are_looked_into() -> None:
    """Two words that each name has, but only one has next to each other, lead to that one."""
    rest = [one_name(f"n{number:04}", text=f"link {number} issue") for number in range(500)]
    index = build_index([*rest, one_name("x", text="issue link")], NOTHING)
    for version in (None, "latest"):
        asked = ListFilters(search="Issue Link", version=version)
        assert [[served.name for served in hits] for hits in index.stretches(asked, None)] == [
            ["x"]
        ]


@given(
    st.lists(st.dictionaries(st.integers(0, 199), st.none() | texts, max_size=60), max_size=12),
    st.lists(st.text(LETTERS, max_size=4), min_size=1, max_size=5),
    st.sampled_from(["", "n0004", "n0050x"]),
)
def test_names_that_come_and_go_on_full_shelves_are_found(
    steps: list[dict[int, str | None]], needles: list[str], after: str
) -> None:
    """Slots that are given up and taken again, and shelves that are split or go, hide nothing."""
    known = by_name(many(200)[::2])
    index = build_index(many(200)[::2], NOTHING)
    for step in steps:
        came = {EntryName(EntryKind.SERVER, f"n{number:04}"): text for number, text in step.items()}
        changed = {
            name: None if text is None else one_name(name.name, text=text.lower())
            for name, text in came.items()
        }
        index = index.replaced(changed)
        known = {name: served for name, served in {**known, **changed}.items() if served}
    for needle in [*needles, "n00", "00"]:
        asked = ListFilters(search=needle)
        assert list(index.walk(asked, (after, ""))) == list(walked(known, asked, (after, "")))


def test_names_without_texts_need_no_marks() -> None:
    """An index that cannot be searched yet holds none."""
    index = build_index([attrs.evolve(name, texts=("",)) for name in many(200)], NOTHING)
    assert index.marks == NO_MARKS
