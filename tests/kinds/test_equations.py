"""The paper's page agrees with itself, with its definitions, and with what the paper concludes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import quickly
from sympy import Eq, Integer, Symbol, limit, oo, simplify

from dualcost.kinds.equations import (
    COST_OF_KIND,
    EQUATIONS,
    RATIO_OF_KIND,
    SYMBOLS,
    D_o,
    G,
    K,
    M,
    N,
    P,
    equation,
)
from dualcost.kinds.kinds import KINDS


def printed(D: Any, k: Any, m: Any, n: Any, g: Any, p: Any) -> tuple[Any, ...]:
    """Equations (1)–(11) as they stand in the paper, in plain arithmetic and in its order."""
    return (
        D * D * k * k * m * n,
        (D * D * k * k * m * n + D * D * m * n) / g,
        D * D * m * n * (1 - 1 / g),
        D * D * k * k * m * n / g + D * D * m * n,
        1 / g + 1 / (k * k),
        D * D * (k * k * m + m * n),
        1 / n + 1 / (k * k),
        D * D * k * k * m * n / g,
        1 / g,
        # the K×K kernels see 1/P of the channels, the 1×1 kernels the other P-1 shares
        D * D * k * k * m * n / p + D * D * m * n * (p - 1) / p,
        1 / p + 1 / (k * k) - 1 / (p * k * k),
    )


positive = st.integers(1, 10**6).map(Fraction)


@quickly
@given(positive, positive, positive, positive, positive, positive)
def test_every_equation_has_the_value_of_the_printed_one_everywhere(
    D: Fraction, k: Fraction, m: Fraction, n: Fraction, g: Fraction, p: Fraction
) -> None:
    values = dict(zip((D_o, K, M, N, G, P), map(Integer, (D, k, m, n, g, p)), strict=True))
    for entry, expected in zip(EQUATIONS, printed(D, k, m, n, g, p), strict=True):
        found = entry.right.subs(values)
        assert (int(found.p), int(found.q)) == expected.as_integer_ratio(), entry.number


def test_equations_are_numbered_1_to_11_and_the_first_five_are_in_section_a() -> None:
    assert [entry.number for entry in EQUATIONS] == list(range(1, 12))
    assert [entry.section for entry in EQUATIONS] == ["III-A"] * 5 + ["III-B"] * 6
    assert all(equation(entry.number) is entry for entry in EQUATIONS)
    assert len({entry.left for entry in EQUATIONS}) == len({e.name for e in EQUATIONS}) == 11


def test_every_letter_of_an_equation_is_explained() -> None:
    used: set[Symbol] = set().union(*(entry.right.free_symbols for entry in EQUATIONS))
    assert used == set(SYMBOLS)


def test_an_equality_shows_both_sides_unevaluated() -> None:
    for entry in EQUATIONS:
        assert isinstance(entry.equality, Eq)
        assert entry.equality.args == (entry.left, entry.right)


def test_equations_look_as_printed() -> None:
    # sympy writes powers first and 1/K² as K**(-2)
    assert [str(entry.right) for entry in EQUATIONS] == [
        "D_o**2*K**2*M*N",
        "(D_o**2*K**2*M*N + D_o**2*M*N)/G",
        "D_o**2*M*N*(1 - 1/G)",
        "D_o**2*M*N + D_o**2*K**2*M*N/G",
        "K**(-2) + 1/G",
        "D_o**2*(K**2*M + M*N)",
        "1/N + K**(-2)",
        "D_o**2*K**2*M*N/G",
        "1/G",
        "D_o**2*M*N*(K**2 + P - 1)/P",
        "1/P + K**(-2) - 1/(K**2*P)",
    ]


def test_4_is_the_sum_of_2_and_3() -> None:
    assert simplify(equation(2).right + equation(3).right - equation(4).right) == 0


@pytest.mark.parametrize(("ratio", "cost"), [(5, 4), (7, 6), (9, 8), (11, 10)])
def test_a_ratio_is_its_cost_over_the_standard_convolution(ratio: int, cost: int) -> None:
    assert simplify(equation(cost).right / equation(1).right - equation(ratio).right) == 0


def test_every_kind_of_the_paper_has_its_cost_and_all_but_the_standard_their_ratio() -> None:
    assert set(COST_OF_KIND) <= set(KINDS)
    assert set(RATIO_OF_KIND) == set(COST_OF_KIND) - {"standard"}
    # in the paper each ratio follows its cost at once
    assert all(RATIO_OF_KIND[name] == COST_OF_KIND[name] + 1 for name in RATIO_OF_KIND)
    letters = {"standard": "", "dsc": "N", "group": "G", "het": "P", "dual": "G"}
    for name, number in RATIO_OF_KIND.items():
        assert (
            Symbol(letters[name], positive=True, integer=True)
            in equation(number).right.free_symbols
        )


@pytest.mark.parametrize(("ratio", "letter"), [(5, G), (7, N), (11, P)])
def test_with_3x3_kernels_the_speedup_approaches_9(ratio: int, letter: Symbol) -> None:
    speedup = 1 / equation(ratio).right.subs(K, 3)
    assert limit(speedup, letter, oo) == 9  # K*K


# 1/G + 1/9 = 1/8 at G = 72; het: 1/P * 8/9 + 1/9 = 1/8 at P = 64
@pytest.mark.parametrize(("ratio", "letter", "eight"), [(5, G, 72), (7, N, 72), (11, P, 64)])
def test_with_3x3_kernels_the_speedup_is_between_8_and_9_for_large_numbers(
    ratio: int, letter: Symbol, eight: int
) -> None:
    speedup = 1 / equation(ratio).right.subs(K, 3)
    assert speedup.subs(letter, eight) == 8
    assert all(8 < speedup.subs(letter, eight * 2**n) < 9 for n in range(1, 12))
    assert speedup.subs(letter, eight - 1) < 8


def test_the_speedup_of_group_convolution_is_g() -> None:
    assert simplify(1 / equation(9).right - G) == 0


def test_het_with_p_1_is_the_standard_convolution() -> None:
    assert simplify(equation(10).right.subs(P, 1) - equation(1).right) == 0
    assert equation(11).right.subs(P, 1) == 1
