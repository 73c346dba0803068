"""A calibration and its held-out error, as tables and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost import units
from dualcost.lab.validate import CLOSE, Accuracy, Check, Validation
from dualcost.latency.calibration import FORMATS, Calibration, Pair
from dualcost.render.terminal import plain_table

SCHEMA = 1


def calibration_table(calibration: Calibration, path: Path) -> RenderableType:
    """One row per family: how many ops were measured, and the error of each left out."""
    table = plain_table()
    table.add_column("family")
    for format in FORMATS:
        table.add_column(format.replace("_", " "), justify="right")
        table.add_column("error", justify="right")
    for name in sorted({name for curves in calibration.curves.values() for name in curves}):
        cells = [cell for format in FORMATS for cell in _cells(calibration, format, name)]
        table.add_row(name, *cells)
    calls = " / ".join(units.duration(calibration.call_s[format]) for format in FORMATS)
    slowdowns = " / ".join(f"{calibration.slowdown[format]:.3f}" for format in FORMATS)
    return Group(
        Text("calibration: ops measured, and the median error of each when left out", "bold"),
        Text(str(calibration.machine), style="dim"),
        "",
        table,
        "",
        Text(f"peaks           {units.count(round(calibration.macs_per_s))}MACs/s, "
             f"{units.memory(round(calibration.bytes_per_s))}/s from memory"),
        Text(f"call of a layer {calls}, and ops take {slowdowns} times as long in a network"),
        Text(f"stored in       {path}"),
    )  # fmt: skip


def _cells(calibration: Calibration, format: str, name: str) -> tuple[str, str]:
    pair: Pair | None = calibration.curves[format].get(name)
    if pair is None:
        return "", ""
    return str(len(pair.warm.places)), units.percent(pair.warm.median_error)


def validation_table(validation: Validation) -> RenderableType:
    """Every held-out network, then the errors by memory format and in all."""
    table = plain_table()
    for title in ("network", "format", "measured", "predicted", "band", "error"):
        table.add_column(title, justify="left" if title in ("network", "format") else "right")
    for check in validation.checks:
        style = "" if abs(check.error) <= CLOSE else "yellow"
        table.add_row(*_check(check), style=style)
    return Group(
        Text("held-out error: networks that the calibration was not fitted to", "bold"),
        Text(str(validation.machine), style="dim"),
        Text(f"calibrated {validation.calibration.date}", style="dim"),
        "",
        table,
        "",
        _accuracies(validation),
        "",
        _biases(validation),
    )


def _biases(validation: Validation) -> Text:
    """What the errors of a format have in common, and what is left without it."""
    parts = []
    for format in FORMATS:
        accuracy = validation.accuracies[format]
        bias, rest = units.percent(abs(accuracy.bias)), units.percent(accuracy.unbiased_error)
        parts.append(
            f"{format.replace('_', ' ').capitalize()}: times are {bias} too "
            f"{'long' if accuracy.bias > 0 else 'short'} in the median; without that, MAPE is "
            f"{rest}."
        )
    parts.append(
        "What all share is mostly the machine's speed then and now; it drops out of ratios."
    )
    return Text(" ".join(parts), "dim")


def _check(check: Check) -> tuple[str, ...]:
    half = check.predicted.half_width_s / check.predicted.seconds
    return (
        check.name,
        check.memory_format.replace("_", " "),
        units.duration(check.measured_s),
        units.duration(check.predicted.seconds),
        f"±{100 * half:.0f}%",
        f"{100 * check.error:+.1f}%",
    )


def _accuracies(validation: Validation) -> RenderableType:
    table = plain_table()
    titles = ("", "networks", "MAPE", "median", "worst", "within 10%", "in band", "Spearman")
    for title in titles:
        table.add_column(title, justify="right" if title else "left")
    for name, accuracy in validation.accuracies.items():
        table.add_row(
            name.replace("_", " "),
            str(len(accuracy.checks)),
            units.percent(accuracy.mean_error),
            units.percent(accuracy.median_error),
            units.percent(abs(accuracy.worst.error)),
            units.percent(accuracy.close),
            units.percent(accuracy.covered),
            f"{accuracy.spearman:.3f}",
            style="bold" if name == "both" else "",
        )
    return table


def calibration_json(calibration: Calibration, path: Path) -> str:
    """What the table says; the whole calibration is the file at `path`."""
    document = {
        "schema": SCHEMA,
        "path": str(path),
        "date": calibration.date,
        "machine": calibration.machine.to_json(),
        "macs_per_s": calibration.macs_per_s,
        "bytes_per_s": calibration.bytes_per_s,
        "slowdown": dict(calibration.slowdown),
        "call_s": dict(calibration.call_s),
        "families": {
            format: {
                name: {
                    "ops": len(pair.warm.places),
                    "median_error": pair.warm.median_error,
                    "spread": pair.spread,
                }
                for name, pair in calibration.curves[format].items()
            }
            for format in FORMATS
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def validation_json(validation: Validation) -> str:
    """Every check and the errors, as JSON."""
    document = {
        "schema": SCHEMA,
        "machine": validation.machine.to_json(),
        "calibrated": validation.calibration.date,
        "checks": [
            {
                "network": check.name,
                "memory_format": check.memory_format,
                "measured_s": check.measured_s,
                "predicted_s": check.predicted.seconds,
                "lower_s": check.predicted.lower_s,
                "upper_s": check.predicted.upper_s,
                "error": check.error,
            }
            for check in validation.checks
        ],
        "accuracy": {name: _as_dict(one) for name, one in validation.accuracies.items()},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _as_dict(accuracy: Accuracy) -> dict[str, Any]:
    return {
        "networks": len(accuracy.checks),
        "mape": accuracy.mean_error,
        "median": accuracy.median_error,
        "bias": accuracy.bias,
        "unbiased_mape": accuracy.unbiased_error,
        "worst": abs(accuracy.worst.error),
        "worst_network": accuracy.worst.name,
        "within_10_percent": accuracy.close,
        "in_band": accuracy.covered,
        "spearman": accuracy.spearman,
    }
