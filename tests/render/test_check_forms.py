"""A check in every form: what other programs read is in the form that they publish."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from support.schemas import SCHEMA
from support.snapshots import LAYERS, allowance, appraisal, configuration, limit, model, snapshot
from syrupy.assertion import SnapshotAssertion

from dualcost.errors import UnmeasuredError
from dualcost.gate import budget
from dualcost.gate.check import Checked, Report
from dualcost.gate.limit import WARN
from dualcost.render.check.github import check_github
from dualcost.render.check.gitlab import check_gitlab
from dualcost.render.check.json import check_json
from dualcost.render.check.junit import check_junit
from dualcost.render.check.markdown import MARKER, check_markdown, escaped
from dualcost.render.check.sarif import check_sarif
from dualcost.render.check.text import check_table
from dualcost.render.terminal import as_text

# Essentials of sarif-schema-2.1.0.json of OASIS: what a result viewer relies on.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "$schema": {"type": "string", "format": "uri"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {"type": "object", "required": ["id"]},
                                    }
                                },
                            }
                        },
                    },
                    "invocations": {
                        "type": "array",
                        "items": {"type": "object", "required": ["executionSuccessful"]},
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message", "ruleId", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"type": "object", "required": ["text"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "partialFingerprints": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                },
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "region": {
                                                        "type": "object",
                                                        "properties": {
                                                            "startLine": {
                                                                "type": "integer",
                                                                "minimum": 1,
                                                            }
                                                        },
                                                    }
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}

# Essentials of GitLab's code quality report: docs.gitlab.com/ci/testing/code_quality
GITLAB: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string"},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "not": {"pattern": "^(/|\\./)"}},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def report() -> Report:
    """One model that fails, one that warns, one that is fine, and one that does not run."""
    limits = (
        limit("params", 1300, line=11, message="see docs/device.md"),
        limit("peak-activations", 1000, level=WARN, line=12),
        limit("reduction.params", low=0, line=13),
    )
    guarded = (allowance("params", 0), allowance("macs", 0))
    wider = snapshot({**LAYERS, "body.1": (4000, 700)})
    small = model(*limits)
    fine = model(limit("macs", 10**6), name="fine | <b>*")
    gone = model(limit("macs", 10**6), name="gone")
    error = UnmeasuredError("pyproject.toml:3: gone: there is no file models.py", "write it")
    return Report(
        configuration(small, fine, gone, ratchet=guarded),
        "dualcost.lock",
        (
            Checked(
                small,
                appraisal(wider),
                snapshot(),
                budget.judge(small, appraisal(wider), snapshot(), guarded),
                advice="try dual G=4 on body.1 saves 400 params: fits",
            ),
            Checked(
                fine,
                appraisal(snapshot()),
                None,
                budget.judge(fine, appraisal(snapshot()), None, guarded),
                notes=("dualcost.lock does not know it: it is new",),
            ),
            Checked(gone, None, error=error),
        ),
        stale=("small: params changed",),
    )


def passing() -> Report:
    whole = report()
    return replace(whole, models=whole.models[1:2], stale=())


def test_the_text_says_what_is_wrong_and_what_helps(snapshot: SnapshotAssertion) -> None:
    text = as_text(lambda width: check_table(report()), None)
    assert text == snapshot


def test_the_text_fits_eighty_columns() -> None:
    text = as_text(lambda width: check_table(report()), None)
    assert max(map(len, text.splitlines())) <= 80
    assert "peak-activations " in text  # not folded


def test_a_count_that_is_no_number_says_so_once_and_names_the_ops() -> None:
    small = model(limit("macs", 10**6))
    found = appraisal(snapshot(unknown=3))
    verdicts = budget.judge(small, found, None, ())
    one = Report(configuration(small), "", (Checked(small, found, None, verdicts),))
    text = " ".join(as_text(lambda width: check_table(one), None).split())
    assert "FAIL: macs is at least 6150: an op that no rule counts ran: the count" in text
    assert text.count("lower bound") == 1
    assert "ops: erfinv 3" in text


def test_json_fits_its_schema_and_says_all_that_a_baseline_needs() -> None:
    document = json.loads(check_json(report()))
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert (document["passed"], document["exit_code"]) == (False, 3)
    small, fine, gone = document["models"]
    assert [one["status"] for one in small["verdicts"]] == ["fail", "warn", "ok", "fail", "ok"]
    params = small["verdicts"][0]
    assert (params["now"], params["limit"], params["headroom"]) == (1510, 1300, -210)
    assert params["culprits"] == [{"path": "body.1", "amount": 400, "grew": True}]
    assert small["snapshot"]["metrics"]["params"] == 1510
    assert gone["snapshot"] is None
    assert fine["error"] is None
    assert json.loads(check_json(passing()))["passed"]


def test_the_schema_refuses_counts_that_are_no_integers() -> None:
    document = json.loads(check_json(report()))
    document["models"][0]["verdicts"][0]["now"] = 1.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_markdown_has_the_marker_first_and_one_row_a_limit() -> None:
    text = check_markdown(report())
    assert text.splitlines()[0] == MARKER
    rows = [line for line in text.splitlines() if re.match(r"\| (✅|⚠️|❌)", line)]
    assert len(rows) == len(report().verdicts)
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 8 for row in rows)
    assert "fine \\| \\<b\\>\\*" in text
    assert "see docs/device.md" in text


def test_markdown_of_a_name_is_that_name() -> None:
    assert escaped("a|b <i> *x* _y_\nz") == "a\\|b \\<i\\> \\*x\\* \\_y\\_ z"


def test_junit_counts_what_it_holds() -> None:
    root = ElementTree.fromstring(check_junit(report()))
    small, fine, gone, lock = root
    assert [suite.get("name") for suite in root] == [
        "small",
        "fine | <b>*",
        "gone",
        "dualcost.lock",
    ]
    assert (small.get("tests"), small.get("failures"), small.get("errors")) == ("5", "2", "0")
    assert (gone.get("tests"), gone.get("failures"), gone.get("errors")) == ("1", "0", "1")
    assert (fine.get("failures"), lock.get("failures")) == ("0", "1")
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("8", "3", "1")
    case = small[0]
    assert (case.get("file"), case.get("line")) == ("pyproject.toml", "11")
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "params is 1510: 210 over the budget of 1300"
    assert "body.1 +400" in (failure.text or "")


def test_junit_survives_characters_that_xml_has_no_way_to_write() -> None:
    odd = replace(report().models[2], error=UnmeasuredError("a \x1b[31mred\x00 word <&>"))
    text = check_junit(replace(report(), models=(odd,)))
    (suite, *_) = ElementTree.fromstring(text)
    found = suite.find("testcase/error")
    assert found is not None
    assert found.get("message") == "a [31mred word <&>"


def test_github_annotates_the_lines_of_the_limits() -> None:
    lines = check_github(report()).splitlines()
    found = [
        re.match(r"::(error|warning) file=(.*?),line=(\d+),title=(.*?)::(.*)", line)
        for line in lines
    ]
    assert [(m[1], m[2], m[3]) for m in found if m] == [
        ("error", "pyproject.toml", "11"),
        ("warning", "pyproject.toml", "12"),
        ("error", "pyproject.toml", "9"),
        ("error", "pyproject.toml", "3"),
        ("error", "pyproject.toml", "1"),
    ]
    assert all(found)
    assert "small%3A params max" in lines[0]
    assert "%0Agrew: body.1 +400%0Asee docs/device.md" in lines[0]
    assert check_github(passing()) == ""


def test_gitlab_gets_a_code_quality_report() -> None:
    issues = json.loads(check_gitlab(report()))
    jsonschema.validate(issues, GITLAB)
    assert [issue["severity"] for issue in issues] == ["major", "minor", "major", "major", "major"]
    assert len({issue["fingerprint"] for issue in issues}) == 5
    assert json.loads(check_gitlab(passing())) == []


def test_a_fingerprint_stays_when_only_a_number_changes() -> None:
    def prints(params: int) -> list[str]:
        found = appraisal(snapshot({"all": (1, params)}))
        small = model(limit("params", 10))
        checked = Checked(small, found, None, budget.judge(small, found, None, ()))
        one = Report(configuration(small), "", (checked,))
        return [issue["fingerprint"] for issue in json.loads(check_gitlab(one))]

    assert prints(11) == prints(12) != []
    assert prints(10) == []


def test_sarif_has_the_shape_that_its_standard_asks_for() -> None:
    document = json.loads(check_sarif(report()))
    jsonschema.validate(document, SARIF)
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [
        result["ruleId"] for result in run["results"]
    ]
    assert [result["level"] for result in run["results"]].count("warning") == 1
    assert not run["invocations"][0]["executionSuccessful"]
    assert json.loads(check_sarif(passing()))["runs"][0]["results"] == []
