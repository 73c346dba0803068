"""Pages in a real browser: they open without a word, sort, filter, fold, zoom, and print whole."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from support.browser import chromium, opener
from support.calibrations import linear_calibration

from dualcost.cli import run
from dualcost.latency import calibration as calibrations

WORDS = ("resnet50", "--conv", "dual", "--G", "4")
PRODUCTS = ("convolution", "linear", "matmul")
Record = dict[str, Any]


Opened = Callable[..., Page]


@pytest.fixture(scope="module")
def new_page() -> Iterator[Opened]:
    with chromium() as browser:
        yield opener(browser)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages, and the profile that the first of them is held against."""
    home = tmp_path_factory.mktemp("pages")
    calibrations.write(linear_calibration(), home / "machine.json")
    timed = ["--calibration", str(home / "machine.json"), "--any-machine"]
    assert run(["report", *WORDS, *timed, "-o", str(home / "page.html")]) == 0
    assert run(["profile", *WORDS, "--latency", *timed, "-o", str(home / "profile.json")]) == 0
    assert run(["report", "vit_b_16", "--no-latency", "-o", str(home / "plain.html")]) == 0
    sides = ["resnet18", "resnet18+dual:G=4"]
    assert run(["report", *sides, "-o", str(home / "both.html")]) == 0
    assert run(["compare", *sides, "--json", "-o", str(home / "both.json")]) == 0
    return home


@pytest.fixture(scope="module")
def profile(folder: Path) -> Any:
    return json.loads((folder / "profile.json").read_text())


@pytest.fixture
def opened(new_page: Opened, folder: Path) -> Iterator[Opened]:
    """Open a page; in the end nothing was said on the console and nothing else was asked for."""
    said: list[str] = []
    asked: list[str] = []
    pages = []

    def call(name: str = "page.html", **words: Any) -> Page:
        page = new_page(**{"viewport": {"width": 1280, "height": 900}, **words})
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / name).as_uri())
        return page

    yield call
    for page in pages:
        page.close()
    assert said == []
    assert all(url.startswith("file:") and url.endswith(".html") for url in asked), asked
    assert len(asked) == len(pages)


def rows(page: Page) -> list[Record]:
    """The visible rows: path, text and title of each cell, level, and whether it is a module."""
    found: list[Record] = page.evaluate(
        """() => [...document.querySelectorAll("#rows tbody tr")]
          .filter((row) => row.getClientRects().length)
          .map((row) => ({
            path: row.cells[0].title.split(" · ")[0],
            module: row.classList.contains("module"),
            level: Number(row.getAttribute("aria-level")),
            cells: [...row.cells].map((cell) => cell.title || cell.textContent),
            texts: [...row.cells].map((cell) => cell.textContent),
          }))"""
    )
    return found


def keys(page: Page) -> list[str]:
    document = json.loads(page.locator("#data").text_content() or "")
    return [key for key, *_ in document["table"]["columns"]]


def whole(text: str) -> int:
    return int(text.replace(",", "") or 0)


def leaves(profile: Any) -> list[Record]:
    """The layers that a page shows: what does not multiply once for each module and group."""
    found: dict[Any, Record] = {}
    for index, row in enumerate(profile["rows"]):
        alone = row["group"] in PRODUCTS or row["becomes"]
        key = index if alone else (row["path"], row["group"])
        sums = [name for name in row if name.endswith(("_before", "_after", "_s"))]
        if key in found:
            for name in sums:
                found[key][name] = (found[key][name] or 0) + (row[name] or 0)
        else:
            found[key] = dict(row)
    costs = ("traffic_before", "activation_bytes_before", "latency_s")
    return [row for row in found.values() if any(row[cost] for cost in costs)]


def sort_by(page: Page, key: str) -> str | None:
    heading = page.locator("#rows thead th").nth(keys(page).index(key))
    heading.locator("button").click()
    return heading.get_attribute("aria-sort")


def size(text: str | None) -> list[int]:
    return [int(part) for part in text.split("x")] if text else []


