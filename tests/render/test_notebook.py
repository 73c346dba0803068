"""A profile in a notebook: an HTML table that holds any text, and an exact DataFrame."""

from __future__ import annotations

import builtins
import csv
import io
from html.parser import HTMLParser
from typing import Any

import pytest

import dualcost
from dualcost.costs.profile import Row
from dualcost.errors import UsageError
from dualcost.network.cost import CONVENTIONS, Cost
from dualcost.network.form import Form
from dualcost.render.profile.csv import rows_csv
from dualcost.render.profile.notebook import NotebookProfile

ODD = "<b>&\"'</i>"


class Reader(HTMLParser):
    """Reads a page strictly: every tag that opens is closed, and in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.cells: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onclick", "onload"}
        if tag != "br":
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & {*self.open}:
            self.cells[-1] += data


def test_a_notebook_shows_title_rows_and_totals() -> None:
    page = dualcost.profile("resnet50", conv="dual", G=4)._repr_html_()
    cells = Reader(page).cells
    assert "torchvision:resnet50 with dual G=4 in 16 of 53 convolutions" in page
    assert "4,089,184,256 → 2,907,439,104  (0.711, -28.9%)" in cells
    assert "25,557,032 → 18,326,568  (0.717, -28.3%)" in cells
    assert {"conv1", "layer4", "fc", "3 × dual G=4"} <= {*cells}
    assert ".to_dataframe() has every row" in page  # 107 of them, and 23 lines are shown
    assert not {"script", "link", "img"} & {*Reader(page).seen}
    assert "url(" not in page and "http" not in page
    assert len(page) < 20_000


def test_a_short_network_is_shown_whole() -> None:
    page = dualcost.profile("alexnet")._repr_html_()
    assert "to_dataframe" not in page
    assert sum(cell.startswith(("features.", "classifier.")) for cell in Reader(page).cells) == 8


def test_what_a_module_is_called_never_becomes_a_tag() -> None:
    cost = Cost(macs=9, params=1)
    row = Row(f"body.{ODD}", ODD, ODD, "convolution", cost, cost, kind=Form(ODD))
    other = Row("body.1", "", "", "convolution", cost, cost)
    profile = NotebookProfile(ODD, (), CONVENTIONS["torch"], (row, other), unknown={ODD: 1})
    reader = Reader(profile._repr_html_())
    assert reader.seen.count("i") == 2  # the bars of two rows
    assert f"body.{ODD}" in reader.cells
    assert "≥ 18" in reader.cells


def test_an_empty_network_is_shown_too() -> None:
    empty = NotebookProfile("empty", (), CONVENTIONS["torch"], ())
    Reader(empty._repr_html_())
    assert len(empty.to_dataframe()) == 0


def test_a_fitted_network_and_one_without_its_rewrite_show_themselves_too() -> None:
    fitted = dualcost.fit("resnet18", ["params <= 10M"]).profile
    assert isinstance(fitted, NotebookProfile)
    assert fitted.replaced > 0
    assert "resnet18 with " in fitted._repr_html_()
    assert "resnet18, as it is" in fitted.unrewritten._repr_html_()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("resnet18", {"conv": "dual", "G": 4}),
        ("vit_b_16", {"convention": "all"}),
        ("mobilenet_v2", {"conv": "dual", "G": 8, "where": "inverted-residual"}),
    ],
)
def test_a_dataframe_holds_what_csv_holds(model: str, words: dict[str, Any]) -> None:
    result = dualcost.profile(model, **words)
    frame = result.to_dataframe()
    read = csv.DictReader(io.StringIO(rows_csv(result.rows)))
    assert [*frame.columns] == read.fieldnames
    lines = [*read]
    for name in frame.columns:
        missing = frame[name].isna().tolist()
        texts = ["" if gone else str(v) for v, gone in zip(frame[name], missing, strict=True)]
        assert texts == [line[name] for line in lines], name


def test_sums_of_a_dataframe_are_exact() -> None:
    result = dualcost.profile("resnet50", conv="dual", G=4)
    frame = result.to_dataframe()
    assert int(frame["macs_before"].sum()) == 4_089_184_256  # torchvision: 4.09 G
    assert int(frame["params_after"].sum()) == result.after.params == 18_326_568
    assert str(frame["M"].dtype) == "Int64"  # an activation has no channels
    assert str(frame["macs_after"].dtype) == "int64"
    assert str(frame["bias"].dtype) == "boolean"
    assert int(frame.groupby("group")["macs_after"].sum()["linear"]) == 2_048_000


def test_without_pandas_one_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *others: Any) -> Any:
        if name.partition(".")[0] == "pandas":
            raise ImportError(name)
        return real(name, *others)

    monkeypatch.setattr(builtins, "__import__", without)
    result = dualcost.profile("alexnet")
    with pytest.raises(UsageError, match="pandas is not installed") as caught:
        result.to_dataframe()
    assert "dualcost[notebook]" in caught.value.hint
    assert "<table>" in result._repr_html_()
