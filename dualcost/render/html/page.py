"""The page about one network."""

from __future__ import annotations

from typing import Any

from dualcost.costs.profile import REMOVED, TOTALLED
from dualcost.kinds.kinds import STANDARD
from dualcost.network.network import CONVOLUTION
from dualcost.nn.verify.verification import Verification
from dualcost.render.html.equations import worked
from dualcost.render.html.layers import layers_table
from dualcost.render.html.roofline import drawing
from dualcost.render.html.summary import bars, quantities
from dualcost.render.html.table import Table
from dualcost.render.html.template import COLOURED, rendered
from dualcost.render.profile import heading
from dualcost.render.roofline.table import peaks
from dualcost.render.verify import NAMES, conclusion
from dualcost.version import __version__
from dualcost.views.report import Counting, Report

SECTIONS = (
    ("summary", "Summary"),
    ("modules", "Before and after"),
    ("where", "Where it goes"),
    ("layers", "Layers"),
    ("equations", "Equations"),
    ("latency", "Latency and roofline"),
    ("verified", "Cross-check"),
    ("counted", "What was counted"),
    ("made", "How it was made"),
    ("words", "Words"),
)


COUNTED = {
    Counting.COUNTED: "counted",
    Counting.BESIDES: "counted besides MACs",
    Counting.LEFT_OUT: "left out",
    Counting.NO_MACS: "no MACs",
}


def network_page(
    report: Report,
    command: str,
    without_latency: str = "",
    verification: Verification | None = None,
) -> str:
    """The page, whole.

    Args:
        report: what it shows.
        command: what the user wrote to make it.
        without_latency: why it has no latency, if it has none.
        verification: what others counted, if they were asked.
    """
    profile = report.profile
    table = layers_table(report)
    hues = {line.hue for line in table.lines} - {"module", str(REMOVED)}
    kind = profile.rewrite.kind.name if profile.rewrite else ""
    equations = [worked(one) for one in report.substitutions]
    left_out = {"modules"} if not report.modules else set()
    left_out |= set() if equations else {"equations"}
    named = {"modules": "By module"} if profile.rewrite is None else {}
    lead, *facts = heading.facts(profile)
    versions = ("traced with", "here")
    apart = (*versions, "latency", "machine", "caution")
    return rendered(
        "network.html",
        version=__version__,
        title=heading.title(profile),
        lead=f"{lead[0]} {lead[1]}",
        sections=[(at, named.get(at, name)) for at, name in SECTIONS if at not in left_out],
        rewritten=profile.rewrite is not None,
        partial=profile.partial,
        kind=kind,
        others=sorted(hues & COLOURED.keys() - {kind}),
        hues=[(name, heading.TITLES.get(name, name)) for name in sorted(hues, key=_rank)],
        quantities=quantities(profile),
        bars=bars(report.modules, profile),
        table=table,
        equations=equations,
        without_latency=without_latency,
        latency=_latency(report),
        drawing=drawing(report.roofline) if report.roofline else None,
        roof_line=peaks(report.roofline.roof) if report.roofline else "",
        unplaced=", ".join(report.roofline.unplaced) if report.roofline else "",
        verification=verification,
        conclusion=conclusion(verification) if verification else "",
        witnesses=NAMES,
        handled=[f"handled: {line}" for line in heading.handled(profile)],
        facts=[fact for fact in facts if fact[0] not in apart],
        ran=report.ran,
        counted=COUNTED,
        notes=[f"{label}: {text}" for label, text in heading.not_counted(profile)],
        command=command,
        environment=[fact for fact in facts if fact[0] in (*versions, "machine")] + _memory(report),
        data=_data(report, table),
    )


def _rank(hue: str) -> int:
    """Where a colour stands in a legend: kinds first, then groups, the rest last."""
    order = (*COLOURED, *TOTALLED)
    return order.index(hue) if hue in order else len(order)


def _latency(report: Report) -> list[tuple[str, str]]:
    """The prediction with its band, the roofline's bound, and what they rest on."""
    profile = report.profile
    if profile.latency is None:
        return []
    about = [fact for fact in heading.tool(profile) if fact[0] in ("latency", "caution")]
    named = {"latency": "how"}
    return heading.latency(profile) + [(named.get(label, label), text) for label, text in about]


def _memory(report: Report) -> list[tuple[str, str]]:
    """What a model carries besides: frozen parameters and buffers."""
    return [fact for fact in heading.memory(report.profile) if fact[0] in ("frozen", "buffers")]


def _data(report: Report, table: Table) -> dict[str, Any]:
    """What the scripts read."""
    profile = report.profile
    rewritten = profile.rewrite is not None

    def metric(title: str, key: str, *, seconds: bool = False) -> dict[str, Any]:
        before = f"{key}_before" if rewritten else key
        return {"title": title, "before": before, "after": key, "seconds": seconds}

    both = [["before", "before"], ["after", "after"]]
    metrics = [metric("MACs", "macs"), metric("parameters", "params")]
    if profile.latency is not None:
        metrics.append(metric("time", "seconds", seconds=True))
    return {
        "schema": 1,
        "table": table.document,
        "icicle": {
            "name": profile.network,
            "sides": both if rewritten else [["after", "now"]],
            "metrics": metrics,
            "was": dict.fromkeys((*COLOURED, STANDARD.name), CONVOLUTION),
        },
    }