def values(profile: Any) -> dict[str, Callable[[Record], Any]]:
    """What each column of numbers is sorted by, from the profile."""
    return {
        "channels": lambda row: [row["M"], row["N"]] if row["M"] else None,
        "kernel": lambda row: (
            [math.prod(size(row["kernel"])), *size(row["stride"])] if row["kernel"] else None
        ),
        "groups": lambda row: row["divisor"] or (row["groups"] if row["groups"] != 1 else None),
        "out": lambda row: math.prod(size(row["out_size"])) if row["out_size"] else None,
        "macs_before": lambda row: row["macs_before"],
        "macs": lambda row: row["macs_after"],
        "share": lambda row: row["macs_after"],
        "ratio": lambda row: row["macs_ratio"] if row["becomes"] else None,
        "params_before": lambda row: row["params_before"],
        "params": lambda row: row["params_after"],
        "traffic": lambda row: row["traffic_after"],
        "seconds": lambda row: row["latency_s"],
    }


def test_it_shows_every_layer_with_the_integers_of_the_profile(
    opened: Opened, profile: Any
) -> None:
    page = opened()
    page.locator("#flat").check()
    shown, expected = rows(page), leaves(profile)
    assert [row["path"] for row in shown] == [row["path"] or "(root)" for row in expected]
    for column, name in {
        "macs_before": "macs_before",
        "macs": "macs_after",
        "params_before": "params_before",
        "params": "params_after",
        "traffic": "traffic_after",
    }.items():
        place = keys(page).index(column)
        cells = [row["cells"][place].removesuffix(" B") for row in shown]
        assert [whole(cell) for cell in cells] == [row[name] for row in expected]


def test_it_sorts_by_every_number_exactly_and_the_total_stays_last(
    opened: Opened, profile: Any
) -> None:
    page = opened()
    page.locator("#flat").check()
    base = leaves(profile)
    of = values(profile)
    assert set(keys(page)) - set(of) == {"layer", "kind", "seconds_before", "bound"}
    for key, value in of.items():
        known = [row for row in base if value(row) is not None]
        none = [row for row in base if value(row) is None]
        for direction in ("descending", "ascending"):
            assert sort_by(page, key) == direction
            # equal ones stay in the order in which they ran, whichever way the others go
            ordered = sorted(known, key=value, reverse=direction == "descending")
            paths = [row["path"] or "(root)" for row in (*ordered, *none)]
            assert [row["path"] for row in rows(page)] == paths, (key, direction)
        assert sort_by(page, key) == "none"
        assert page.locator("#rows tfoot th").inner_text() == "total"
    assert [row["path"] for row in rows(page)] == [row["path"] or "(root)" for row in base]


def test_text_sorts_from_a_to_z_first(opened: Opened) -> None:
    page = opened()
    page.locator("#flat").check()
    for key in ("layer", "kind", "bound"):
        place = keys(page).index(key)
        assert sort_by(page, key) == "ascending"
        seen = [row["path"] if key == "layer" else row["texts"][place] for row in rows(page)]
        filled = [text for text in seen if text]
        assert filled == sorted(filled)
        assert seen[: len(filled)] == filled


def test_a_sorted_tree_keeps_layers_in_their_modules(opened: Opened, profile: Any) -> None:
    page = opened()
    page.locator("#unfold").click()
    sort_by(page, "macs")
    seen = rows(page)
    totals: dict[str, int] = {}
    for row in leaves(profile):
        top = row["path"].split(".")[0]
        totals[top] = totals.get(top, 0) + row["macs_after"]
    outermost = [row["path"] for row in seen if row["level"] == 1 and totals.get(row["path"])]
    assert outermost == sorted(
        (name for name, macs in totals.items() if macs), key=lambda name: -totals[name]
    )
    inside = ""
    for row in seen:
        if row["level"] == 1:
            inside = row["path"]
        else:
            assert row["path"].startswith(f"{inside}.") or row["path"] == inside


