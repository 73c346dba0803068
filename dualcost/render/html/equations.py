"""The paper's equations as MathML, with letters and with a network's numbers in their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dualcost import units
from dualcost.network.cost import ratio
from dualcost.views.substitution import Substitution, equation_of

if TYPE_CHECKING:
    from markupsafe import Markup
    from sympy import Expr

MANY = 4  # paths are listed up to so many


@dataclass(frozen=True)
class Worked:
    """One substitution as shown: which equation, its form, the same with numbers, and its value.

    Attributes:
        sites: which layers, in short.
        paths: all of them.
        about: what becomes what, at which sizes.
        number: of the equation; 0 where the paper has none.
        form: the equation with its letters.
        worked: with numbers.
        value: the result.
        agrees: it is what the profile counts.
        was: MACs before.
        left: what is left of them.
    """

    sites: str
    paths: str
    about: str
    number: int
    form: Markup
    worked: Markup
    value: str
    agrees: bool
    was: str
    left: str


def worked(substitution: Substitution) -> Worked:
    """A substitution as shown."""
    equation = equation_of(substitution.kind, substitution.site)
    left = ratio(substitution.macs, substitution.macs_before)
    return Worked(
        sites=_sites(substitution.paths),
        paths=", ".join(path or "(root)" for path in substitution.paths),
        about=_about(substitution),
        number=equation.number if equation else 0,
        form=_mathml(equation.right, {}, substitution) if equation else _markup(""),
        worked=_mathml(equation.right, _texts(substitution), substitution)
        if equation
        else _markup(""),
        value=f"{substitution.macs:,}",
        agrees=substitution.agrees,
        was=f"{substitution.macs_before:,}",
        left="" if left is None else f"{left:.3f}",
    )


def _sites(paths: tuple[str, ...]) -> str:
    shown = ", ".join(path or "(root)" for path in paths[:MANY])
    return shown if len(paths) <= MANY else f"{shown} and {len(paths) - MANY} more"


def _about(substitution: Substitution) -> str:
    site = substitution.site
    words = [
        f"{substitution.was} → {substitution.kind.label(substitution.divisor)}",
        f"{site.M}→{site.N} channels",
        f"kernel {units.size(site.kernel)}",
        f"output {units.size(site.out_size)}",
    ]
    if site.batch > 1:
        words.append(f"batch {site.batch}")
    if site.transposed:
        words.append("transposed: D_o² stands for the positions of the input")
    return ", ".join(words)


def _texts(substitution: Substitution) -> dict[str, str]:
    """What stands for each letter; for D_o² and K² their factors, if they are no squares."""
    site = substitution.site
    sides = site.in_size if site.transposed else site.out_size
    letter = {substitution.kind.letter: str(substitution.divisor)}
    return {
        "D_o**2": _square(sides, site.batch),
        "K**2": _square(site.kernel, 1),
        "M": str(site.M),
        "N": str(site.N),
        **letter,
    }


def _square(sides: tuple[int, ...], batch: int) -> str:
    many = f"<mn>{batch}</mn><mo>·</mo>" if batch > 1 else ""
    if len(sides) == 2 and len(set(sides)) == 1:
        return f"{many}<msup><mn>{sides[0]}</mn><mn>2</mn></msup>"
    return many + "<mo>·</mo>".join(f"<mn>{side}</mn>" for side in sides)


def _mathml(form: Expr, texts: Mapping[str, str], substitution: Substitution) -> Markup:
    """An expression in the order in which it stands with its letters."""
    from sympy.printing.mathml import MathMLPresentationPrinter

    class Printer(MathMLPresentationPrinter):  # type: ignore[misc]  # sympy publishes no types
        """Prints numbers where the letters stand."""

        def _print_Symbol(self, symbol: Any, style: str = "plain") -> Any:
            text = texts.get(symbol.name)
            if text is None:
                return super()._print_Symbol(symbol, style)
            return self._node(f"<mn>{text}</mn>")

        def _print_Pow(self, power: Any) -> Any:
            text = texts.get(str(power))
            return super()._print_Pow(power) if text is None else self._node(text)

        def _node(self, text: str) -> Any:
            from xml.dom.minidom import parseString

            return parseString(f"<mrow>{text}</mrow>").documentElement

    printer = Printer({"mul_symbol": "dot"})
    return _markup(printer._print(form).toxml())


def _markup(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)  # of sympy's printer, and of integers
