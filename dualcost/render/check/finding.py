"""What a code host shows beside a line: everything of a check that is not fine, in one form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from dualcost.gate.budget import FAIL
from dualcost.gate.check import Report
from dualcost.gate.limit import ERROR, WARN
from dualcost.render.check import words

UNMEASURED, STALE = "unmeasured", "lock"
ABOUT = {
    "budget": "A metric of a model is beyond its budget.",
    "ratchet": "A metric of a model grew by more than is allowed.",
    UNMEASURED: "A model could not be measured.",
    STALE: "The lock file is out of date.",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is not fine.

    Attributes:
        rule: one of ABOUT.
        level: ERROR or WARN.
        path: the file that it stands in; "" where a command said the limit.
        line: counted from 1; 0 without a file.
        title: the model and the metric.
        message: one sentence.
        details: what helps, a line each.
    """

    rule: str
    level: str
    path: str
    line: int
    title: str
    message: str
    details: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """The same for the same limit from run to run, whatever the numbers are."""
        words = f"{self.rule}\n{self.path}\n{self.title}"
        return hashlib.sha256(words.encode()).hexdigest()


def findings(report: Report) -> Iterator[Finding]:
    """All of them, in the order of the configuration."""
    path = report.config.place
    for one in report.models:
        name = one.model.name
        if one.error is not None:
            details = (one.error.hint,) if one.error.hint else ()
            yield Finding(UNMEASURED, ERROR, path, one.model.line, name, one.error.message, details)
        for verdict in one.verdicts:
            if not verdict.passed:
                yield Finding(
                    verdict.kind,
                    ERROR if verdict.status == FAIL else WARN,
                    path,
                    verdict.line,
                    f"{name}: {words.metric(verdict)} {verdict.bound}",
                    f"{name}: {words.sentence(verdict)}",
                    tuple(words.details(verdict)),
                )
    if report.stale:
        message = f"{report.config.baseline.name} is out of date"
        yield Finding(STALE, ERROR, path, 1, message, message, report.stale)