def test_every_module_is_the_sum_of_what_it_holds(opened: Opened, profile: Any) -> None:
    page = opened()
    page.locator("#unfold").click()
    columns = {key: place for place, key in enumerate(keys(page))}
    modules = [row for row in rows(page) if row["module"]]
    assert len(modules) > 20
    for module in modules:
        inside = [
            row
            for row in profile["rows"]
            if row["path"] == module["path"] or row["path"].startswith(f"{module['path']}.")
        ]
        for column, name in (("macs", "macs_after"), ("params_before", "params_before")):
            assert whole(module["cells"][columns[column]]) == sum(row[name] for row in inside)


def test_the_total_is_the_profile_s(opened: Opened, profile: Any) -> None:
    page = opened()
    cells = page.locator("#rows tfoot tr > *").all()
    columns = dict(zip(keys(page), cells, strict=True))
    for side, suffix in (("before", "_before"), ("after", "")):
        for metric in ("macs", "params"):
            shown = columns[f"{metric}{suffix}"].get_attribute("title")
            assert whole(shown or "") == profile["total"][side][metric]
    card = page.locator(".card", has_text="MACs").first
    assert whole(card.locator("b").get_attribute("title") or "") == 2_907_439_104


def test_it_filters_and_says_how_many_are_left(opened: Opened, profile: Any) -> None:
    page = opened()
    count = len(leaves(profile))
    status = page.locator("#status")
    assert status.inner_text() == f"{count} layers, 2,907,439,104 MACs"
    page.locator("#query").fill("LAYER3 conv2")
    kept = [
        row
        for row in leaves(profile)
        if row["path"].startswith("layer3") and "conv2" in row["path"]
    ]
    macs = sum(row["macs_after"] for row in kept)
    assert status.inner_text() == f"showing {len(kept)} of {count} layers, {macs:,} MACs together"
    shown = rows(page)
    assert [row["path"] for row in shown if not row["module"]] == [row["path"] for row in kept]
    # what holds them is shown, and nothing else
    assert {row["path"] for row in shown if row["module"]} == {
        "layer3", *(row["path"].removesuffix(".conv2") for row in kept)
    }  # fmt: skip
    page.locator("#query").fill("")
    page.locator("#only").select_option(label="replaced")
    replaced = [row["path"] for row in profile["rows"] if row["becomes"]]
    assert [row["path"] for row in rows(page) if not row["module"]] == replaced
    assert status.inner_text().startswith(f"showing {len(replaced)} of {count} layers")
    page.locator("#query").fill("nothing is called that")
    assert rows(page) == []
    assert status.inner_text() == f"showing 0 of {count} layers, 0 MACs together"
    assert page.locator("#rows tfoot").is_visible()
    page.get_by_role("button", name="Reset").click()
    assert status.inner_text() == f"{count} layers, 2,907,439,104 MACs"


def test_it_folds_by_click_and_by_button(opened: Opened) -> None:
    page = opened()
    page.locator("#fold").click()
    assert {row["level"] for row in rows(page)} == {1}
    page.locator("#rows tr.module th", has_text="layer2").click()
    inside = [row["path"] for row in rows(page) if row["level"] == 2]
    assert inside == ["layer2.0", "layer2.1", "layer2.2", "layer2.3"]
    page.locator("#rows tr.module th", has_text="layer2").click()
    assert {row["level"] for row in rows(page)} == {1}
    page.locator("#unfold").click()
    assert max(row["level"] for row in rows(page)) == 4  # layer1.0.downsample.0


def focused(page: Page) -> str:
    text: str = page.evaluate(
        """() => {
          const at = document.activeElement;
          return at.cells ? at.cells[0].title.split(" · ")[0] : at.textContent;
        }"""
    )
    return text


def test_the_table_is_walked_and_folded_by_keys_alone(opened: Opened) -> None:
    page = opened()
    page.locator("#fold").focus()
    page.keyboard.press("Enter")
    page.locator("#rows thead button").last.focus()
    page.keyboard.press("Tab")
    assert focused(page) == "conv1"
    for key, path in [
        ("ArrowDown", "bn1"),
        ("End", "fc"),
        ("Home", "conv1"),
        ("ArrowLeft", "conv1"),
        *[("ArrowDown", name) for name in ("bn1", "relu", "maxpool", "layer1")],
        ("ArrowRight", "layer1"),  # opens it
        ("ArrowRight", "layer1.0"),
        ("Enter", "layer1.0"),  # opens it
        ("ArrowDown", "layer1.0.conv1"),
        ("ArrowLeft", "layer1.0"),
        ("Space", "layer1.0"),  # closes it
        ("ArrowDown", "layer1.1"),
        ("ArrowLeft", "layer1"),
        ("ArrowLeft", "layer1"),  # closes it
        ("ArrowDown", "layer2"),
    ]:
        page.keyboard.press(key)
        assert focused(page) == path, key
    assert {row["level"] for row in rows(page)} == {1}


