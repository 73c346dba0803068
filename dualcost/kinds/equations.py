"""The paper's page: its symbols, then its equations (1)–(11), in sympy, numbered and as printed.

Source: Zhong, Chen, Mian, "DualConv: Dual Convolutional Kernels for Lightweight Deep Neural
Networks", IEEE TNNLS 2022, sections III-A and III-B. The paper's "FLOPs" are multiply-accumulates.
Nothing here is used to compute a profile: the equations are the witness that the recipes of
`kinds.py` are held against.
"""

from __future__ import annotations

from dataclasses import dataclass

# This file is the one page that is made of sympy, and only what prints or tests it imports it.
from sympy import Eq, Expr, Integer, Symbol, symbols

D_o, K, M, N, G, P = symbols("D_o K M N G P", positive=True, integer=True)

SYMBOLS: dict[Symbol, str] = {
    D_o: "width and height of the output feature map",
    K: "width and height of the convolution kernel",
    M: "number of input channels",
    N: "number of output channels",
    G: "number of groups, in group and dual convolution",
    P: "1/P is the share of K×K kernels in heterogeneous convolution",
}

FL_SC, FL_CC, FL_PC, FL_DC, FL_DSC, FL_GC, FL_HC = symbols(
    "FL_SC FL_CC FL_PC FL_DC FL_DSC FL_GC FL_HC", positive=True
)
R_DC, R_DSC, R_GC, R_HC = symbols("R_DC/SC R_DSC/SC R_GC/SC R_HC/SC", positive=True)
one = Integer(1)


@dataclass(frozen=True)
class Equation:
    """One numbered equation: `left` is the paper's name for the quantity, `right` its form."""

    number: int
    section: str
    name: str
    left: Symbol
    right: Expr

    @property
    def equality(self) -> Eq:
        """Both sides, unevaluated."""
        return Eq(self.left, self.right, evaluate=False)


_A, _B = "III-A", "III-B"

EQUATIONS: tuple[Equation, ...] = (
    Equation(1, _A, "standard convolution", FL_SC, D_o**2 * K**2 * M * N),
    Equation(
        2,
        _A,
        "combined K×K and 1×1 kernels of dual convolution",
        FL_CC,
        (D_o**2 * K**2 * M * N + D_o**2 * M * N) / G,
    ),
    Equation(
        3,
        _A,
        "remaining 1×1 kernels of dual convolution",
        FL_PC,
        D_o**2 * M * N * (1 - one / G),
    ),
    Equation(4, _A, "dual convolution", FL_DC, D_o**2 * K**2 * M * N / G + D_o**2 * M * N),
    Equation(5, _A, "dual over standard", R_DC, one / G + one / K**2),
    Equation(6, _B, "depthwise separable convolution", FL_DSC, D_o**2 * (K**2 * M + M * N)),
    Equation(7, _B, "depthwise separable over standard", R_DSC, one / N + one / K**2),
    Equation(8, _B, "group convolution", FL_GC, D_o**2 * K**2 * M * N / G),
    Equation(9, _B, "group over standard", R_GC, one / G),
    Equation(10, _B, "heterogeneous convolution", FL_HC, D_o**2 * M * N * (K**2 + P - 1) / P),
    Equation(11, _B, "heterogeneous over standard", R_HC, one / P + one / K**2 - one / (P * K**2)),
)


def equation(number: int) -> Equation:
    """The equation of that number, 1 to 11."""
    return EQUATIONS[number - 1]


# Which equation is the cost of which kind, and which its ratio to the standard convolution.
COST_OF_KIND: dict[str, int] = {"standard": 1, "dsc": 6, "group": 8, "het": 10, "dual": 4}
RATIO_OF_KIND: dict[str, int] = {"dsc": 7, "group": 9, "het": 11, "dual": 5}
