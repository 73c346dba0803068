"""A check as a code quality report of GitLab: a JSON array of issues."""

from __future__ import annotations

import json

from dualcost.gate.check import Report
from dualcost.gate.limit import ERROR
from dualcost.render.check.finding import findings


def check_gitlab(report: Report) -> str:
    """One issue for each thing that is not fine; an empty array if all is.

    Source: docs.gitlab.com/ci/testing/code_quality, “Code Quality report format”.
    """
    issues = [
        {
            "description": ". ".join([finding.message, *finding.details]),
            "check_name": f"dualcost/{finding.rule}",
            "fingerprint": finding.fingerprint,
            "severity": "major" if finding.level == ERROR else "minor",
            # a report without a place is refused: then it is the repository's
            "location": {"path": finding.path or ".", "lines": {"begin": finding.line or 1}},
        }
        for finding in findings(report)
    ]
    return json.dumps(issues, indent=2, ensure_ascii=False) + "\n"
