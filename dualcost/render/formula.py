"""A closed form as terminal maths, LaTeX and JSON."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from sympy import ceiling, floor, latex, pretty
from sympy.printing.str import StrPrinter

from dualcost import units
from dualcost.costs.closedform import FORMS, ClosedForm
from dualcost.costs.sums import Sum
from dualcost.render.terminal import plain_table
from dualcost.version import __version__

SCHEMA = 1
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def title(form: ClosedForm) -> str:
    """One line: the network, and what was done to it."""
    if form.asked is None:
        return f"{form.network}, as it is"
    replaced, found = form.replaced
    kind = form.asked.kind.name if form.letter else form.asked.label
    what = "block" if form.asked.rule.wants_blocks else "convolution"
    return f"{form.network} with {kind} in {replaced} of {found} {what}{'s' * (found != 1)}"


def form_text(form: ClosedForm, share: Fraction, width: int) -> RenderableType:
    """The forms, where they hold, what they tend to, and what the values of G make of them."""
    parts: list[RenderableType] = [Text(title(form), style="bold"), _facts(form), ""]
    for name, metric in FORMS.items():
        sign = "≥" if form.partial and metric.bounded else "="
        parts += [_equation(f"{metric.label} {sign} ", form.sum(name), width), ""]
    parts.pop()
    if form.letter:
        parts += ["", _values(form), "", _pairs(_conclusions(form, share))]
    return Group(*parts)


def _facts(form: ClosedForm) -> Table:
    """What was traced, what is replaced where, and when the form holds."""
    lines = [("input", ", ".join(str(spec) for spec in form.inputs))]
    if form.asked is not None:
        lines.append(("where", str(form.asked.rule)))
        lines += [("but", str(exemption)) for exemption in form.asked.exemptions]
    lines.append(("counts", f"{form.convention.about} (convention {form.convention.name})"))
    path, M, N = form.narrowest
    for guard in form.guards:
        divides = form.letter in guard.symbols
        narrowest = f" (the narrowest is {path or 'the root'}: M={M}, N={N})" if divides else ""
        lines.append(("holds if", guard.said(one_line) + narrowest))
    if form.divisors == (1,):
        lines.append(("hint", f'--but "path={path}: keep" leaves the narrowest as it is'))
    return _pairs(lines)


def _pairs(lines: list[tuple[str, str]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for label, text in lines:
        table.add_row(label, Text(text))
    return table


def _equation(left: str, total: Sum, width: int) -> RenderableType:
    """One equation: as it is drawn if it fits, else a line for each size of a map."""
    drawn = pretty(_spoken(total.expression), use_unicode=True, wrap_line=False)
    lines = drawn.splitlines()
    if len(total.terms) < 3 and len(left) + max(map(len, lines)) <= width:
        # the line of the fraction bar, on which the numbers stand
        middle = len(lines) // 2
        heads = [left if n == middle else " " * len(left) for n in range(len(lines))]
        return Text("\n".join(map("".join, zip(heads, lines, strict=True))))
    table = plain_table(gap=1)
    table.show_header = False
    for justify in ("left", "right", "left", "left"):
        table.add_column(justify=justify, no_wrap=True)
    shared = "" if total.shared == 1 else f"{one_line(total.shared)} · "
    for index, term in enumerate(total.terms):
        rest = term.size / total.shared
        share = f"{_number(term.share)}/{total.letter}" if total.letter and term.share != 0 else ""
        constant = _number(term.constant) if term.constant != 0 or not share else ""
        both = " + ".join(filter(None, (constant, share)))
        both = f"({both})" if constant and share else both
        head = f"{left}{shared}(" if index == 0 else " " * (len(left + shared) - 1) + "+"
        last = ")" if index == len(total.terms) - 1 else ""
        sized = "" if rest == 1 else f"· {one_line(rest)}"
        table.add_row(head.ljust(len(left + shared) + 1), both, f"{sized}{last}")
    return table


def _spoken(expression: Any) -> Any:
    """⌊(n − 1)/d⌋ + 1 is ⌈n/d⌉: a shorter way to write the same."""

    def shorter(one: Any) -> Any:
        inner = one.args[0]
        constant, rest = inner.as_coeff_Add()
        coefficient, _ = rest.as_coeff_Mul()
        unit = coefficient.p == 1 and constant == -coefficient
        return ceiling(rest) - 1 if unit else one

    return expression.replace(lambda one: isinstance(one, floor), shorter)


def _number(number: Any) -> str:
    return f"{int(number):,}" if number.is_Integer else str(number)


class _Line(StrPrinter):  # type: ignore[misc]  # sympy has no types
    """An expression in one line, with the brackets of floor and ceiling."""

    def _print_floor(self, expression: Any) -> str:
        return f"⌊{self._print(expression.args[0])}⌋"

    def _print_ceiling(self, expression: Any) -> str:
        return f"⌈{self._print(expression.args[0])}⌉"


def one_line(expression: Any) -> str:
    """An expression in one line, as mathematicians write it: ⌈H/2⌉·⌈W/2⌉."""
    text: str = _Line({"order": None}).doprint(_spoken(expression))
    for power in range(2, 10):
        text = text.replace(f"**{power}", str(power).translate(SUPERSCRIPTS))
    return text.replace("*", "·")


def _values(form: ClosedForm) -> Table:
    """The counts at every G that divides the channels, and what they tend to."""
    table = plain_table()
    titles = [title for metric in FORMS.values() for title in (metric.title, "ratio")]
    for heading in (form.letter, *titles, "doubling saves"):
        table.add_column(heading, justify="right")
    rows: list[tuple[str, int | None]] = [(str(n), n) for n in form.divisors]
    for label, divisor in (*rows, ("→ ∞", None)):
        cells = []
        for metric in FORMS:
            count, ratio = form.numbers(metric, divisor)
            cells += [units.count(count), "" if ratio is None else f"{float(ratio):.3f}"]
        saved = form.macs.saving(divisor, form.given) if divisor else None
        table.add_row(
            label, *cells, "" if saved is None else f"{units.percent(float(saved))} of MACs"
        )
    return table


def _conclusions(form: ClosedForm, share: Fraction) -> list[tuple[str, str]]:
    """The derivative of the ratios, and the knees, at the sizes of the inputs."""
    lines = []
    if form.given:
        lines.append(("at", ", ".join(f"{name} = {size}" for name, size in form.given.items())))
    falls = ((metric.label, form.fall(name)) for name, metric in FORMS.items())
    slopes = [f"{label} −{float(fall):.4g}/{form.letter}²" for label, fall in falls if fall]
    lines.append((f"d ratio/d{form.letter}", ", ".join(slopes) or "0"))
    return [*lines, *(("knee", _knee(form, metric, share)) for metric in FORMS)]


def _knee(form: ClosedForm, metric: str, share: Fraction) -> str:
    """The G beyond which another doubling saves less than a share of the cost at that G."""
    letter, name = form.letter, FORMS[metric].label
    percent = units.percent(float(share))
    knee = form.sum(metric).knee(share, form.given)
    if knee is None:
        return f"{name}: every doubling of {letter} saves {percent} or more"
    if knee < 1:
        return f"{name}: no doubling of {letter} saves {percent}"
    first = next((n for n in form.divisors if n > knee), None)
    then = f"first {letter} = {first}" if first else f"no {letter} that divides"
    return f"{name}: beyond {letter} = {float(knee):.4g} ({then}) a doubling saves < {percent}"


def form_latex(form: ClosedForm) -> str:
    """One LaTeX equation a line."""
    return "".join(
        f"\\mathrm{{{metric.title}}} = {latex(_spoken(form.sum(name).expression))}\n"
        for name, metric in FORMS.items()
    )


def form_json(form: ClosedForm, share: Fraction) -> str:
    """Exact integers and fractions; an expression is text that sympy.sympify reads."""
    document = {
        "schema": SCHEMA,
        "network": form.network,
        "inputs": [str(spec) for spec in form.inputs],
        "convention": form.convention.name,
        "rewrite": _rewrite(form),
        "symbols": list(form.symbols),
        "given": form.given,
        "guards": [{"text": str(one), "relation": one.record()} for one in form.guards],
        "divisors": list(form.divisors),
        "partial": form.partial,
        "counts": {metric: _count(form, metric, share) for metric in FORMS},
        "version": __version__,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rewrite(form: ClosedForm) -> dict[str, Any] | None:
    if form.asked is None:
        return None
    return {
        "kind": form.asked.kind.name,
        "letter": form.letter or None,
        "divisor": None if form.letter else form.asked.divisor,
        "where": str(form.asked.rule),
        "but": [str(exemption) for exemption in form.asked.exemptions],
        "bias": form.asked.bias,
        "replaced": form.replaced[0],
        "candidates": form.replaced[1],
    }


def _count(form: ClosedForm, metric: str, share: Fraction) -> dict[str, Any]:
    total = form.sum(metric)
    ratio, slope = form.ratio(metric), form.derivative(metric)
    facts = {
        "expression": str(total.expression),
        "factored": str(total.factored),
        "latex": latex(_spoken(total.expression)),
        "terms": [
            {"constant": str(term.constant), "share": str(term.share), "size": str(term.size)}
            for term in total.terms
        ],
        "before": str(form.before[metric].expression),
        "ratio": None if ratio is None else str(ratio),
        "derivative": None if slope is None else str(slope),
        "limit": str(total.limit),
    }
    if form.letter:
        knee = total.knee(share, form.given)
        facts["knee"] = {"saves_less_than": str(share), "beyond": str(knee) if knee else None}
    return facts
