"""A check as SARIF 2.1.0, which code hosts and editors show beside the line of each limit."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from dualcost.gate.check import Report
from dualcost.gate.limit import ERROR
from dualcost.render.check.finding import ABOUT, Finding, findings
from dualcost.version import __version__

# Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0
SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def check_sarif(report: Report) -> str:
    """One run of one tool, with a result for each thing that is not fine."""
    rules = [{"id": rule, "shortDescription": {"text": text}} for rule, text in ABOUT.items()]
    driver = {"name": "dualcost", "semanticVersion": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "invocations": [
            {"executionSuccessful": not report.unmeasured, "exitCode": int(report.exit_code)}
        ],
        "results": [_result(finding) for finding in findings(report)],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _result(finding: Finding) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": quote(finding.path)},
        "region": {"startLine": finding.line},
    }
    return {
        "ruleId": finding.rule,
        "ruleIndex": list(ABOUT).index(finding.rule),
        "level": "error" if finding.level == ERROR else "warning",
        "message": {"text": "\n".join([finding.message, *finding.details])},
        "locations": [{"physicalLocation": place}] if finding.path else [],
        "partialFingerprints": {"dualcostLimit/v1": finding.fingerprint},
    }
