"""The site: it builds without a warning, has every page, and asks no other host for anything."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import yaml
from support.browser import chromium
from support.site import build

import dualcost
import dualcost.nn
from dualcost.kinds.equations import EQUATIONS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OUTSIDE = ("repository/CHANGELOG.md", "repository/CONTRIBUTING.md")
# what a browser fetches by itself, and by which attribute; `a` is for readers to follow
FETCHED = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "video": "src",
}


# every page that the site once had at its top, in howto/ and in reference/
ONCE = """
architecture bench benchmarks check command-line compare convert counting exit-codes explain fit
formats formula fuse index latency latency-paper paper quality report rules sixth-kind sweep
tutorial verify zoo howto/ci howto/inputs howto/latency howto/own-model howto/plans
reference/commands reference/equations reference/python
"""


class Resources(HTMLParser):
    """Whatever a browser fetches for a page without being asked."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words = dict(attrs)
        if words.get("rel") not in ("canonical", "prev", "next"):  # for readers and robots
            self.found.append(words.get(FETCHED.get(tag, "")) or "")
        self.found += re.findall(r"url\((.*?)\)", words.get("style") or "")


def foreign(address: str) -> bool:
    return address.strip("\"'").startswith(("http:", "https:", "//"))


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    named = re.findall(r": ([\w/-]+\.md)$", text, re.MULTILINE)
    pages = {str(path.relative_to(DOCS)) for path in DOCS.glob("**/*.md")}
    assert sorted(named) == sorted({*pages, *OUTSIDE})


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    moved = {site / f"{name}.html" for name in old_addresses()}
    pages = sorted({*site.glob("**/*.html")} - moved)
    assert len(pages) > 25
    count = 0
    for page in pages:
        resources = Resources()
        resources.feed(page.read_text())
        count += sum(map(bool, resources.found))
        assert not list(filter(foreign, resources.found)), page
    assert count > 5 * len(pages)  # the parser sees them
    for sheet in site.glob("**/*.css"):
        text = sheet.read_text()
        assert not list(filter(foreign, re.findall(r"url\((.*?)\)", text))), sheet
        assert "@import" not in text


def test_a_resource_from_elsewhere_would_be_noticed() -> None:
    resources = Resources()
    resources.feed(
        '<link rel="stylesheet" href="https://fonts.example.org/a.css">'
        '<script src="//cdn.example.org/a.js"></script>'
        '<p style="background: url(http://example.org/a.png)"><a href="https://example.org">'
    )
    assert len(list(filter(foreign, resources.found))) == 3


def test_a_page_that_has_moved_fetches_nothing(site: Path) -> None:
    for name in old_addresses():
        resources = Resources()
        resources.feed((site / f"{name}.html").read_text())
        assert not any(resources.found)


def old_addresses() -> list[str]:
    config = yaml.load((ROOT / "mkdocs.yml").read_text(), yaml.BaseLoader)
    return list(config["extra"]["moved"])


def test_every_old_address_leads_to_a_page(site: Path) -> None:
    for name in ONCE.split():
        assert (site / f"{name}.html").exists(), f"`moved` in mkdocs.yml has no {name}"


def test_an_old_address_leads_to_its_page_and_section(site: Path) -> None:
    ways = {
        "rules.html": "reference/rules.html",
        "rules.html#blocks": "reference/rules.html#blocks",
        "rules.html#no-such-section": "reference/rules.html",
        "exit-codes.html": "reference/output.html#exit-codes",
        "howto/latency.html": "guide/time.html",
        "command-line.html#the-cache": "reference/output.html#the-cache",
    }
    with chromium() as browser:
        for old, new in ways.items():
            page = browser.new_page()
            page.goto(f"{site.as_uri()}/{old}", wait_until="commit")
            page.wait_for_url(f"{site.as_uri()}/{new}")
            page.close()


def test_an_old_address_leads_on_without_a_script(site: Path) -> None:
    with chromium() as browser:
        page = browser.new_context(java_script_enabled=False).new_page()
        page.goto(f"{site.as_uri()}/howto/own-model.html", wait_until="commit")
        page.wait_for_url(f"{site.as_uri()}/guide/model.html")


def test_a_move_to_nowhere_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# Here\n")
    path = tmp_path / "mkdocs.yml"
    for new in ("there.html", "index.html#there"):
        config = {"site_name": "small", "extra": {"moved": {"old": new}}}
        config |= {"hooks": [str(ROOT / "scripts/site_hooks.py")]}
        path.write_text(yaml.safe_dump(config))
        done = build(str(tmp_path / "site"), "--config-file", str(path))
        assert done.returncode == 1
        assert f"old is said to have moved to {new}, which is not there" in done.stderr


def test_formulas_are_mathml(site: Path) -> None:
    page = (site / "paper/equations.html").read_text()
    assert page.count("<math ") == len(EQUATIONS)
    assert "\\frac" not in page


def test_the_search_knows_pages_and_sections(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text())
    found = {one["location"] for one in index["docs"]}
    assert {"tutorial.html", "reference/commands.html#sweep"} <= found
    assert "reference/python.html#dualcost.profile" in found


def test_what_pages_link_to_outside_the_documents_is_on_the_site(site: Path) -> None:
    for name in (
        "dualcost/render/profile/profile.schema.json",
        "dualcost/render/check/check.schema.json",
    ):
        assert (site / "repository" / name).read_bytes() == (ROOT / name).read_bytes()
    for name in OUTSIDE:
        assert (site / name).with_suffix(".html").exists()
    assert (site / "repository/dualcost/kinds/kinds.py").exists()  # to which Contributing links
    assert (site / "examples/gate/.github/workflows/cost.yml").exists()
    assert not list(site.glob("**/__pycache__"))


def test_a_warning_ends_the_build(tmp_path: Path) -> None:
    config = yaml.load((ROOT / "mkdocs.yml").read_text(), yaml.BaseLoader)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# Here\n\n[no such section](#there)\n")
    path = tmp_path / "mkdocs.yml"
    path.write_text(yaml.safe_dump({"site_name": "small", "validation": config["validation"]}))
    done = build(str(tmp_path / "site"), "--config-file", str(path))
    assert done.returncode == 1
    assert "#there" in done.stderr


def test_the_page_about_python_has_every_public_name() -> None:
    page = (DOCS / "reference/python.md").read_text()
    named = re.findall(r"^::: dualcost\.([\w.]+)$", page, re.MULTILINE)
    public = {*dualcost.__all__, *dualcost.nn.__all__} - {"__version__"}
    assert public <= {name.rpartition(".")[2] for name in named}
    assert len(named) == len(set(named))
