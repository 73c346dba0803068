"""What witnesses said of a profile, as a table and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost.nn.verify.verification import Verification
from dualcost.render.profile import heading
from dualcost.render.terminal import plain_table

if TYPE_CHECKING:  # importing it wakes torch
    from dualcost.nn.verify.crosscheck import Check

SCHEMA = 1
STYLES = {
    "agrees": "green",
    "explained": "cyan",
    "differs": "yellow",
    "unexplained": "bold red",
}
NAMES = {
    "torch": "torch's FlopCounterMode",
    "fvcore": "fvcore",
    "numel": "sum(p.numel())",
}


def verification_table(verification: Verification, listed: str = "") -> RenderableType:
    """One row per quantity and witness, and the ops of one witness if asked for."""
    profile = verification.profile
    parts: list[RenderableType] = [
        Text(heading.title(profile), style="bold"),
        Text(f"input  {', '.join(str(spec) for spec in profile.inputs)}", style="dim"),
        "",
        _checks(verification.checks),
    ]
    reasons = (f"{check.quantity}: {check.why}" for check in verification.checks if check.why)
    parts += [Text(reason, style="dim") for reason in dict.fromkeys(reasons)]
    for name, failure in verification.failures.items():
        parts.append(
            Text(f"{NAMES.get(name, name)} could not count this model: {failure}", style="yellow")
        )
    if listed:
        parts += ["", _ops(verification, listed)]
    passed = "bold" if verification.passed else "bold red"
    return Group(*parts, "", Text(conclusion(verification), passed))


def _checks(checks: tuple[Check, ...]) -> RenderableType:
    table = plain_table()
    for title in ("quantity", "by", "ours", "witness", "difference", "verdict"):
        table.add_column(title, justify="right" if title in NUMBERS else "left")
    for check in checks:
        table.add_row(
            check.quantity,
            check.witness,
            f"{check.ours:,}",
            f"{check.theirs:,}",
            f"{check.difference:+,}" if check.difference else "0",
            Text(check.verdict, STYLES[check.verdict]),
        )
    return table


NUMBERS = ("ours", "witness", "difference", "runs", "MACs")


def _ops(verification: Verification, name: str) -> RenderableType:
    table = plain_table()
    for title in ("counted by", "op", "runs", "MACs"):
        table.add_column(title, justify="right" if title in NUMBERS else "left")
    for op in ops(verification, name):
        runs = str(op["runs"]) if op["runs"] else ""
        table.add_row(op["counter"], op["op"], runs, f"{op['macs']:,}")
    return table


def ops(verification: Verification, name: str) -> list[dict[str, Any]]:
    """MACs by op: a witness's, what it left out, and ours (what was replaced, by its new kind)."""
    witness = next(one for one in verification.witnesses if one.name == name)
    found = [
        {"counter": name, "op": op, "runs": None, "macs": macs}
        for op, macs in sorted(witness.counts.items())
    ]
    found += [{"counter": name, "op": op, "runs": None, "macs": 0} for op in witness.missed]
    macs: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    for row in verification.profile.rows:
        if row.after.macs:
            named = f"{row.op} ({row.becomes})" if row.replaced else row.op
            macs[named] += row.after.macs
            runs[named] += 1
    found += [
        {"counter": "dualcost", "op": op, "runs": runs[op], "macs": macs[op]} for op in sorted(macs)
    ]
    return found


def conclusion(verification: Verification) -> str:
    """How many agree, in one line."""
    if not any(not witness.failure for witness in verification.witnesses):
        return "no counter could count this model: nothing was verified"
    verdicts = Counter(check.verdict for check in verification.checks)
    words = {"agrees": "agree", "differs": "differ"}
    return ", ".join(f"{count} {words.get(name, name)}" for name, count in verdicts.items())


def verification_json(verification: Verification, listed: str = "") -> str:
    """The same for machines: exact integers."""
    profile = verification.profile
    document = {
        "schema": SCHEMA,
        "network": profile.network,
        "inputs": [str(spec) for spec in profile.inputs],
        "rewrite": profile.rewrite.label if profile.rewrite else None,
        "passed": verification.passed,
        "checks": [
            {
                "quantity": check.quantity,
                "witness": check.witness,
                "ours": check.ours,
                "theirs": check.theirs,
                "difference": check.difference,
                "verdict": check.verdict,
                "why": check.why,
            }
            for check in verification.checks
        ],
        "failures": verification.failures,
        "versions": heading.versions(profile),
    }
    if listed:
        document["ops"] = ops(verification, listed)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
