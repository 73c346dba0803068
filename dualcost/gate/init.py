"""Models, measured → a first configuration with budgets that leave them some room."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dualcost import units
from dualcost.costs.profile import profile
from dualcost.errors import UsageError
from dualcost.files import write_atomically
from dualcost.gate import config, metrics
from dualcost.gate.config import SCHEMA
from dualcost.library import networks as library
from dualcost.network.cost import CONVENTIONS
from dualcost.network.network import TensorSpec
from dualcost.rewrite.request import Request
from dualcost.rewrite.subject import Subject
from dualcost.toml import quoted, word

LIMITED = ("params", "macs", "peak-activations")
GUARDED = ("params", "macs")


@dataclass(frozen=True)
class Start:
    """A model with its first budgets, as text that a configuration takes.

    Attributes:
        name: what the configuration calls it.
        target: what is profiled.
        rewrite: what is replaced in it.
        inputs: as the user wrote them; () for what is known.
        now: what it costs, by metric.
        budgets: what it may cost: text by metric.
    """

    name: str
    target: str
    rewrite: Request | None
    inputs: tuple[TensorSpec, ...]
    now: dict[str, int]
    budgets: dict[str, str]


def place(folder: Path) -> Path:
    """Where the configuration of a folder belongs: its pyproject.toml, else a dualcost.toml.

    Raises:
        UsageError: it is configured already.
    """
    for name in config.FILES:
        path = folder / name
        if config.configured(path):
            raise UsageError(
                f"{path.name} has budgets already", "add models to it by hand: docs/guide/guard.md"
            )
    pyproject = folder / "pyproject.toml"
    return pyproject if pyproject.exists() else folder / "dualcost.toml"


def start(
    subjects: Sequence[Subject],
    inputs: tuple[TensorSpec, ...],
    headroom: Fraction,
    announce: library.Announce = lambda message: None,
) -> tuple[Start, ...]:
    """Measure models, each with the same inputs, and give them budgets.

    Args:
        subjects: the models, and what is replaced in each.
        inputs: what each is traced with.
        headroom: how much larger than the model a budget is at least, as a share.
        announce: told what is about to take a while.

    Raises:
        DualcostError: a model cannot be found, run or rewritten.
    """
    found: list[Start] = []
    for subject in subjects:
        target, rewrite = subject.model, subject.request
        network = library.load(target, inputs, None, announce)
        known = metrics.measured(profile(network, rewrite, CONVENTIONS["torch"]).whole_after)
        now = {name: known[name] for name in LIMITED}
        if known[metrics.UNKNOWN_OPS]:
            del now["macs"]  # a lower bound passes no maximum
        budgets = {name: roomy(name, value, headroom) for name, value in now.items()}
        name = short_name(target, rewrite, {one.name for one in found})
        found.append(Start(name, target, rewrite, inputs, now, budgets))
    return tuple(found)


def roomy(metric: str, value: int, headroom: Fraction) -> str:
    """The text of a limit that is at least so much larger, in few digits: "19.3 M".

    It reads back as no less than that, whatever was rounded.
    """
    return units.no_less(value * (1 + headroom), metrics.unit(metric))


def short_name(target: str, rewrite: Request | None, taken: set[str]) -> str:
    """A short name: "small" of models.py:small, "resnet50-dual" of a rewritten resnet50."""
    name = target.split(":", 1)[-1]
    name = Path(name).stem if name.endswith(".pt2") else name
    name = f"{name}-{rewrite.kind.name}" if rewrite else name
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")
    return next(
        one for n in range(len(taken) + 1) if (one := f"{name}-{n + 1}" if n else name) not in taken
    )


def prefix(path: Path) -> str:
    """What its tables' names begin with in a file."""
    return "tool.dualcost." if path.name == "pyproject.toml" else ""


def text(starts: Sequence[Start], prefix: str) -> str:
    """The tables of a configuration; `prefix` is "tool.dualcost." in a pyproject.toml, else ""."""
    return "\n".join(_lines(starts, prefix)) + "\n"


def _lines(starts: Sequence[Start], prefix: str) -> Iterator[str]:
    if prefix:
        yield f"[{prefix.rstrip('.')}]"
    yield f"schema = {SCHEMA}"
    for one in starts:
        key = f"{prefix}models.{word(one.name)}"
        yield f"\n[{key}]"
        yield f"target = {quoted(one.target)}"
        if one.rewrite:
            yield f"rewrite = {{ {', '.join(_words(one.rewrite))} }}"
        if one.inputs:
            shapes = [quoted(spec.word) for spec in one.inputs]
            yield f"input = {shapes[0]}" if len(shapes) == 1 else f"input = [{', '.join(shapes)}]"
        yield f"\n[{key}.budget]"
        yield from (f"{name} = {quoted(limit)}" for name, limit in one.budgets.items())
    yield f"\n[{prefix}ratchet]  # against dualcost.lock"
    guarded = (name for name in GUARDED if all(name in one.now for one in starts))
    yield from (f'{name} = "0 %"' for name in guarded)


def _words(rewrite: Request) -> Iterator[str]:
    for name, value in rewrite.words().items():
        if isinstance(value, tuple):
            yield f"{name} = [{', '.join(quoted(one) for one in value)}]"
        else:
            yield f"{name} = {value if isinstance(value, int) else quoted(value)}"


def write(starts: Sequence[Start], path: Path) -> None:
    """Write the configuration, behind what a pyproject.toml has already, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    between = "\n" if before.endswith("\n") else "\n\n" if before else ""
    write_atomically(path, f"{before}{between}{text(starts, prefix(path))}".encode())
