"""One side of a comparison: a network, a network with a rewrite, or the JSON report of a profile.

A network is in words of `rewrite.subject`, a report what `dualcost profile -o before.json` wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dualcost.costs.metrics import BY_LAYER, COMPARED, Whole
from dualcost.costs.profile import REMOVED, Profile, Row
from dualcost.errors import UsageError
from dualcost.kinds.choice import Choice
from dualcost.kinds.kinds import kind
from dualcost.network.cost import Cost
from dualcost.network.form import Form
from dualcost.network.network import BLOCK_KINDS, CONVOLUTION, LINEAR, MATMUL

LAYERS = (CONVOLUTION, LINEAR, MATMUL)  # compared one by one; others by group
# what whole networks are compared by; layers are BY_LAYER
OF_NETWORKS = {name: metric for name, metric in COMPARED.items() if metric.exact}
SCHEMA = 1


@dataclass(frozen=True)
class Layer:
    """What one layer is and costs, or several that are compared as one.

    Attributes:
        path: the module it ran in; "" for layers that are added up by group.
        group: what it is (`network.GROUPS`).
        kind: what it is, with its G or P; None if it is no convolution.
        M: input channels or features.
        N: output channels or features.
        kernel: as text, "3x3".
        out_size: as text, "56x56".
        cost: what layers are compared by.
        block: it stands in the place of a whole block.
        folds: how many layers it stands for.
    """

    path: str
    group: str
    kind: Form | None
    M: int | None
    N: int | None
    kernel: str
    out_size: str
    cost: Cost
    block: bool = False
    folds: int = 1


@dataclass(frozen=True)
class Contender:
    """A side: its layers, and its totals.

    Attributes:
        name: as the user wrote it.
        about: the network, and what was done to it.
        convention: what was counted.
        layers: in order of execution; their costs add up to that of the network.
        whole: the whole network.
        partial: MACs are a lower bound.
    """

    name: str
    about: str
    convention: str
    layers: tuple[Layer, ...]
    whole: Whole
    partial: bool


def of_profile(name: str, profile: Profile) -> Contender:
    """A profile, as its rewrite makes it."""
    done = _done(profile.rewrite.label, profile.replaced) if profile.rewrite else ""
    return Contender(
        name=name,
        about=f"{profile.network}{done}",
        convention=profile.convention.name,
        layers=_folded(_of_row(row) for row in profile.rows if row.becomes != REMOVED),
        whole=Whole(_sum([profile.after]), peak_bytes=profile.peak[1].nbytes),
        partial=profile.partial,
    )


def _done(rewrite: str, sites: int) -> str:
    return f" with {rewrite} at {sites} site{'s' * (sites != 1)}"


def _of_row(row: Row) -> Layer:
    site = row.site
    return Layer(
        path=row.path,
        group=row.group,
        kind=_form(row.choice) if row.choice else row.kind,
        M=row.M,
        N=row.N,
        kernel="x".join(map(str, site.kernel)) if site else "",
        out_size="x".join(map(str, site.out_size)) if site else "",
        cost=_sum([row.after]),
        block=row.replaced and row.kind is not None and row.kind.name in BLOCK_KINDS,
    )


def _form(choice: Choice) -> Form:
    return Form(choice.kind.name, choice.kind.letter, choice.divisor)


def read(path: Path) -> Contender:
    """The report of a profile, as its rewrite made it.

    Raises:
        UsageError: there is no such file, or it is no report.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if report["schema"] != SCHEMA:
            raise ValueError(f"schema {report['schema']}; this dualcost reads {SCHEMA}")
        return _of_report(str(path), report)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}",
            "give a file that `dualcost profile -o FILE.json` wrote",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} is not the report of a profile ({type(error).__name__}: {error})",
            "give a file that `dualcost profile -o FILE.json` wrote",
        ) from error


def _of_report(name: str, report: Mapping[str, Any]) -> Contender:
    asked = report["rewrite"]
    done = ""
    if asked:
        chosen = kind(asked["conv"])
        divisor = asked.get(chosen.letter, 1)
        done = _done(chosen.label(divisor), asked["replaced"])
    total = report["total"]["after"]
    return Contender(
        name=name,
        about=f"{report['network']}{done}",
        convention=report["convention"]["name"],
        layers=_folded(_of_record(r) for r in report["rows"] if r["becomes"] != str(REMOVED)),
        whole=Whole(_cost(total), peak_bytes=int(report["peak"]["after"]["bytes"])),
        partial=bool(report["partial"]),
    )


def _of_record(row: Mapping[str, Any]) -> Layer:
    becomes = row["becomes"]
    kind = becomes or row["kind"]
    return Layer(
        path=row["path"],
        group=row["group"],
        kind=Form.parse(kind) if kind else None,
        M=row["M"],
        N=row["N"],
        kernel=row["kernel"] or "",
        out_size=row["out_size"] or "",
        cost=_cost(row, "_after"),
        block=bool(becomes) and row["kind"] in BLOCK_KINDS,
    )


def _cost(values: Mapping[str, Any], suffix: str = "") -> Cost:
    """The cost that a report has under these keys."""
    keys = [metric.key for metric in BY_LAYER.values()]
    return Cost(**{key: int(values[f"{key}{suffix}"]) for key in keys})


def _sum(costs: Iterable[Cost]) -> Cost:
    """The sum, of what layers are compared by alone."""
    whole = sum(costs, Cost())
    return Cost(**{metric.key: metric.of_cost(whole) for metric in BY_LAYER.values()})


def _folded(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """What multiplies one by one, the rest added up by group; what left with a block is gone."""
    kept: list[Layer] = []
    others: dict[str, list[Layer]] = {}
    for layer in layers:
        if layer.group in LAYERS:
            kept.append(layer)
        elif layer.cost != Cost():
            others.setdefault(layer.group, []).append(layer)
    return (*kept, *(merged("", group, members) for group, members in others.items()))


def merged(path: str, group: str, layers: list[Layer]) -> Layer:
    """Several layers as one: their costs added up."""
    return replace(
        layers[0],
        path=path,
        group=group,
        kind=None,
        M=layers[0].M,
        N=layers[-1].N,
        kernel="",
        out_size=layers[-1].out_size,
        cost=_sum(layer.cost for layer in layers),
        block=False,
        folds=sum(layer.folds for layer in layers),
    )
