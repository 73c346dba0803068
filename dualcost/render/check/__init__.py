"""A check in every form that people and machines read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dualcost.gate.check import Report

FORMS = ("text", "json", "markdown", "junit", "github", "gitlab", "sarif")
ENDINGS = {
    ".txt": "text",
    ".json": "json",
    ".md": "markdown",
    ".xml": "junit",
    ".sarif": "sarif",
}


def written(report: Report, form: str, path: Path | None = None) -> str:
    """A check in one of FORMS, for a file or, without a path, for standard output."""
    match form:
        case "json":
            from dualcost.render.check.json import check_json as write
        case "markdown":
            from dualcost.render.check.markdown import check_markdown as write
        case "junit":
            from dualcost.render.check.junit import check_junit as write
        case "github":
            from dualcost.render.check.github import check_github as write
        case "gitlab":
            from dualcost.render.check.gitlab import check_gitlab as write
        case "sarif":
            from dualcost.render.check.sarif import check_sarif as write
        case _:
            from dualcost.render.check.text import check_table
            from dualcost.render.terminal import as_text

            return as_text(lambda width: check_table(report), path)
    return write(report)
