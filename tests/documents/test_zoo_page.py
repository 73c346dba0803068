"""The page of every model: its file has what profiles count, and a browser sorts and filters it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from support.browser import chromium, opener
from zoo import PAGE, Result, rows, summary

from dualcost.library import networks as library

with PAGE.with_suffix(".csv").open(newline="") as file:
    MODELS = {row["model"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def new_page(browser: Browser) -> Callable[..., Page]:
    return opener(browser)


@pytest.fixture
def page(new_page: Callable[..., Page], site: Path) -> Iterator[Page]:
    """The page; in the end nothing was said on the console, and nothing came from elsewhere."""
    said: list[str] = []
    fetched: list[str] = []
    view = new_page(viewport={"width": 1280, "height": 900})
    view.on("console", lambda message: said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    view.on("request", lambda request: fetched.append(request.url))
    view.goto((site / "reference/zoo.html").as_uri())
    yield view
    view.close()
    assert said == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in fetched), fetched


def column(page: Page, number: int) -> list[str]:
    """The texts of a column, from the first row that is shown to the last."""
    return page.locator(f".models-table td:nth-child({number})").all_inner_texts()


def integers(page: Page, number: int) -> list[int]:
    return [int(text.replace(",", "")) for text in column(page, number)]


# --- the file


def test_the_file_has_what_profiles_count() -> None:
    packaged = [f"torchvision:{name}" for name in library.names("torchvision")]
    assert set(packaged) <= MODELS.keys()
    for name in packaged:
        network = library.load(name)
        assert (int(MODELS[name]["macs"]), int(MODELS[name]["params"])) == (
            network.macs,
            network.params,
        )


def test_the_page_says_how_many_models_the_file_has() -> None:
    said = re.findall(r"^Of ([\d,]+) models ([\d,]+) are counted", PAGE.read_text(), re.MULTILINE)
    counted = sum(bool(row["macs"]) for row in MODELS.values())
    assert said == [(f"{len(MODELS):,}", f"{counted:,}")]


def test_a_table_of_results_is_read_as_it_was_written() -> None:
    stopped = Result("timm:b", "stopped: no input, no shape", seconds=0.5)
    text = rows([Result("timm:a", "counted", 12, 3, 0.25, 1024**2), stopped])
    assert list(csv.reader(text.splitlines()))[1:] == [
        ["timm:a", "12", "3", "0.25", "1.0", "counted"],
        ["timm:b", "", "", "0.50", "0.0", "stopped: no input, no shape"],
    ]


def test_a_summary_counts_what_is_whole_and_what_is_not() -> None:
    partial = Result("timm:b", "partial: aten::odd", 1, 1, 0.5)
    real = Result("timm:c", "run on real tensors", 1, 1, 3.0, 9 * 1024**2)
    text = summary([Result("timm:a", "counted", 12, 3, 0.25, 1024**2), partial, real])
    assert text.startswith("Of 3 models 3 are counted, 1 of them partially; 1 run on real tensors")
    assert "takes 0.50 s in the median and 3.0 s at most" in text  # of 0.25, 0.5 and 3 s
    assert "1.0 MiB of memory in the median and 1.0 MiB" in text  # of 0 and 1 MiB


# --- the page


def test_the_search_of_the_site_knows_the_page_but_not_its_models(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text())
    texts = [entry["text"] for entry in index["docs"] if "reference/zoo" in entry["location"]]
    assert texts
    assert not any(name in text for name in MODELS for text in texts)


def test_models_stand_in_the_order_of_their_names_and_a_button_shows_all(page: Page) -> None:
    assert column(page, 1)[:3] == sorted(MODELS)[:3]
    assert len(column(page, 1)) == 100
    page.get_by_role("button", name="Show all 1,492").click()
    assert len(column(page, 1)) == len(MODELS) == 1492
    assert not page.get_by_role("button", name="Show all").is_visible()


def test_a_heading_sorts_and_says_so(page: Page) -> None:
    heading = page.locator(".models-table th").nth(1)
    heading.get_by_role("button", name="MACs").click()
    macs = sorted((int(row["macs"]) for row in MODELS.values()), reverse=True)
    assert integers(page, 2) == macs[:100]
    assert heading.get_attribute("aria-sort") == "descending"
    heading.get_by_role("button").press("Enter")
    assert integers(page, 2) == macs[:-101:-1]
    assert heading.get_attribute("aria-sort") == "ascending"
    assert page.locator("th[aria-sort]").count() == 1


def test_a_filter_takes_words_and_limits(page: Page) -> None:
    page.get_by_label("Words of the name, and limits").fill(
        "ResNet torchvision macs<5G params>=25M"
    )
    kept = {
        name: row
        for name, row in MODELS.items()
        if "resnet" in name
        and "torchvision" in name
        and int(row["macs"]) < 5e9
        and int(row["params"]) >= 25e6
    }
    assert "torchvision:resnet50" in kept  # 4.09 G and 25.6 M
    assert column(page, 1) == sorted(kept)
    assert integers(page, 3) == [int(kept[name]["params"]) for name in sorted(kept)]
    assert page.get_by_role("status").inner_text() == f"{len(kept)} of 1,492 models"
    page.get_by_role("searchbox").fill("no-such-model")
    assert column(page, 1) == []
    assert page.get_by_role("status").inner_text() == "0 of 1,492 models"


def test_a_status_that_says_more_than_counted_is_shown(page: Page) -> None:
    page.get_by_role("searchbox").fill("keypointrcnn")
    (name,) = column(page, 1)
    status = MODELS["torchvision:keypointrcnn_resnet50_fpn"]["status"]
    assert "," in status  # so it is quoted in the file
    assert name.split("\n") == ["torchvision:keypointrcnn_resnet50_fpn", status]


def test_the_keyboard_reaches_everything(page: Page) -> None:
    page.get_by_role("searchbox").focus()
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText"))
    assert reached == ["model", "MACs", "parameters", "s to trace", "MiB to trace"]


def test_a_phone_shows_names_and_counts_without_scrolling_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    shown = page.locator(".models-table tbody tr").first.locator("td")
    assert [cell.is_visible() for cell in shown.all()] == [True, True, True, False, False]


def test_without_a_script_the_page_leads_to_the_file(browser: Browser, site: Path) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto((site / "reference/zoo.html").as_uri())
    assert "need JavaScript" in page.locator(".models").inner_text()
    link = page.locator("article a[href='zoo.csv']")
    assert link.is_visible()
    assert (site / "reference/zoo.csv").read_bytes() == PAGE.with_suffix(".csv").read_bytes()
