"""What the site needs besides Markdown: formulas, files of the repository, and old addresses.

mkdocs calls these functions by their names (see `hooks` in mkdocs.yml). The pages stay what GitHub
shows as well: mathematics in ```math blocks, and relative links that may lead out of docs/.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OUTSIDE = "repository"  # where the site keeps what its pages link to outside docs/
LINK = re.compile(r"(\]\()([^)#\s]+)")
HEADING = re.compile(r'<h[1-6] id="([^"]+)"')
REDIRECT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>This page has moved</title>
<script>
const section = decodeURIComponent(location.hash.slice(1));
const kept = {kept};
location.replace(kept.includes(section) ? "{page}#" + section : "{target}");
</script>
<noscript><meta http-equiv="refresh" content="0; url={target}"></noscript>
<p>This page is now <a href="{target}">{page}</a>.</p>
</html>
"""
MODELS = "<!-- models -->"  # where a page has the table of all models
MODELS_HTML = """\
<div class="models">Sorting and filtering need JavaScript; the file needs none.</div>
<script id="models-data" type="text/csv">
{data}</script>
<script src="../assets/models.js"></script>
"""
MATHS = re.compile(r"^```math\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside docs/ that the navigation names, and all that pages link to."""
    named = [ROOT / name for name in re.findall(rf"{OUTSIDE}/([\w./-]+)", str(config.nav))]
    pages = [*(DOCS / page.src_uri for page in files.documentation_pages()), *named]
    found = set(named)
    for page in pages:  # and those that are found on the way
        targets = {_target(page, link) for _, link in LINK.findall(page.read_text())}
        new = {path for path in targets if path and not path.is_relative_to(DOCS)} - found
        found |= new
        pages += [path for path in new if path.suffix == ".md"]
    for path in sorted(found):
        uri = f"{OUTSIDE}/{path.relative_to(ROOT)}"
        level = InclusionLevel.NOT_IN_NAV  # what is only linked to need not be there
        files.append(File.generated(config, uri, abs_src_path=str(path), inclusion=level))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Draw formulas, let links lead to where their targets are on the site, and bring data."""
    here = _path(page.file.src_uri)

    def link(match: re.Match[str]) -> str:
        target = _target(here, match[2])
        if target is None:
            return match[0]
        start = (DOCS / page.file.src_uri).parent
        return match[1] + Path(os.path.relpath(_place(target), start)).as_posix()

    markdown = MATHS.sub(_drawn, LINK.sub(link, markdown))
    if MODELS in markdown:
        data = here.with_suffix(".csv").read_text()
        markdown = markdown.replace(MODELS, MODELS_HTML.format(data=data))
    return markdown


def on_post_build(config: MkDocsConfig) -> None:
    """Let old addresses lead on, their sections too where the new page has one of that name.

    Raises:
        PluginError: a new address is no page, or no section of one.
    """
    site = Path(config.site_dir)
    for old, new in config.extra["moved"].items():
        name, _, section = new.partition("#")
        kept = HEADING.findall((site / name).read_text()) if (site / name).exists() else None
        if kept is None or (section and section not in kept):
            raise PluginError(f"{old} is said to have moved to {new}, which is not there")
        path = site / f"{old}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        back = "../" * old.count("/")
        path.write_text(REDIRECT.format(kept=json.dumps(kept), page=back + name, target=back + new))


def _path(uri: str) -> Path:
    """Where a file of the site lies in the repository."""
    outside = f"{OUTSIDE}/"
    return ROOT / uri.removeprefix(outside) if uri.startswith(outside) else DOCS / uri


def _place(path: Path) -> Path:
    """Where a file of the repository lies on the site, as if that were docs/."""
    return path if path.is_relative_to(DOCS) else DOCS / OUTSIDE / path.relative_to(ROOT)


def _target(page: Path, link: str) -> Path | None:
    """The file of the repository that a link of a page leads to; None if it leads elsewhere."""
    if ":" in link:
        return None
    path = Path(os.path.normpath(page.parent / link))
    return path if path.is_relative_to(ROOT) and path.is_file() else None


def _drawn(match: re.Match[str]) -> str:
    lines = [convert(line, display="block") for line in match[1].splitlines() if line]
    return "\n\n".join(f'<div class="formula">{line}</div>' for line in lines)
