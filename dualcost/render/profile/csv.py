"""Rows as comma-separated values, exact, with one heading line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from dualcost.costs.profile import Row
from dualcost.render.profile.columns import fields


def rows_csv(rows: Sequence[Row]) -> str:
    """One line a row, the fields of `columns.fields`; what a row does not have is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    shown = fields(timed=any(row.time is not None for row in rows))
    writer.writerow(shown)
    for row in rows:
        writer.writerow("" if (v := value(row)) is None else v for value in shown.values())
    return text.getvalue()
