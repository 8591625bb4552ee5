"""Changes as JSON."""

import json

import pytest

from application.change_details import ALL_CLASSES
from application.change_feed import BEGINNING, FeedPage, Mark
from application.change_rendering import change_json, changes_json, differences_json, feed_metadata
from domain.change import ChangeClass, Difference
from tests.harness.registry_world import registry_world, server

ONE = "com.example/one"


async def test_an_entry_stands_in_a_change_byte_for_byte():
    """As a list has it, whatever letters and numbers its document is made of."""
    async with registry_world() as world:
        await world.sync("main", [server(ONE, title="é😀", number=1e21)])
        (change,) = (await world.services.feed.page(None, BEGINNING, 10)).changes
        listed = (await world.client.get("/v0.1/servers")).content
    entry = listed.removeprefix(b'{"servers":[').partition(b'],"metadata"')[0]
    told = change_json(change, ALL_CLASSES, with_entries=True)
    assert told.endswith(b'"entry":%b}]}' % entry)
    bare = change_json(change, ALL_CLASSES, with_entries=False)
    assert json.loads(bare) == {
        **json.loads(told),
        "versions": [
            {key: value for key, value in version.items() if key != "entry"}
            for version in json.loads(told)["versions"]
        ],
    }


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("add", {"new": None}),
        ("remove", {"old": None}),
        ("replace", {"old": None, "new": None}),
    ],
)
def test_a_side_that_a_value_is_not_on_is_left_out(operation, members):
    """A null is a value; what is not there is something else."""
    found = Difference(path="/a", operation=operation, change_class=ChangeClass.IDENTITY)
    assert differences_json([found]) == [
        {"op": operation, "path": "/a", "class": "identity", **members}
    ]


def test_a_move_tells_where_it_was():
    """It has no value."""
    found = Difference(path="/b", operation="move", change_class=ChangeClass.EXECUTION, origin="/a")
    assert differences_json([found]) == [
        {"op": "move", "path": "/b", "class": "execution", "from": "/a"}
    ]


def test_an_empty_page_says_where_to_go_on():
    """With the mark as text."""
    page = FeedPage(changes=(), next=Mark(7), is_last=False, position=9)
    assert json.loads(changes_json((), feed_metadata(page), ALL_CLASSES)) == {
        "changes": [],
        "metadata": {"count": 0, "next": "7", "isLast": False, "position": 9},
    }
