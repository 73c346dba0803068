"""What stands above and below every table: the facts one needs to trust its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dualcost import units
from dualcost.costs.dearer import Dearer
from dualcost.costs.profile import Profile, Row
from dualcost.latency.estimate import Timing
from dualcost.network.cost import Cost
from dualcost.network.network import CONVOLUTION, LINEAR, MATMUL, NORM
from dualcost.render.rewrite import why
from dualcost.rewrite.decision import Indivisibility
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.request import Bias
from dualcost.version import __version__, installed, public
from dualcost.views.listing import FOLDED, MODULE, MORE

TITLES = {
    CONVOLUTION: "convolutions",
    LINEAR: "linear layers",
    MATMUL: "matrix products",
    NORM: "norms",
    "rest": "rest",
}


def title(profile: Profile) -> str:
    """One line: the network, and what was done to it."""
    if profile.rewrite is None:
        return f"{profile.network}, as it is"
    blocks = {d.candidate.block for d in profile.decisions if d.replaced}
    what = " and ".join(f"{block} block" for block in sorted(blocks - {""})) or "convolution"
    found = sum(decision.candidate.block in blocks for decision in profile.decisions)
    return (
        f"{profile.network} with {profile.rewrite.label} "
        f"in {profile.replaced} of {found} {what}{'s' * (found != 1)}"
    )


def question(profile: Profile) -> list[tuple[str, str]]:
    """Label and text of each line that says what was asked: the input, and what is replaced."""
    asked = profile.rewrite
    lines = [("input", ", ".join(str(spec) for spec in profile.inputs))]
    if asked is not None:
        lines.append(("where", str(asked.rule)))
        lines += [("but", str(exemption)) for exemption in asked.exemptions]
        if asked.bias is Bias.DROP:
            lines.append(("bias", "dropped in what is replaced"))
    if profile.dearer is not None:
        lines.append(("dearer", _dearer(profile.dearer)))
    return [*lines, *(("note", note) for note in profile.notes)]


def _dearer(found: Dearer) -> str:
    """How many sites cost more, and what leaves them out."""
    text = f"{found.sites} {'site costs' if found.sites == 1 else 'sites cost'} more than before"
    if found.term is None:
        return text
    also = f", and {found.others} cheaper" if found.others else ""
    return f"{text}: {found.term} would leave {'them' if found.sites > 1 else 'it'} out{also}"


def tool(profile: Profile) -> list[tuple[str, str]]:
    """Label and text of each line that says how the answer came about."""
    lines = [
        ("counted", f"{profile.convention.about} (convention {profile.convention.name})"),
        ("unit", profile.convention.unit),
        *_calibration(profile),
    ]
    traced = _named(profile.versions)
    if traced:
        lines.append(("traced with", traced))
    # what traced a packaged network may not be what runs here
    here = {name: installed(name) for name in profile.versions}
    other = {
        name: version
        for name, version in here.items()
        if version and public(version) != public(profile.versions[name])
    }
    return [*lines, ("here", _named({"dualcost": __version__, **other}))]


def facts(profile: Profile) -> list[tuple[str, str]]:
    """The same lines together."""
    return [*question(profile), *tool(profile)]


def _calibration(profile: Profile) -> list[tuple[str, str]]:
    """What a predicted latency rests on."""
    predicted = profile.latency
    if predicted is None:
        return []
    calibration = predicted.calibration
    lines = [
        (
            "latency",
            f"predicted (~): one forward, eager, float32, {predicted.memory_format}, one thread",
        ),
        ("machine", f"{calibration.machine}; calibrated {calibration.date[:10]}"),
    ]
    if predicted.foreign:
        lines.append(("caution", "this calibration was not compared with this machine"))
    return lines


def _named(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def versions(profile: Profile) -> dict[str, str]:
    """Dualcost's version, and those of the libraries that traced the network."""
    return {"dualcost": __version__, **profile.versions}


def handled(profile: Profile) -> list[str]:
    """The sites at which an indivisible G or P, or an exemption, made a difference."""
    return [
        f"{decision.candidate.path}: {why(decision.outcome, decision.reason)}"
        for decision in profile.decisions
        if isinstance(decision.reason, Exemption | Indivisibility)
    ]


def totals(profile: Profile) -> list[tuple[str, Cost, Cost]]:
    """A line for each group of layers."""
    return [(TITLES[name], *costs) for name, costs in profile.totals.items()]


@dataclass(frozen=True)
class Sum:
    """An exact total: "parameters", "25,557,032", and after a rewrite what is left of it."""

    label: str
    before: str
    after: str = ""
    change: str = ""

    @property
    def text(self) -> str:
        """In one line: "25,557,032 → 18,326,568  (0.717, -28.3%)"."""
        return f"{self.before} → {self.after}  ({self.change})" if self.after else self.before


