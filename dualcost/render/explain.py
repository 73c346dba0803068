"""The explanation of replaced layers, as a table with its sentences and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dualcost.lab.explanation import ExplainedLayer, Explanation, Steps
from dualcost.lab.onednn import TORCH, Step
from dualcost.lab.reason import excesses, reason
from dualcost.render.bench import sentence
from dualcost.render.terminal import plain_table
from dualcost.units import size
from dualcost.version import __version__

SCHEMA = 1


def reason_table(explanation: Explanation) -> RenderableType:
    """One row per replaced layer, then one sentence for each."""
    shown, all_of_them = len(explanation.layers), explanation.replaced
    which = f"{shown} of the {all_of_them}" if shown < all_of_them else str(all_of_them)
    format = "channels_last" if explanation.channels_last else "contiguous"
    return Group(
        Text(
            f"{explanation.network} with {explanation.rewrite.label}: {which} replaced "
            f"layer{'s' * (all_of_them != 1)}",
            style="bold",
        ),
        Text(f"input  {', '.join(map(str, explanation.inputs))}", style="dim"),
        Text(f"run    eager, float32, {format}, one thread", style="dim"),
        "",
        _layers(explanation),
        "",
        *_sentences(explanation.layers),
        "",
        *(Text(line, style="dim") for line in _legend(explanation)),
    )


def _sentences(layers: Sequence[ExplainedLayer]) -> Iterator[RenderableType]:
    """Each sentence once, below the layers of which it holds."""
    paths: dict[str, list[str]] = {}
    for layer in layers:
        paths.setdefault(_sentence(layer), []).append(layer.path or "(root)")
    for text, of_layers in paths.items():
        yield Text(", ".join(of_layers), style="bold cyan")
        yield Padding(Text(text), (0, 0, 0, 2))


def _layers(explanation: Explanation) -> RenderableType:
    table = plain_table()
    raced = bool(explanation.race)
    titles = ["layer", "MACs", "predicted", "measured" if raced else "here", "re-orders"]
    for title in titles:
        table.add_column(title, justify="left" if title == "layer" else "right", overflow="fold")
    table.add_column("kernels", overflow="fold", ratio=1)
    for layer in explanation.layers:
        before, after = layer.ran
        left = layer.predicted_ratio
        table.add_row(
            layer.path or "(root)",
            f"{layer.macs_ratio:.2f}",
            "–" if left is None else f"~{left:.2f}",
            f"{layer.time_ratio:.2f}",
            f"{before.reorders} → {after.reorders}",
            f"{_kernels(before)} → {_kernels(after)}",
        )
    return table


def _kernels(steps: Steps) -> str:
    """The kernels of the convolutions in order: "gemm + torch", "jit + 3 torch"."""
    names = (step.kernel.name for step in steps.convolutions if step.kernel)
    runs = ((name, len([*same])) for name, same in groupby(names))
    return " + ".join(name if count == 1 else f"{count} {name}" for name, count in runs)


def _sentence(layer: ExplainedLayer) -> str:
    text = reason(layer)
    return f"{text[0].upper()}{text[1:]}."


def _legend(explanation: Explanation) -> Iterator[str]:
    """What the columns mean, and where it ran."""
    last = "measured" if explanation.race else "here"
    yield f"MACs, predicted and {last}: what is left of them."
    if not explanation.race:
        yield "here: the least of the few forwards that named the kernels; --measure is surer."
    kernels = {
        step.kernel.name
        for layer in explanation.layers
        for steps in layer.ran
        for step in steps.convolutions
        if step.kernel
    }
    if TORCH in kernels:
        yield "torch: not oneDNN; on one thread torch runs a 1×1 of few images by itself."
    if explanation.unpredicted:
        yield f"No times are predicted: {explanation.unpredicted}."
    if explanation.race:
        yield sentence(explanation.race)
    yield str(explanation.machine)


def reason_json(explanation: Explanation) -> str:
    """The same for machines: every step with its kernel and its re-orders, times in seconds."""
    document = {
        "schema": SCHEMA,
        "dualcost": __version__,
        "network": explanation.network,
        "inputs": [str(spec) for spec in explanation.inputs],
        "rewrite": explanation.rewrite.label,
        "channels_last": explanation.channels_last,
        "replaced": explanation.replaced,
        "layers": [_layer(layer) for layer in explanation.layers],
        "unpredicted": explanation.unpredicted,
        "race": sentence(explanation.race) if explanation.race else "",
        "machine": explanation.machine.to_json(),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _layer(layer: ExplainedLayer) -> dict[str, Any]:
    predicted, measured = layer.predicted, layer.measured
    return {
        "path": layer.path,
        "kind": layer.kind.name,
        "divisor": layer.divisor,
        "calls": layer.calls,
        "M": layer.site.M,
        "N": layer.site.N,
        "kernel": size(layer.site.kernel),
        "out_size": size(layer.site.out_size),
        "macs": _pair(*layer.macs),
        "macs_ratio": layer.macs_ratio,
        "predicted_s": _pair(*(one.seconds for one in predicted)) if predicted else None,
        "predicted_ratio": layer.predicted_ratio,
        "measured_s": _pair(*measured) if measured else None,
        "here_s": _pair(*(steps.seconds for steps in layer.ran)),
        "time_ratio": layer.time_ratio,
        "excess_s": excesses(layer),
        "steps": _pair(*([_step(step) for step in steps.steps] for steps in layer.ran)),
        "better": [asdict(one) for one in layer.better],
        "sentence": _sentence(layer),
    }


def _pair(before: Any, after: Any) -> dict[str, Any]:
    return {"before": before, "after": after}


def _step(step: Step) -> dict[str, Any]:
    facts: dict[str, Any] = {"op": step.op, "seconds": step.seconds}
    if step.kernel is None:
        return facts
    return facts | {
        "macs": step.macs,
        "groups": step.groups,
        "kernel": size(step.size),
        "implementation": step.kernel.implementation,
        "kernel_s": step.kernel_s,
        "reorders": [asdict(reorder) for reorder in step.reorders],
    }
