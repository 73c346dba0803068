"""Printed against computed: each cost cell of the paper, its difference and a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from dualcost.costs.profile import profile
from dualcost.network.cost import CONVENTIONS, Cost
from dualcost.network.network import Network
from dualcost.paper.tables import EXPLANATIONS, Printed, PrintedRow

AGREES, DIFFERS, DISAGREES, QUOTED = "agrees", "differs", "disagrees", "quoted"

# A cell agrees within one in its last digit, or within this share of what is printed.
TOLERANCE = Fraction(5, 10_000)

Load = Callable[[str], Network]


@dataclass(frozen=True)
class Cell:
    """One printed cost and what dualcost makes of it.

    Attributes:
        quantity: "flops" (the paper's word for MACs) or "params".
        printed: as it stands in the table.
        computed: exactly; None for a quoted row whose network is not known.
        note: why it differs, if that is known.
        quoted: from another paper, not to be met.
    """

    quantity: str
    printed: Printed
    computed: int | None
    note: str = ""
    quoted: bool = False

    @property
    def units(self) -> float | None:
        """Computed minus printed, in units of the last printed digit."""
        if self.computed is None:
            return None
        return float((self.computed - self.printed.value) / self.printed.unit)

    @property
    def within(self) -> bool:
        """The two are the same number, as far as the printed digits tell."""
        if self.computed is None:
            return False
        off = abs(self.computed - self.printed.value)
        return off <= max(self.printed.unit, TOLERANCE * self.printed.value)

    @property
    def verdict(self) -> str:
        """QUOTED; AGREES; DIFFERS for a known reason; or DISAGREES."""
        if self.quoted:
            return QUOTED
        if self.within:
            return AGREES
        return DIFFERS if self.note else DISAGREES


@dataclass(frozen=True)
class ComparedRow:
    """A row of a table with its computed cost (None where the network is not known)."""

    row: PrintedRow
    cost: Cost | None

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells that the paper prints in this row: FLOPs, parameters, or both."""
        row, cost = self.row, self.cost
        quantities = (
            ("flops", row.flops, cost.macs if cost else None, row.flops_note),
            ("params", row.params, cost.params if cost else None, row.params_note),
        )
        return tuple(
            Cell(name, printed, computed, EXPLANATIONS.get(note, ""), row.quoted)
            for name, printed, computed, note in quantities
            if printed is not None
        )


def compare(rows: Iterable[PrintedRow], load: Load) -> tuple[ComparedRow, ...]:
    """Compute every row whose network is known.

    Args:
        rows: of any tables.
        load: gives the network of a name such as "zoo:vgg16-imagenet"; asked once for each.
    """
    networks: dict[str, Network] = {}
    compared = []
    for row in rows:
        cost = None
        if row.network:
            if row.network not in networks:
                networks[row.network] = load(f"zoo:{row.network}")
            cost = profile(networks[row.network], row.rewrite, CONVENTIONS["paper"]).after
        compared.append(ComparedRow(row, cost))
    return tuple(compared)


def verdicts(rows: Iterable[ComparedRow]) -> Counter[str]:
    """How many cells agree, differ, disagree, or are quoted."""
    return Counter(cell.verdict for compared in rows for cell in compared.cells)
