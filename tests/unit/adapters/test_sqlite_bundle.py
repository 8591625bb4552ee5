"""Rows that SQLite gives as one."""

import sqlite3
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from adapters.storage.sqlite_bundle import bundled, rows_of

texts = st.text(st.characters(exclude_categories=["Cs"]))
rows = st.lists(st.tuples(texts, st.integers(-(2**63), 2**63 - 1), st.binary()))


@given(rows)
def test_rows_come_out_of_a_bundle_as_they_went_in(rows: list[tuple[str, int, bytes]]) -> None:
    """Whatever bytes they have, in their order; of none it makes none."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE held (name TEXT, number INTEGER, body BLOB)")
        db.executemany("INSERT INTO held VALUES (?, ?, ?)", rows)
        query = "SELECT * FROM held ORDER BY rowid LIMIT ?"
        bundle = db.execute(bundled(query, ["name", "number"], "body"), [len(rows)]).fetchall()
    assert rows_of(bundle) == rows