def sums(profile: Profile) -> list[Sum]:
    """The exact totals, first and most important: MACs, FLOPs and parameters."""
    before, after = profile.before, profile.after
    counts = [
        ("MACs", before.macs, after.macs),
        ("operations", before.operations, after.operations),
        ("FLOPs", before.flops, after.flops),
        ("parameters", before.params, after.params),
    ]
    if profile.convention.operations is None:
        del counts[1]
    lines = []
    for label, old, new in counts:
        bound = "≥ " if profile.partial and label != "parameters" else ""
        if profile.rewrite is None:
            lines.append(Sum(label, f"{bound}{old:,}"))
        else:
            change = (
                f"{new / old:.3f}, {units.percent((new - old) / old)}" if old else "none before"
            )
            lines.append(Sum(label, f"{bound}{old:,}", f"{bound}{new:,}", change))
    return lines


def latency(profile: Profile) -> list[tuple[str, str]]:
    """The predicted latency with its band, and the bound of the machine's peaks."""
    predicted = profile.latency
    if predicted is None:
        return []
    sides = [predicted.before, predicted.after][profile.rewrite is None :]
    shown = " → ".join(band(side, at_least=bool(predicted.unpredicted)) for side in sides)
    left = predicted.ratio
    change = f"  ({left:.3f})" if left is not None and profile.rewrite is not None else ""
    lines = [("latency", shown + change)]
    bounds = (f"~{units.duration(side.roofline_s)} by {side.bound}" for side in sides)
    lines.append(("roofline", f"{' → '.join(bounds)}, if every map comes from memory"))
    if predicted.unpredicted:
        names = ", ".join(f"{name} ({n})" for name, n in sorted(predicted.unpredicted.items()))
        lines.append(("not timed", f"{names}: latency is a lower bound"))
    return lines


def band(timing: Timing, *, at_least: bool = False) -> str:
    """A time and the ends of its band, whose unit is said once: "~44.59 ms (40.21 to 48.98)".

    Where the times of some ops are unknown, the lower end is a bound, and there is no upper end:
    "≥ ~40.21 ms (what is known: ~44.59 ms)".
    """
    if at_least:
        known = units.duration(timing.seconds)
        return f"≥ ~{units.duration(timing.lower_s)} (what is known: ~{known})"
    shown = [units.duration(t) for t in (timing.seconds, timing.lower_s, timing.upper_s)]
    unit = shown[0].partition(" ")[2]
    low, high = (text.removesuffix(f" {unit}") for text in shown[1:])
    return f"~{shown[0]} ({low} to {high})"


def memory(profile: Profile) -> list[tuple[str, str]]:
    """Weights, the peak of activations, and traffic: label and text of each line."""
    before, after = profile.before, profile.after
    peaks = [f"{units.memory(peak.nbytes)} (in {peak.path})" for peak in profile.peak]
    lines = [
        ("weights", (units.memory(before.weight_bytes), units.memory(after.weight_bytes))),
        ("peak", (peaks[0], peaks[1])),
        ("traffic", (_traffic(before), _traffic(after))),
    ]
    shown = [(name, old if old == new else f"{old} → {new}") for name, (old, new) in lines]
    if profile.frozen:
        shown.append(("frozen", f"{profile.frozen:,} of the parameters"))
    if profile.buffers:
        elements = sum(buffer.numel for buffer in profile.buffers)
        nbytes = sum(buffer.nbytes for buffer in profile.buffers)
        count = f"{len(profile.buffers)} with {elements:,} elements"
        shown.append(("buffers", f"{count}, {units.memory(nbytes)}"))
    return shown


def _traffic(cost: Cost) -> str:
    intensity = "" if cost.intensity is None else f" ({cost.intensity:.1f} FLOPs a byte)"
    return f"{units.memory(cost.traffic)}{intensity}"


def uncounted(profile: Profile) -> list[tuple[str, str]]:
    """What ran and adds no MACs here: said, so that nobody takes it for forgotten."""
    names: dict[str, int] = {}
    for row in profile.rows:
        counted = row.before.flops or row.after.flops
        if row.op and not counted and row.group != "unknown":
            names[row.group] = names.get(row.group, 0) + row.folds
    lines = []
    if names:
        ran = ", ".join(f"{count} {name}" for name, count in sorted(names.items()))
        lines.append(("no MACs", f"{ran} ops; they have none in this convention"))
    return [*lines, *not_counted(profile)]


def not_counted(profile: Profile) -> list[tuple[str, str]]:
    """What ran and no rule knows, if anything."""
    if not profile.unknown:
        return []
    ops = ", ".join(f"{op} ({count})" for op, count in sorted(profile.unknown.items()))
    return [("not counted", f"{ops}: MACs are a lower bound")]


def row_style(row: Row) -> str:
    """How a terminal shows a row."""
    if row.group in (FOLDED, MORE):
        return "dim"
    if row.replaced:
        return "cyan" if row.group == MODULE else "bold cyan"
    return ""