def boxes(page: Page, side: str) -> dict[str, Record]:
    """The visible boxes of an icicle by their path, with what they lie in."""
    found: list[Record] = page.evaluate(
        """(side) => [...document.querySelectorAll(`[data-side=${side}] > [data-index]`)]
          .filter((box) => !box.hidden)
          .map((box) => {
            const {left, width, top} = box.getBoundingClientRect();
            const index = Number(box.dataset.index);
            return {index, left, width, top, label: box.getAttribute("aria-label")};
          })""",
        side,
    )
    return {str(box["index"]): box for box in found}


def parents(page: Page) -> list[int]:
    document = json.loads(page.locator("#data").text_content() or "")
    return [row[0] for row in document["table"]["rows"]]


@pytest.mark.parametrize("metric", ["MACs", "parameters", "time"])
def test_the_widths_of_what_a_module_holds_are_its_own(opened: Opened, metric: str) -> None:
    page = opened(reduced_motion="reduce")
    page.get_by_label(metric, exact=True).check()
    for side in ("before", "after"):
        found = boxes(page, side)
        inside: dict[int, list[Record]] = {}
        for index, parent in enumerate(parents(page)):
            if str(index) in found:
                inside.setdefault(parent, []).append(found[str(index)])
        assert len(inside) > 20
        for parent, members in inside.items():
            module = found[str(parent)]
            assert sum(one["width"] for one in members) == pytest.approx(module["width"], abs=0.5)
            assert members[0]["left"] == pytest.approx(module["left"], abs=0.5)
            assert all(one["top"] > module["top"] for one in members)
    before, after = boxes(page, "before")["-1"], boxes(page, "after")["-1"]
    left = {"MACs": 2_907_439_104 / 4_089_184_256, "parameters": 18_326_568 / 25_557_032}
    if metric in left:
        assert after["width"] / before["width"] == pytest.approx(left[metric], abs=1e-3)


def test_icicles_zoom_by_click_and_by_keys(opened: Opened) -> None:
    page = opened(reduced_motion="reduce")
    whole_width = boxes(page, "before")["-1"]["width"]
    page.locator("[data-side=before] > div", has_text="layer3").click()
    crumbs = page.locator(".crumbs")
    assert crumbs.inner_text().split() == ["torchvision:resnet50", "›", "layer3"]
    # layer3: before 1,464,336,384 MACs, after 1,021,182,... : the captions say so exactly
    captions = page.locator(".icicle-title").all_inner_texts()
    assert captions[0] == "before: 1,464,336,384 MACs"
    assert max(box["width"] for box in boxes(page, "before").values()) == pytest.approx(
        whole_width, abs=0.5
    )
    assert focused(page) == "layer3"
    for key, text in [
        ("ArrowDown", "0"),
        ("ArrowRight", "1"),
        ("Enter", "1"),
        ("ArrowDown", "conv1"),
        ("ArrowUp", "1"),
        ("Escape", "layer3"),
        ("Escape", "torchvision:resnet50"),
        ("Escape", "torchvision:resnet50"),
    ]:
        page.keyboard.press(key)
        assert focused(page) == text, key
    assert captions != page.locator(".icicle-title").all_inner_texts()


