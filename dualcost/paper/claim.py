"""What a claim about cost is, how it is computed and judged.

Costs are computed from the networks; times are ratios of the paper's own printed cells, since a
time on one machine says nothing about another. The claims themselves stand in claims.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from dualcost.kinds.kinds import KINDS, STANDARD
from dualcost.paper.comparison import ComparedRow

HOLDS, FAILS, WORDS_ONLY = "holds", "does not hold", "states no figure"

# What the paper rounds to when it says "about".
ABOUT = Fraction(2, 100)

# Large enough to show a limit, and a divisor of the channels that _speedup takes.
MANY = 2**20

Table = Mapping[str, ComparedRow]


@dataclass(frozen=True)
class Finding:
    """One number of a claim, and whether it is what the sentence says (None: that says none)."""

    what: str
    value: Fraction
    percent: bool
    holds: bool | None

    @property
    def text(self) -> str:
        """The number as a reader wants it."""
        return f"{float(100 * self.value):.1f}%" if self.percent else f"{float(self.value):.2f}"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper that states a cost.

    Attributes:
        id: a short name.
        section: where it stands.
        quote: the paper's words.
        figure: the number that it states.
        findings: computes what it is about, from the tables' rows by id.
        remark: what a reader should know beside the verdict.
    """

    id: str
    section: str
    quote: str
    figure: str
    findings: Callable[[Table], Sequence[Finding]]
    remark: str = ""


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with what was found."""

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """HOLDS if every number that it states does; WORDS_ONLY if it states none."""
        stated = [finding.holds for finding in self.findings if finding.holds is not None]
        if not stated:
            return WORDS_ONLY
        return HOLDS if all(stated) else FAILS


def judge(claims: Sequence[Claim], rows: Sequence[ComparedRow]) -> tuple[JudgedClaim, ...]:
    """Compute every claim from the compared rows of the tables."""
    table = {compared.row.id: compared for compared in rows}
    return tuple(JudgedClaim(claim, tuple(claim.findings(table))) for claim in claims)


def saved(
    before: str, after: str, test: Callable[[Fraction], bool | None], *metrics: str
) -> Callable[[Table], list[Finding]]:
    """The share of MACs, parameters or printed time that one row saves against another."""

    def found(table: Table) -> list[Finding]:
        findings = []
        for metric in metrics:
            old, new = _measure(table[before], metric), _measure(table[after], metric)
            share = 1 - Fraction(new) / Fraction(old)
            findings.append(Finding(WORDS[metric], share, True, test(share)))
        return findings

    return found


WORDS = {"macs": "MACs", "params": "parameters", "cpu_ms": "CPU time", "gpu_ms": "GPU time"}


def _measure(compared: ComparedRow, metric: str) -> int | float:
    """MACs and parameters as computed, times as printed."""
    source = compared.cost if metric in ("macs", "params") else compared.row
    value: int | float = getattr(source, metric)
    return value


def over(percent: int) -> Callable[[Fraction], bool]:
    """A test of “over 60%”."""
    return lambda share: share > Fraction(percent, 100)


def rounds_to(percent: int) -> Callable[[Fraction], bool]:
    """A test of “by 54%”."""
    return lambda share: round(100 * share) == percent


def about(percent: int) -> Callable[[Fraction], bool]:
    """A test of “about 38%”."""
    return lambda share: abs(share - Fraction(percent, 100)) <= ABOUT


def _speedup(kind: str, divisor: int, N: int = 9 * MANY) -> Fraction:
    """Standard MACs over those of a kind, for K = 3 and M = N channels."""
    sizes: dict[str, Any] = {"taps": 9, "M": N, "N": N, "out_positions": 1, "in_positions": 1}
    standard = STANDARD.cost(**sizes).macs
    return Fraction(standard, KINDS[kind].cost(**sizes, divisor=divisor).macs)


def speedups(
    kind: str, letter: str, at: Sequence[int], least: int, most: int
) -> Callable[[Table], list[Finding]]:
    """The speedup at some G, P or N; the last one is the limit, and must lie between the two."""

    def found(table: Table) -> list[Finding]:
        values = [_speedup(kind, D) if letter != "N" else _speedup(kind, 1, N=D) for D in at]
        return [
            Finding(
                f"{letter}={D if D != MANY else '2^20'}",
                value,
                False,
                at[-1] != D or least <= value <= most,
            )
            for D, value in zip(at, values, strict=True)
        ]

    return found


def slower(pairs: Sequence[tuple[str, str]]) -> Callable[[Table], list[Finding]]:
    """The printed CPU time of the second row of each pair over that of the first, the faster."""

    def found(table: Table) -> list[Finding]:
        findings = []
        for fast, slow in pairs:
            quotient = Fraction(table[slow].row.cpu_ms or 0) / Fraction(table[fast].row.cpu_ms or 0)
            names = f"{table[slow].row.model} / {table[fast].row.model}"
            findings.append(Finding(names, quotient, False, quotient > 1))
        return findings

    return found


def linear_layers(table: Table) -> list[Finding]:
    """Parameters of VGG-16's linear layers on ImageNet, in millions, with biases."""
    layers = {"512·7·7 → 4096": 512 * 7 * 7, "4096 → 4096": 4096, "4096 → 1000": 4096}
    outputs = (4096, 4096, 1000)
    sizes = [(M + 1) * N for M, N in zip(layers.values(), outputs, strict=True)]
    million = 10**6
    total = Fraction(sum(sizes), million)
    return [
        Finding("all three, millions", total, False, round(total) == 102),
        Finding("the first alone, millions", Fraction(sizes[0], million), False, None),
    ]
