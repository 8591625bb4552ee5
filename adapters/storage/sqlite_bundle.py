"""Many rows of a query in one.

sqlite3 lets go of the interpreter at every row. Where the event loop is never idle it gets it back
half a millisecond later, and 100,000 rows take a minute.
"""

import json
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any


def bundled(query: str, columns: Sequence[str], body: str) -> str:
    """A query for the rows of another one, of which *body* is a BLOB, and the columns are not."""
    listed = ", ".join((*columns, f"length({body})"))
    return f"""
        SELECT json_group_array(json_array({listed})), CAST(group_concat({body}, '') AS BLOB)
        FROM ({query})
    """


def rows_of(bundle: Sequence[tuple[str, bytes | None]]) -> list[tuple[Any, ...]]:
    """The rows: the columns, and the body as the last."""
    ((listed, bodies),) = bundle
    rows = json.loads(listed)
    places = pairwise(accumulate((row[-1] for row in rows), initial=0))
    whole = bodies or b""
    return [(*row[:-1], whole[start:end]) for row, (start, end) in zip(rows, places, strict=True)]
