"""What was measured, as one table for people and as JSON for machines."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

import attrs

_HEADS = ("what", "figure to reach", "measured", "raw server, requests/s", "spread")


@attrs.frozen(kw_only=True)
class Row:
    """One line. What could not be measured has no `measured`, and says why as its `note`."""

    part: str
    what: str
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    measured: Sequence[float] = ()
    base_rate: float | None = None
    note: str = ""

    @property
    def median(self) -> float | None:
        """The middle of what was measured."""
        return statistics.median(self.measured) if self.measured else None

    @property
    def reached(self) -> bool | None:
        """Whether the figure was reached; None where there is none, or nothing was measured."""
        if self.median is None or (self.at_least is None and self.at_most is None):
            return None
        low = self.at_least if self.at_least is not None else self.median
        high = self.at_most if self.at_most is not None else self.median
        return low <= self.median <= high

    def cells(self) -> Sequence[str]:
        """What the table shows."""
        missed = " MISSED" if self.reached is False else ""
        measured = "-" if self.median is None else self._number(self.median) + missed
        base = f"{self.base_rate:,.0f}" if self.base_rate else ""
        spread = " ".join(filter(None, (self._spread(), self.note)))
        return self.what, self._figure(), measured, base, spread

    def _figure(self) -> str:
        if self.at_least is not None:
            return f">= {self._number(self.at_least)}"
        return "" if self.at_most is None else f"<= {self._number(self.at_most)}"

    def _spread(self) -> str:
        if len(self.measured) < 2:
            return ""
        return f"{_short(min(self.measured))}..{_short(max(self.measured))}"

    def _number(self, number: float) -> str:
        return f"{_short(number)} {self.unit}".rstrip()


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def table(rows: Sequence[Row]) -> str:
    """All rows, in columns."""
    lines = [_HEADS, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = tuple("-" * width for width in widths)
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (lines[0], rule, *lines[1:])
    )
    return "\n".join(padded)


def write_json(rows: Sequence[Row], file: Path) -> None:
    """The same, with everything that was measured."""
    told = [{**attrs.asdict(row), "median": row.median, "reached": row.reached} for row in rows]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
