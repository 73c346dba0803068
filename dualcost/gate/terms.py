"""What models may cost, as a command says it: a check without a configuration file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dualcost.errors import UsageError
from dualcost.gate.config import BASELINE, Config, Model
from dualcost.gate.init import short_name
from dualcost.gate.limit import Allowance, Limit
from dualcost.library import networks as library
from dualcost.network.cost import convention as named_convention
from dualcost.network.network import TensorSpec
from dualcost.rewrite.subject import Subject

START = 'write --max macs=3G, or --max-increase "macs=1%" --baseline git:main'


def stated(
    subjects: Sequence[Subject],
    limits: Sequence[str] = (),
    allowances: Sequence[str] = (),
    baseline: str = "",
    *,
    inputs: Sequence[TensorSpec] = (),
    example: str = "",
    rules: str = "",
    convention: str = "torch",
) -> Config:
    """A configuration of what a command says; every model has the same limits.

    `baseline.read` and `check.check` take it as one of a file. It has no lock file: without
    `baseline` nothing is compared.

    Args:
        subjects: the models by name, and what is replaced in each.
        limits: "macs=3G", "params <= 20M", "reduction.params >= 25 %", "latency.cpu = 20 ms".
        allowances: how much a metric may grow: "macs=1%", "params=0", "macs=5M".
        baseline: against what: "git:REF", the JSON report of a check, or a lock file.
        inputs: what each is traced with; () takes what is known.
        example: a factory of inputs, in the place of `inputs`.
        rules: a file of rules by which each is traced.
        convention: what is counted.

    Raises:
        UnknownNameError: there is no such model, metric or convention.
        UsageError: a limit cannot be read, there is none, or growth is limited and there is
            nothing to compare with.
    """
    held = tuple(Limit.parse(text) for text in limits)
    ratchet = tuple(Allowance.parse(text) for text in allowances)
    if not held and not ratchet:
        raise UsageError("there is no limit to check", START)
    if ratchet and not baseline:
        raise UsageError(
            f"{allowances[0]} limits growth, and nothing says since when",
            "add --baseline git:main, the JSON report of a check, or a lock file",
        )
    models: list[Model] = []
    for subject in subjects:
        library.with_origin(subject.model)  # a misspelt name is refused before any work
        models.append(
            Model(
                name=short_name(subject.model, subject.request, {one.name for one in models}),
                target=subject.model,
                rewrite=subject.request,
                plan="",
                inputs=tuple(inputs),
                example=example,
                rules=rules,
                convention=named_convention(convention).name,
                limits=held,
                layers=(),
                line=0,
            )
        )
    return Config(None, Path(BASELINE), tuple(models), ratchet)
