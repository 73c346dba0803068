"""The rows of tables I–VII as printed, each with the network and rewrite that stand for it.

The data is tables.csv, beside this file: first what the paper prints, then how dualcost computes
it. Source: Zhong, Chen, Mian, IEEE TNNLS 2022 (CC BY 4.0), tables I–VII.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from dualcost.errors import UnknownNameError
from dualcost.kinds.kinds import kind
from dualcost.rewrite.request import Request
from dualcost.units import SCALES

TABLES = ("I", "II", "III", "IV", "V", "VI", "VII")

TITLES: dict[str, str] = {
    "I": "VGG-16 and ResNet-50 on CIFAR-10",
    "II": "MobileNetV1 and MobileNetV2 on CIFAR-10",
    "III": "VGG-16 and ResNet-50 on CIFAR-100",
    "IV": "MobileNetV1 and MobileNetV2 on CIFAR-100",
    "V": "VGG-16 and ResNet-50 on ImageNet",
    "VI": "MobileNetV1 and MobileNetV2 on ImageNet",
    "VII": "YOLO-V3 on PASCAL VOC 2007",
}

# Why a cell does not agree, by the word in tables.csv. The tests check the arithmetic.
EXPLANATIONS: dict[str, str] = {
    "hetconv-flops": (
        "counted as the HetConv paper counts: the addition of a bias to every output of a "
        "convolution is an operation too, and is scaled with the layer; digits are cut, not "
        "rounded. With these additions all five cells are met"
    ),
    "hetconv-params": (
        "counted without the weights and biases of batch norm, as far as the digits tell: the "
        "five cells are then met within one unit"
    ),
    "hetconv-mobilenet": (
        "quoted from the HetConv paper, whose MobileNet is not described; "
        "965 thousand MACs more than the rule of the other rows gives"
    ),
    "li-head": (
        "the printed figures are met by a 256-256-10 classifier, with bias additions counted "
        "and batch norm left out; computed here is VGG-16-A with a 256-512-10 classifier"
    ),
}


@dataclass(frozen=True)
class Printed:
    """A number as printed, "2.91G": its exact value, and the value of one in its last digit."""

    text: str

    @property
    def scale(self) -> int:
        """What its prefix multiplies by."""
        return SCALES[self.text[-1]]

    @property
    def value(self) -> Fraction:
        """The number that stands there."""
        return Fraction(self.text[:-1]) * self.scale

    @property
    def unit(self) -> Fraction:
        """One in the last digit that stands there."""
        digits = len(self.text[:-1].partition(".")[2])
        return Fraction(self.scale, 10**digits)

    def __str__(self) -> str:
        return f"{self.text[:-1]} {self.text[-1]}"


@dataclass(frozen=True)
class PrintedRow:
    """One row of a table, and what stands for it.

    Attributes:
        id: such as "table5-resnet50-dual-G4".
        table: its Roman number.
        dataset: "cifar10", "cifar100", "imagenet" or "voc2007".
        backbone: the network that was changed.
        model: the name of the row in the table.
        source: the number of the paper that the row is quoted from; "" if it is the authors' own.
        accuracy: top-1 accuracy, or mAP in Table VII, in percent; None if not printed.
        top5: top-5 accuracy in percent.
        flops: the paper's FLOPs, which are MACs.
        params: parameters.
        gpu_ms: time on a V100.
        cpu_ms: time on one thread of an i7-8700.
        network: the network of the zoo; "" for pruned networks whose structure is not printed.
        rewrite: what is replaced in it; None for the network as it is.
        flops_note: the key of the explanation why the cell differs; "" if it must agree.
        params_note: the same for the parameters.
    """

    id: str
    table: str
    dataset: str
    backbone: str
    model: str
    source: str
    accuracy: float | None
    top5: float | None
    flops: Printed | None
    params: Printed | None
    gpu_ms: float | None
    cpu_ms: float | None
    network: str
    rewrite: Request | None
    flops_note: str
    params_note: str

    @property
    def quoted(self) -> bool:
        """A pruned network of another paper: a point in a plot, not a cell to be met."""
        return self.kind == "pruned"

    @property
    def kind(self) -> str:
        """The kind of convolution; "original" for the network as it is, or "pruned"."""
        if self.rewrite is not None:
            return self.rewrite.kind.name
        return "original" if self.id.endswith(("-standard", "-original")) else "pruned"

    @property
    def divisor(self) -> str:
        """G or P with its letter, "" if it has none."""
        asked = self.rewrite
        return f"{asked.kind.letter}={asked.divisor}" if asked else ""


@cache
def printed_rows() -> tuple[PrintedRow, ...]:
    """All 104 rows in the order of the tables."""
    path = Path(__file__).with_name("tables.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(_row(fields) for fields in csv.DictReader(file))


def table(name: str) -> str:
    """The Roman number of a table, from "table5", "5", "V" or "v".

    Raises:
        UnknownNameError: there is no such table.
    """
    short = name.lower().removeprefix("table")
    for number, roman in enumerate(TABLES, start=1):
        if short in (str(number), roman.lower()):
            return roman
    known = [f"table{number}" for number in range(1, len(TABLES) + 1)]
    raise UnknownNameError("table", name, known, "tables: table1 … table7, or I … VII")


def row(id: str) -> PrintedRow:
    """The row of that id.

    Raises:
        KeyError: there is none.
    """
    return {row.id: row for row in printed_rows()}[id]


def _row(fields: dict[str, str]) -> PrintedRow:
    return PrintedRow(
        id=fields["id"],
        table=fields["table"],
        dataset=fields["dataset"],
        backbone=fields["backbone"],
        model=fields["model"],
        source=fields["cited_from"],
        accuracy=_number(fields["accuracy"]),
        top5=_number(fields["top5"]),
        flops=_printed(fields["flops"]),
        params=_printed(fields["params"]),
        gpu_ms=_number(fields["gpu_ms"]),
        cpu_ms=_number(fields["cpu_ms"]),
        network=fields["network"],
        rewrite=_rewrite(fields),
        flops_note=fields["flops_note"],
        params_note=fields["params_note"],
    )


def _rewrite(fields: dict[str, str]) -> Request | None:
    if not fields["conv"]:
        return None
    letter = kind(fields["conv"]).letter
    return Request.parse(
        f"{fields['conv']}:{letter}={fields['divisor']}" if letter else fields["conv"],
        where=fields["where"],
        indivisible=fields["indivisible"] or "refuse",
        bias=fields["bias"] or "keep",
        but=(fields["but"],) if fields["but"] else (),
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def _printed(text: str) -> Printed | None:
    return Printed(text) if text else None
