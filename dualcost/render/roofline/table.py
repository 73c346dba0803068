"""A roofline as a table and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost import units
from dualcost.render.terminal import plain_table
from dualcost.version import __version__
from dualcost.views.roofline import PlacedLayer, Point, Roof, Roofline

SCHEMA = 1
GIGA = 1e9


def title(roofline: Roofline) -> str:
    """The network, and what was done to it."""
    if roofline.rewrite is None:
        return f"{roofline.network} on the roofline of this machine"
    return f"{roofline.network} on the roofline, before and after {roofline.rewrite.label}"


def peaks(roof: Roof) -> str:
    """Both peaks, and where they meet."""
    both = f"{compute_peak(roof)} and {memory_peak(roof)}"
    return f"peaks {both}, which meet at {roof.ridge:.2f} FLOPs/byte"


def compute_peak(roof: Roof) -> str:
    """The most that the machine computes."""
    return f"{units.count(round(roof.flops_per_s))}FLOPs/s"


def memory_peak(roof: Roof) -> str:
    """The most that its memory gives."""
    return f"{units.memory(round(roof.bytes_per_s))}/s from memory"


def roofline_table(roofline: Roofline) -> RenderableType:
    """One row per layer: FLOPs a byte, what they are predicted to reach, and which peak bounds."""
    table = plain_table()
    table.add_column("layer", overflow="fold")
    for name in ("FLOPs/byte", "GFLOPs/s", "of the roof"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bound by", overflow="fold")
    roof = roofline.roof
    for layer in roofline.layers:
        points = (layer.before, layer.after)[: 2 if layer.replaced else 1]
        table.add_row(
            layer.path or "(root)",
            " → ".join(f"{point.intensity:.1f}" for point in points),
            " → ".join(f"~{point.flops_per_s / GIGA:.1f}" for point in points),
            " → ".join(
                units.percent(point.flops_per_s / roof.attainable(point.intensity))
                for point in points
            ),
            " → ".join(dict.fromkeys(roof.bound(point.intensity) for point in points)),
            style="bold cyan" if layer.replaced else "",
        )
    lines = [
        peaks(roofline.roof),
        "A layer above 100% finds its maps in a cache: the roof's slope is that of memory.",
        f"predicted (~): eager, float32, {roofline.memory_format}, one thread",
        str(roofline.calibration.machine),
    ]
    if roofline.unplaced:
        lines.append(f"not placed, as their time is unknown: {', '.join(roofline.unplaced)}")
    return Group(
        Text(title(roofline), style="bold"), "", table, "", *(Text(one, "dim") for one in lines)
    )


def roofline_json(roofline: Roofline) -> str:
    """The same for machines: exact integers of FLOPs and bytes, seconds as predicted."""
    document = {
        "schema": SCHEMA,
        "dualcost": __version__,
        "network": roofline.network,
        "rewrite": roofline.rewrite.label if roofline.rewrite else None,
        "memory_format": roofline.memory_format,
        "roof": asdict(roofline.roof) | {"ridge": roofline.roof.ridge},
        "layers": [_layer(roofline, layer) for layer in roofline.layers],
        "unplaced": list(roofline.unplaced),
        "machine": roofline.calibration.machine.to_json(),
        "calibrated": roofline.calibration.date,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _layer(roofline: Roofline, layer: PlacedLayer) -> dict[str, Any]:
    return {
        "path": layer.path,
        "becomes": str(layer.becomes or ""),
        "before": _point(roofline.roof, layer.before),
        "after": _point(roofline.roof, layer.after),
    }


def _point(roof: Roof, point: Point) -> dict[str, Any]:
    return asdict(point) | {
        "intensity": point.intensity,
        "flops_per_s": point.flops_per_s,
        "attainable_flops_per_s": roof.attainable(point.intensity),
        "bound": roof.bound(point.intensity),
    }
