"""The networks of the paper's tables with times, raced here: ratios to the standard network.

A time on one machine says nothing about another, a ratio of times may. So each backbone is raced
against its own variants, and the ratios stand beside those of the printed times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from dualcost.errors import UnmeasuredError
from dualcost.kinds.kinds import HET
from dualcost.lab.measurement import Comparison, Ratio, Run, Standing
from dualcost.lab.race import Variant
from dualcost.paper.tables import PrintedRow, printed_rows

TIMED = ("V", "VI", "VII")  # the tables that print times
PRINTED = {"cpu": "cpu_ms", "cuda": "gpu_ms"}  # the column of each device
IMPLEMENTATIONS = HET.implementations
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Entry:
    """A row of a table, and the variant of its backbone that stands for it."""

    row: PrintedRow
    variant: Variant

    @property
    def implementation(self) -> str:
        """How het runs; "" of other kinds, which run in one way."""
        several = self.row.rewrite is not None and self.row.rewrite.kind.implementations
        return self.variant.implementation if several else ""


@dataclass(frozen=True)
class Backbone:
    """A network of the paper with its variants; the first entry is the network as it is."""

    name: str
    table: str
    network: str
    entries: tuple[Entry, ...]

    @property
    def standard(self) -> PrintedRow:
        """The row that all ratios are to."""
        return self.entries[0].row

    def printed(self, row: PrintedRow, device: str) -> float | None:
        """The ratio of two printed times; None where one is not printed."""
        times = [getattr(one, PRINTED[device]) for one in (row, self.standard)]
        return None if None in times else times[0] / times[1]


def backbones(tables: Sequence[str], rows: Sequence[PrintedRow] | None = None) -> list[Backbone]:
    """The networks of some tables, het in both of its implementations.

    Args:
        tables: Roman numbers, of TIMED.
        rows: of any tables, each standard network before its variants; the paper's by default.
    """
    known = [row for row in rows or printed_rows() if row.table in tables and not row.quoted]
    found = []
    for (number, network), members in groupby(known, lambda row: (row.table, row.network)):
        entries = [entry for row in members for entry in _entries(row)]
        first = entries[0].row
        found.append(Backbone(first.backbone, number, network, tuple(entries)))
    return found


def _entries(row: PrintedRow) -> Iterator[Entry]:
    if row.rewrite is None:
        yield Entry(row, Variant())
        return
    variant = Variant(row.rewrite)
    for implementation in row.rewrite.kind.implementations or (variant.implementation,):
        yield Entry(row, replace(variant, implementation=implementation))


@dataclass(frozen=True)
class Place:
    """Where a row came in one race.

    Attributes:
        entry: the row and how it ran.
        standing: its ratios to the standard network.
        comparison: the race.
    """

    entry: Entry
    standing: Standing
    comparison: Comparison

    @property
    def run(self) -> Run:
        """Its forwards."""
        return self.standing.run

    def over(self, faster: Place) -> Ratio:
        """The undisturbed time of this over another's.

        Of two races it is the quotient of their ratios to the standard network, and the relative
        half-widths add up as those of independent errors.
        """
        if self.comparison is faster.comparison:
            return self.comparison.ratio(faster.run, self.run)
        ours, theirs = self.standing.undisturbed, faster.standing.undisturbed
        value = ours.value / theirs.value
        shares = [ratio.half_width / ratio.value for ratio in (ours, theirs)]
        half = value * sum(share**2 for share in shares) ** 0.5
        return Ratio(value, value - half, value + half)


@dataclass(frozen=True)
class Result:
    """What came of a backbone on a device: one race, or several where memory allows no more."""

    backbone: Backbone
    comparisons: tuple[Comparison, ...]

    @property
    def device(self) -> str:
        """What it ran on: "cpu" or "cuda"."""
        return self.comparisons[0].race.conditions.device

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes in which it ran: on a GPU it may also be replayed from a graph."""
        modes = (run.contender.mode for one in self.comparisons for run in one.runs)
        return tuple(dict.fromkeys(modes))

    def places(self, mode: str) -> tuple[Place, ...]:
        """What was measured in a mode, in the order of the table; the standard network once."""
        found: dict[Entry, Place] = {}
        for comparison in self.comparisons:
            for standing in comparison.standings:
                contender = standing.run.contender
                for entry in self.backbone.entries:
                    if (contender.variant, contender.mode) == (entry.variant, mode):
                        found.setdefault(entry, Place(entry, standing, comparison))
        return tuple(found[entry] for entry in self.backbone.entries if entry in found)


Start = Callable[[Backbone, Sequence[Variant], str], Comparison]
Announce = Callable[[str], None]


def measure(
    backbones: Sequence[Backbone],
    devices: Sequence[str],
    start: Start,
    announce: Announce = lambda message: None,
) -> tuple[Result, ...]:
    """Race every backbone with all its variants on every device.

    Ctrl-C ends it, and what was measured until then is the result; the last comparison is then
    INTERRUPTED, or there are fewer than were asked for.

    Args:
        backbones: what to measure.
        devices: of PRINTED.
        start: runs one race: of a backbone as it is and in some variants, on a device.
        announce: told when a race is split.

    Raises:
        UnmeasuredError: even two models cannot be raced.
        KeyboardInterrupt: Ctrl-C, before there was a result.
    """
    results: list[Result] = []
    for device in devices:
        for backbone in backbones:
            comparisons: list[Comparison] = []
            try:
                for comparison in _races(backbone, device, start, announce):
                    comparisons.append(comparison)
            except KeyboardInterrupt:
                if not results and not comparisons:
                    raise
                return (*results, *_result(backbone, comparisons))
            results += _result(backbone, comparisons)
            if comparisons[-1].ended == INTERRUPTED:
                return tuple(results)
    return tuple(results)


def _result(backbone: Backbone, comparisons: Sequence[Comparison]) -> list[Result]:
    return [Result(backbone, tuple(comparisons))] if comparisons else []


def _races(
    backbone: Backbone, device: str, start: Start, announce: Announce
) -> Iterator[Comparison]:
    """One race of all variants; where that cannot be run, of each half of them, down to pairs."""
    waiting: list[Sequence[Variant]] = [[entry.variant for entry in backbone.entries[1:]]]
    while waiting:
        variants = waiting.pop(0)
        try:
            comparison = start(backbone, variants, device)
        except UnmeasuredError as error:
            middle = len(variants) // 2
            if not middle:
                raise
            announce(f"{backbone.name}: {error.message}; two smaller races are run instead")
            waiting[:0] = [variants[:middle], variants[middle:]]
            continue
        yield comparison
        if comparison.ended == INTERRUPTED:
            return
