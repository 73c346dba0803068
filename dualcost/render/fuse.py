"""What became of each layer of a fused model, as a table and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost import units
from dualcost.render.terminal import plain_table

if TYPE_CHECKING:  # importing it wakes torch
    from dualcost.nn.fuse.fuse import ChosenForm, Fusion

SCHEMA = 1
COST = {
    "measured": "times are the least of interleaved runs on this machine, as a share of before",
    "macs": "forms were chosen by the MACs that they execute: that says little about time",
    "predicted": "costs are seconds as this machine's calibration predicts them",
    "given": "costs are what the given function says, as a share of before",
}


def fusion_table(fusion: Fusion, unit: str = "auto") -> RenderableType:
    """One row per layer that has forms or took a norm, and the totals of the whole model."""
    table = plain_table(gap=1)
    table.add_column("layer", overflow="fold")
    table.add_column("form")
    table.add_column("norm", overflow="fold")
    for title in ("ideal\nMACs", "executed\nMACs", "params\nbefore", "\nafter", "cost to\nbefore"):
        table.add_column(title, justify="right", no_wrap=True)
    for choice in fusion.choices:
        table.add_row(*_cells(choice, unit))
    before, after = fusion.before, fusion.after
    counts = (before.macs, after.macs, before.params, after.params)
    table.add_row("total", "", "", *(units.count(n, unit) for n in counts), "", style="bold")
    return Group(
        Text(f"{before.name} fused for inference", style="bold"),
        Text(f"input  {', '.join(str(spec) for spec in before.inputs)}", style="dim"),
        "",
        table,
        "",
        Text(COST[fusion.by], style="dim"),
        f"equal to the original within {fusion.difference:.1e} in double precision",
    )


def _cells(choice: ChosenForm, unit: str) -> tuple[str, ...]:
    counts = (
        choice.ideal_macs,
        choice.executed_macs,
        choice.params_before,
        choice.params_after,
    )
    gain = "" if choice.gain is None else f"{choice.gain:.3f}"
    form = choice.form if choice.costs else ""
    shown = (units.count(number, unit) for number in counts)
    norm = choice.norm.rpartition(".")[2]  # it mostly stands beside the layer; JSON has its path
    return choice.path or "(root)", form, norm, *shown, gain


def fusion_json(fusion: Fusion) -> str:
    """The same for machines: exact integers, and the cost of every form."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "network": fusion.before.name,
        "inputs": [str(spec) for spec in fusion.before.inputs],
        "by": fusion.by,
        "difference": fusion.difference,
        "macs": {"ideal": fusion.before.macs, "executed": fusion.after.macs},
        "params": {"before": fusion.before.params, "after": fusion.after.params},
        "layers": [
            {
                "path": choice.path,
                "module": choice.module,
                "form": choice.form,
                "norm": choice.norm or None,
                "macs": {"ideal": choice.ideal_macs, "executed": choice.executed_macs},
                "params": {"before": choice.params_before, "after": choice.params_after},
                "costs": choice.costs,
                "gain": choice.gain,
            }
            for choice in fusion.choices
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
