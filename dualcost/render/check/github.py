"""A check as workflow commands of GitHub Actions: an annotation at the line of each limit."""

from __future__ import annotations

from dualcost.gate.check import Report
from dualcost.gate.limit import ERROR
from dualcost.render.check.finding import Finding, findings


def check_github(report: Report) -> str:
    """One line for each annotation; "" if all is fine.

    Source: docs.github.com/en/actions/reference/workflow-commands-for-github-actions
    """
    return "".join(f"{_command(finding)}\n" for finding in findings(report))


def _command(finding: Finding) -> str:
    command = "error" if finding.level == ERROR else "warning"
    place = {"file": finding.path, "line": str(finding.line)} if finding.path else {}
    facts = {**place, "title": finding.title}
    said = ",".join(f"{name}={_property(value)}" for name, value in facts.items())
    text = "\n".join([finding.message, *finding.details])
    return f"::{command} {said}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
