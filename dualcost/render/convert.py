"""A conversion that was carried out, as a table and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.text import Text

from dualcost import units
from dualcost.nn.convert.result import Conversion
from dualcost.nn.layers.start import COPY
from dualcost.render.profile import heading
from dualcost.render.terminal import plain_table
from dualcost.rewrite.request import Request

SCHEMA = 1
ROOT = "the network itself"


def conversion_table(done: Conversion) -> RenderableType:
    """Before and after, how the new layers started, and the file."""
    profile, written = done.profile, done.artefact
    table = plain_table()
    table.add_column("", style="dim")
    for title in ("before", "after", "ratio"):
        table.add_column(title, justify="right")
    for label, metric in (("MACs", "macs"), ("parameters", "params")):
        before, after = (getattr(cost, metric) for cost in (profile.before, profile.after))
        ratio = profile.ratio(metric)
        shown = "" if ratio is None else f"{ratio:.3f}"
        table.add_row(label, f"{before:,}", f"{after:,}", shown)
    return Group(
        Text(heading.title(profile), style="bold"),
        Text(f"input  {', '.join(str(spec) for spec in profile.inputs)}", style="dim"),
        "",
        table,
        "",
        *(Text(line) for line in _starts(done)),
        *(Text(line, style="dim") for line in _notes(done)),
        Text(f"read     {_read_back(done)}"),
        Text(f"wrote    {written.path} ({units.memory(written.nbytes)})", style="bold"),
    )


def _starts(done: Conversion) -> list[str]:
    """How the weights came about: of the layers that stay, and of the new ones."""
    origin = f"from {done.weights}" if done.weights else "as the model is built"
    lines = [f"weights  {origin}, seed {done.seed}"]
    layers = f"new layer{'s' * (len(done.starts) != 1)}"
    if done.init != COPY:
        return [*lines, f"start    {len(done.starts)} {layers} fresh"]
    lines.append(
        f"start    {len(done.copied)} of {len(done.starts)} {layers} copied by least squares"
    )
    far = done.farthest
    if done.distance is not None and far is not None:
        lines.append(
            f"distance {units.percent(done.distance)} of the old kernels' norm; "
            f"most in {far.path or ROOT}: {units.percent(far.relative)}"
        )
    for why in dict.fromkeys(start.why_fresh for start in done.fresh):
        paths = ", ".join(start.path or ROOT for start in done.fresh if start.why_fresh == why)
        lines.append(f"fresh    {paths} ({why})")
    return lines


def _notes(done: Conversion) -> list[str]:
    lines = [f"note     {note}" for note in done.profile.notes]
    if done.left_out:
        lines.append(f"note     {done.left_out:,} parameters that never run are not in the file")
    return lines


def _read_back(done: Conversion) -> str:
    written = done.artefact
    macs = f"{written.macs:,} MACs and " if written.macs is not None else ""
    return f"{macs}{written.params:,} parameters, from the file"


def conversion_json(done: Conversion) -> str:
    """The same for machines: exact integers, and every new layer."""
    profile, written = done.profile, done.artefact
    document = {
        "schema": SCHEMA,
        "network": profile.network,
        "inputs": [str(spec) for spec in profile.inputs],
        "rewrite": profile.rewrite.label if profile.rewrite else None,
        "words": _words(profile.rewrite),
        "replaced": profile.replaced,
        "before": {"macs": profile.before.macs, "params": profile.before.params},
        "after": {"macs": profile.after.macs, "params": profile.after.params},
        "file": {
            "path": str(written.path),
            "bytes": written.nbytes,
            "macs": written.macs,
            "params": written.params,
        },
        "weights": done.weights or None,
        "seed": done.seed,
        "init": done.init,
        "relative_distance": done.distance,
        "starts": [
            {**asdict(start), "copied": not start.why_fresh, "relative": start.relative}
            for start in done.starts
        ],
        "notes": list(profile.notes),
        "versions": heading.versions(profile),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _words(asked: Request | None) -> dict[str, object]:
    return asked.words() if asked else {}