# Text, and the least contrast that WCAG 2 asks of it (large text 3, other text 4.5).
TEXTS = {
    "h1": 4.5,
    ".lead": 4.5,
    "nav a": 4.5,
    ".card h3": 4.5,
    ".figure b": 3.0,
    ".delta.less": 4.5,
    ".delta.more": 4.5,
    ".was": 4.5,
    ".modules td.n": 4.5,
    "#rows thead button": 4.5,
    "#rows tbody tr:not(.module) td": 4.5,
    "#rows .module > td": 4.5,
    "#rows tfoot td": 4.5,
    "#status": 4.5,
    ".controls button": 4.5,
    ".icicle > .module": 4.5,
    ".icicle > .convolution:not(.thin)": 4.5,
    "[data-side=after] > .dual:not(.thin)": 4.5,
    ".icicle-title": 4.5,
    ".saved": 4.5,
    ".agrees": 4.5,
    "math mn": 4.5,
    "dt": 4.5,
    "dd": 4.5,
    "#command": 4.5,
    "figcaption": 4.5,
    "footer p": 4.5,
}
CONTRAST = """(selectors) => {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  const paint = (colour) => { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); };
  const seen = () => [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return selectors.map((selector) => {
    const element = document.querySelector(selector);
    const behind = [];
    for (let at = element; at; at = at.parentElement) {
      behind.unshift(getComputedStyle(at).backgroundColor);
    }
    pen.clearRect(0, 0, 1, 1);
    paint("white");
    behind.forEach(paint);
    const ground = light(seen());
    paint(getComputedStyle(element).color);
    const ink = light(seen());
    return (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05);
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_in_dark(opened: Opened, scheme: str) -> None:
    page = opened(color_scheme=scheme)
    page.get_by_label("parameters", exact=True).check()  # some replaced layers are wide then
    found = page.evaluate(CONTRAST, [*TEXTS])
    weak = {
        selector: round(contrast, 2)
        for (selector, least), contrast in zip(TEXTS.items(), found, strict=True)
        if contrast < least
    }
    assert weak == {}


def test_the_schemes_differ(opened: Opened) -> None:
    grounds = {
        scheme: opened(color_scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert grounds["light"] == "rgb(255, 255, 255)"
    assert grounds["dark"] != grounds["light"]


def test_print_shows_all_rows_and_no_controls(opened: Opened, profile: Any) -> None:
    page = opened(color_scheme="dark")
    page.locator("#fold").click()
    page.locator("#query").fill("layer1")
    page.emulate_media(media="print")
    shown = rows(page)
    assert len([row for row in shown if not row["module"]]) == len(leaves(profile))
    assert len([row for row in shown if row["module"]]) == len(
        [row for row in parents(page) if row is not None]
    ) - len(leaves(profile))
    for selector in ("nav", ".controls", "#copy", ".choice", ".crumbs"):
        assert not page.locator(selector).first.is_visible(), selector
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.scroller')).overflow") == "visible"
    )
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.emulate_media(media="screen")
    page.locator("#flat").check()
    page.emulate_media(media="print")
    assert len(rows(page)) == len(leaves(profile))


def test_a_printed_page_is_cut_off_nowhere(opened: Opened, folder: Path) -> None:
    page = opened()
    page.pdf(path=str(folder / "page.pdf"), prefer_css_page_size=True)
    # A4 landscape less its margins, at 96 dots an inch
    page.set_viewport_size({"width": round((297 - 24) / 25.4 * 96), "height": 700})
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert (folder / "page.pdf").stat().st_size > 10_000


def test_without_javascript_the_table_is_there(opened: Opened, profile: Any) -> None:
    page = opened(java_script_enabled=False)
    table = page.locator("#rows")
    assert table.is_visible()
    assert page.locator("#rows tbody tr:not(.module)").count() == len(leaves(profile))
    visible = [row.is_visible() for row in page.locator("#rows tbody tr").all()[:60:7]]
    assert visible
    assert all(visible)
    assert not page.locator(".controls").is_visible()
    assert page.get_by_text("This drawing needs JavaScript").is_visible()


@pytest.mark.parametrize("name", ["page.html", "plain.html", "both.html"])
@pytest.mark.parametrize("width", [375, 768, 1280])
def test_no_page_is_wider_than_its_window(opened: Opened, name: str, width: int) -> None:
    page = opened(name, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", ["page.html", "plain.html", "both.html"])
def test_names_of_elements_are_unique_and_links_lead_somewhere(opened: Opened, name: str) -> None:
    page = opened(name)
    ids: list[str] = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    links: list[str] = page.evaluate(
        "[...document.querySelectorAll('a')].map((one) => one.getAttribute('href').slice(1))"
    )
    assert links
    assert set(links) <= set(ids)
    labels: list[str] = page.evaluate(
        """[...document.querySelectorAll('[aria-labelledby], [aria-describedby]')]
          .flatMap((one) => ['aria-labelledby', 'aria-describedby'].map((a) => one.getAttribute(a)))
          .filter(Boolean)"""
    )
    assert set(labels) <= set(ids)


def test_a_network_as_it_is_has_one_icicle_and_no_word_of_before(opened: Opened) -> None:
    page = opened("plain.html")
    assert page.locator(".icicle").count() == 1
    assert "macs_before" not in keys(page)
    assert page.get_by_text("Left out, as --no-latency says").is_visible()
    assert page.locator("#equations").count() == 0
    assert page.get_by_label("time", exact=True).count() == 0


def test_the_button_copies_the_command(opened: Opened) -> None:
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    button = page.get_by_role("button", name="Copy")
    button.click()
    page.wait_for_function("document.getElementById('copy').textContent !== 'Copy'")
    command = page.locator("#command").inner_text()
    assert command.startswith("dualcost report resnet50 --conv dual --G 4 --calibration ")
    chosen = page.evaluate("getSelection().toString()")
    assert chosen in ("", command)  # copied, or selected where there is no clipboard


def test_the_roofline_has_a_mark_for_every_layer_that_computes(
    opened: Opened, profile: Any
) -> None:
    page = opened()
    frame = page.locator("svg.roofline").bounding_box()
    assert frame is not None
    marks: list[Record] = page.evaluate(
        """[...document.querySelectorAll("svg.roofline circle")].map((mark) => {
          const {left, right, top, bottom} = mark.getBoundingClientRect();
          return {left, right, top, bottom, look: mark.className.baseVal, title: mark.textContent};
        })"""
    )

    def layers(look: str) -> int:
        """One, and those that are like it."""
        return sum(
            1 + int(one["title"].partition(" and ")[2].partition(" ")[0] or 0)
            for one in marks
            if one["look"].startswith(look)
        )

    computing = [row for row in profile["rows"] if row["macs_before"]]
    replaced = [row for row in computing if row["becomes"]]
    assert layers("before") == layers("after") == len(replaced)
    assert layers("kept") == len(computing) - len(replaced)
    for mark in marks:
        assert frame["x"] <= mark["left"] <= mark["right"] <= frame["x"] + frame["width"]
        assert frame["y"] <= mark["top"] <= mark["bottom"] <= frame["y"] + frame["height"]


def test_a_comparison_sorts_filters_and_says_what_compare_says(
    opened: Opened, folder: Path
) -> None:
    page = opened("both.html")
    expected = json.loads((folder / "both.json").read_text())
    columns = keys(page)
    totals = page.locator("#rows tfoot tr > *").all()
    for metric in ("macs", "params", "traffic"):
        for letter, total in zip("AB", expected["total"][metric], strict=True):
            title = totals[columns.index(f"{metric}_{letter}")].get_attribute("title")
            assert whole(title or "") == total
    lines = expected["lines"]
    page.locator("#only").select_option(label="what differs")
    assert len(rows(page)) == expected["differ"]
    page.locator("#only").select_option(label="all lines")
    sort_by(page, "macs_change_B")  # from large to small: what grew most comes first
    sort_by(page, "macs_change_B")
    changes = [(line["macs"][1] or 0) - (line["macs"][0] or 0) for line in lines]
    ordered = sorted(range(len(lines)), key=lambda index: changes[index])
    names = [lines[index]["paths"][0] for index in ordered if lines[index]["paths"][0]]
    shown = [row["texts"][0] for row in rows(page)]
    assert [name for name in shown if not name.startswith("(")] == names


def test_screenshots_are_what_they_were_made_of(opened: Opened, folder: Path) -> None:
    page = opened()
    picture = page.screenshot(full_page=True)
    assert picture.startswith(b"\x89PNG")
    assert len(set(picture)) == 256  # not one colour
