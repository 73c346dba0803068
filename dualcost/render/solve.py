"""What a search for G, P or a size found, as a table and as JSON."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dualcost import units
from dualcost.render.formula import one_line
from dualcost.render.terminal import plain_table
from dualcost.search.solve import DIVISORS, Point, Reading, Solution
from dualcost.version import __version__

SCHEMA = 1
WORDS = {True: "smallest", False: "largest"}


def solution_table(solution: Solution) -> RenderableType:
    """What was found, each constraint there, what forbids the next better value, and its bounds."""
    parts: list[RenderableType] = [Text(_network(solution), style="bold"), ""]
    parts += [_readings(solution)]
    notes = [*_tried(solution), *_reals(solution)]
    if notes:
        parts += ["", *(Text(note, style="dim") for note in notes)]
    style = "bold green" if solution.found else "bold red"
    return Group(*parts, "", Text(_conclusion(solution), style))


def _network(solution: Solution) -> str:
    if solution.asked is None:
        return f"{solution.network}, as it is"
    letter = solution.variable in DIVISORS
    kind = solution.asked.kind.name if letter else solution.asked.label
    return f"{solution.network} with {kind} where {solution.asked.rule}"


def _at(solution: Solution, point: Point) -> str:
    return f"{solution.variable} = {point.number}"


def _readings(solution: Solution) -> Table:
    """A row for each constraint: what is found, and what the next better value would be."""
    beyond = solution.beyond.readings if solution.beyond else ()
    table = plain_table()
    table.add_column("constraint")
    table.add_column(_at(solution, solution.point), justify="right")
    table.add_column("headroom", justify="right")
    table.add_column("")
    if solution.beyond:
        table.add_column(_at(solution, solution.beyond), justify="right")
        table.add_column("")
    for index, reading in enumerate(solution.point.readings):
        said = reading.constraint.said
        verdict = Text("holds", "green") if reading.met else Text("fails", "bold red")
        cells: list[str | Text] = [
            reading.constraint.text,
            said(reading.value),
            headroom(reading),
            verdict,
        ]
        if beyond:
            met = beyond[index].met
            cells += [said(beyond[index].value), Text("holds" if met else "fails", "dim" * met)]
        table.add_row(*cells)
    return table


def headroom(reading: Reading) -> str:
    """How far a value is from its limit, and by which share of that; negative beyond it."""
    sign = "" if reading.met else "−"
    said = reading.constraint.said(abs(reading.headroom))
    predicted = "~" if said.startswith("~") else ""
    amount = f"{predicted}{sign}{said.removeprefix('~')}"
    share = float(abs(reading.share))
    return f"{amount} ({sign}{units.percent(share)})" if share < 10 else amount


def _tried(solution: Solution) -> list[str]:
    if solution.variable not in DIVISORS:
        return [f"holds if {guard.said(one_line)}" for guard in solution.guards]
    return [f"{solution.variable} may be {', '.join(map(str, solution.candidates))}"]


def _reals(solution: Solution) -> list[str]:
    """What each constraint alone would need, by the closed form."""
    return [
        f"“{text}” needs {solution.variable} ≥ {float(real):.4g}"
        if real is not None
        else f"“{text}” holds for no {solution.variable}, however large"
        for text, real in solution.reals.items()
    ]


def _conclusion(solution: Solution) -> str:
    best = WORDS[solution.variable in DIVISORS]
    here = _at(solution, solution.point)
    if not solution.found:
        missed = ", ".join(
            f"“{r.constraint}” fails by {r.constraint.said(-r.headroom)}"
            for r in solution.point.readings
            if not r.met
        )
        return f"no {solution.variable} satisfies all; the nearest is {here}: {missed}"
    if not solution.beyond:
        return f"{here} is the {best} possible, and it satisfies all"
    binding = " and ".join(f"“{one}”" for one in solution.binding)
    verb = "allows" if len(solution.binding) == 1 else "allow"
    better = _at(solution, solution.beyond)
    return f"{here} is the {best} that satisfies all; {binding} {verb} no {better}"


def solution_json(solution: Solution) -> str:
    """The same for machines: exact integers, bytes in bytes."""
    document = {
        "schema": SCHEMA,
        "network": solution.network,
        "rewrite": _rewrite(solution),
        "variable": solution.variable,
        "found": solution.found,
        "value": solution.value,
        "candidates": list(solution.candidates),
        "guards": [str(guard) for guard in solution.guards],
        "point": _point(solution.point),
        "beyond": _point(solution.beyond) if solution.beyond else None,
        "binding": [one.text for one in solution.binding],
        "needs": {text: _real(real) for text, real in solution.reals.items()},
        "version": __version__,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rewrite(solution: Solution) -> dict[str, Any] | None:
    asked = solution.asked
    if asked is None:
        return None
    return {
        "kind": asked.kind.name,
        "divisor": solution.value if solution.variable in DIVISORS else asked.divisor,
        "where": str(asked.rule),
        "but": [str(exemption) for exemption in asked.exemptions],
        "indivisible": str(asked.indivisible),
        "bias": asked.bias,
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "number": point.number,
        "readings": [_reading(reading) for reading in point.readings],
    }


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "constraint": reading.constraint.text,
        "metric": reading.constraint.metric.name,
        "limit": reading.constraint.limit,
        "value": reading.value,
        "headroom": reading.headroom,
        "met": reading.met,
    }


def _real(real: Fraction | None) -> str | None:
    return None if real is None else str(real)
