"""A check as JUnit XML: a suite for each model, a case for each limit."""

from __future__ import annotations

from xml.etree import ElementTree

from dualcost.gate.budget import FAIL, Verdict
from dualcost.gate.check import Checked, Report
from dualcost.render.check import words


def check_junit(report: Report) -> str:
    """The whole check; a warning is a case that passes and says so in its output."""
    suites = ElementTree.Element("testsuites", name="dualcost")
    for one in report.models:
        _suite(suites, report, one)
    if report.stale:
        suite = ElementTree.SubElement(suites, "testsuite", name=report.config.baseline.name)
        case = _case(suite, report.config.baseline.name, "is up to date", report, 0)
        _failed(case, "failure", "the lock file is out of date", "\n".join(report.stale))
        _count(suite)
    _count(suites)
    ElementTree.indent(suites)
    text: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return f"{text.decode()}\n"


def _suite(parent: ElementTree.Element, report: Report, checked: Checked) -> None:
    suite = ElementTree.SubElement(parent, "testsuite", name=checked.model.name)
    if checked.error is not None:
        case = _case(suite, checked.model.name, "can be measured", report, checked.model.line)
        _failed(case, "error", checked.error.message, checked.error.hint)
    for verdict in checked.verdicts:
        name = f"{words.metric(verdict)} {verdict.bound}"
        case = _case(suite, checked.model.name, name, report, verdict.line)
        said = words.sentence(verdict)
        if verdict.status == FAIL:
            _failed(case, "failure", said, _body(verdict))
        else:
            ElementTree.SubElement(case, "system-out").text = _clean(
                f"{words.SAID[verdict.status]}: {said}"
            )
    _count(suite)


def _case(
    suite: ElementTree.Element, model: str, name: str, report: Report, line: int
) -> ElementTree.Element:
    place = {"file": report.config.place, "line": str(line or "")}
    said = {key: value for key, value in place.items() if value}
    facts = {"classname": f"dualcost.{model}", "name": name, **said}
    clean = {key: _clean(value) for key, value in facts.items()}
    return ElementTree.SubElement(suite, "testcase", clean)


def _failed(case: ElementTree.Element, tag: str, message: str, body: str) -> None:
    ElementTree.SubElement(case, tag, message=_clean(message)).text = _clean(body)


def _body(verdict: Verdict) -> str:
    return "\n".join([words.sentence(verdict), *words.details(verdict)])


def _count(element: ElementTree.Element) -> None:
    """Write how many cases are in it, and how many of them did not pass."""
    for attribute, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
        element.set(attribute, str(sum(1 for _ in element.iter(tag))))


def _clean(text: str) -> str:
    """Without the control characters that XML has no way to write."""
    return "".join(one for one in text if one in "\t\n" or one >= " ")
