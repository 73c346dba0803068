"""A profile in a notebook: a small HTML table, and a DataFrame of its rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Self

from dualcost.costs.profile import Profile
from dualcost.errors import UsageError
from dualcost.render.profile import heading
from dualcost.render.profile.columns import Value, columns, fields
from dualcost.render.profile.layers import bars, label
from dualcost.views.tree import Entry, outline

if TYPE_CHECKING:
    import pandas

KEPT = 4  # columns that would leave a narrow terminal before these are left out
# In the notebook's own colours, so that it looks right in light and in dark ones.
STYLE = (
    ".dualcost table{color:inherit;font-size:inherit;border-collapse:collapse;"
    "font-variant-numeric:tabular-nums;margin:.4em 0}"
    ".dualcost tr,.dualcost th,.dualcost td{background:none!important;color:inherit;border:0;"
    "padding:1px 8px;text-align:right;white-space:nowrap}"
    ".dualcost .left{text-align:left}"
    ".dualcost thead th{border-bottom:1px solid;font-weight:normal}"
    ".dualcost .bar{display:inline-block;width:4em;margin-left:6px;text-align:left}"
    ".dualcost .bar i{display:inline-block;height:.7em;background:currentColor;opacity:.45}"
)


class NotebookProfile(Profile):
    """A profile that a notebook shows as a table, and that is a DataFrame where one is needed."""

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """The same facts."""
        names = [field.name for field in dataclasses.fields(profile)]
        return cls(**{name: getattr(profile, name) for name in names})

    def to_dataframe(self) -> pandas.DataFrame:
        """Every row with the fields of CSV and JSON, exact, as a pandas DataFrame.

        Integers stay integers where some rows have none.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            hint = "pip install 'dualcost[notebook]'"
            raise UsageError("pandas is not installed", hint) from None
        shown = fields(timed=self.latency is not None)
        values = {name: [value(row) for row in self.rows] for name, value in shown.items()}
        return pandas.DataFrame(
            {name: pandas.Series(column, dtype=_dtype(column)) for name, column in values.items()}
        )

    def _repr_html_(self) -> str:
        """Title, rows and totals; of many rows as many as are easily read, and how to have all.

        Nothing is loaded from elsewhere.
        """
        shown = outline(self)
        inputs = ", ".join(str(spec) for spec in self.inputs)
        about = f"input {inputs} · convention {self.convention.name} · {self.convention.unit}"
        sums = [
            [_cell(escape(total.label), "left"), _cell(f"<b>{escape(total.text)}</b>", "left")]
            for total in heading.sums(self)
        ]
        rest = ".to_dataframe() has every row" if shown.chosen else ""
        notes = [*(f"{label}: {text}" for label, text in heading.not_counted(self)), rest]
        return "".join(
            (
                f'<div class="dualcost"><style>{STYLE}</style>',
                f"<b>{escape(heading.title(self))}</b><br><small>{escape(about)}</small>",
                _layers(self, shown.entries),
                _table([], sums),
                *(f"<small>{escape(note)}</small><br>" for note in notes if note),
                "</div>",
            )
        )


def _dtype(values: Sequence[Value]) -> Any:
    """The exact type of a column; pandas would make floats of integers where some are missing."""
    types = {type(value) for value in values if value is not None}
    missing = None in values
    if types == {int}:
        return "Int64" if missing else "int64"
    if types == {bool}:
        return "boolean" if missing else "bool"
    return "float64" if types and types <= {int, float} else None


def _layers(profile: Profile, entries: Sequence[Entry]) -> str:
    """The lines of a terminal's table; what lies in a module stands further to the right."""
    kept = [column for column in columns(profile)[1:] if column.leaves <= KEPT]
    texts = {column: [column.text(profile, one.row, "auto") for one in entries] for column in kept}
    shown = [column for column in kept if any(texts[column])]
    drawn = {column: bars(column, profile, entries) for column in shown if column.part}
    titles = [_title("layer", "left")]
    for column in shown:
        space = '<span class="bar"></span>' if column in drawn else ""
        titles.append(_title(f"{escape(column.title)}{space}", "" if column.number else "left"))
    rows = []
    for index, entry in enumerate(entries):
        cells = [_name(entry)]
        for column in shown:
            inner = escape(texts[column][index])
            if column in drawn:
                length = f"width:{drawn[column][index]:.0%}"
                inner += f'<span class="bar"><i style="{length}"></i></span>'
            cells.append(_cell(inner, "" if column.number else "left"))
        rows.append(cells)
    return _table(titles, rows)


def _name(entry: Entry) -> str:
    text = escape(label(entry))
    name = f"<b>{text}</b>" if entry.open else text
    return f'<td class="left" style="padding-left:{8 + 16 * len(entry.ends)}px">{name}</td>'


def _title(inner: str, kind: str) -> str:
    return f'<th class="{kind}">{inner}</th>'


def _cell(inner: str, kind: str) -> str:
    return f'<td class="{kind}">{inner}</td>'


def _table(titles: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    head = f"<thead><tr>{''.join(titles)}</tr></thead>" if titles else ""
    lines = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f"<table>{head}<tbody>{lines}</tbody></table>"
