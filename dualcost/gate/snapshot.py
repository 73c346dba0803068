"""What a model costs at one time, in integers: what a lock file keeps and a check compares."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from dualcost.costs.profile import Profile
from dualcost.gate import metrics
from dualcost.network.cost import Cost

ROOT = "(root)"  # how the path of the model itself is written
DIGEST = 16  # hexadecimal digits of a structure


@dataclass(frozen=True)
class LayerCost:
    """What all that runs in one module costs; its path is as in a profile."""

    path: str
    cost: Cost


@dataclass(frozen=True)
class Snapshot:
    """What one model costs.

    Attributes:
        model: as the configuration calls it.
        target: what was profiled.
        rewrite: what was replaced in it, in one line; "" for nothing.
        inputs: what it was traced with, as users write it.
        convention: what was counted.
        structure: a digest of its layers: of their sizes and kinds.
        metrics: the exact ones, by name.
        layers: in order of execution; they add up to the model. Those of a lock file know no more
            than MACs and parameters.
        peak_at: the layer during which the most activations live.
        unknown: ops that no rule counts, and how often they ran.
    """

    model: str
    target: str
    rewrite: str
    inputs: tuple[str, ...]
    convention: str
    structure: str
    metrics: Mapping[str, int]
    layers: tuple[LayerCost, ...]
    peak_at: str = ""
    unknown: Mapping[str, int] = field(default_factory=dict)

    @property
    def partial(self) -> bool:
        """An op ran that no rule counts: some metrics are lower bounds."""
        return bool(self.metrics.get(metrics.UNKNOWN_OPS))

    @cached_property
    def by_path(self) -> dict[str, Cost]:
        """The cost of each layer."""
        return {layer.path: layer.cost for layer in self.layers}

    def matching(self, pattern: str) -> tuple[LayerCost, ...]:
        """The layers whose paths fit a glob."""
        return tuple(layer for layer in self.layers if fnmatchcase(layer.path, pattern))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        layers = [{"path": layer.path, **asdict(layer.cost)} for layer in self.layers]
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "metrics": dict(self.metrics),
            "unknown": dict(self.unknown),
            "inputs": list(self.inputs),
            "layers": layers,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Snapshot:
        """Read what `to_json` made, also from an older file with fewer fields of costs.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        layers = tuple(
            LayerCost(
                str(one["path"]),
                Cost(**{name: int(value) for name, value in one.items() if name != "path"}),
            )
            for one in document["layers"]
        )
        return cls(
            model=str(document["model"]),
            target=str(document["target"]),
            rewrite=str(document["rewrite"]),
            inputs=tuple(str(text) for text in document["inputs"]),
            convention=str(document["convention"]),
            structure=str(document["structure"]),
            metrics={str(name): int(value) for name, value in document["metrics"].items()},
            layers=layers,
            peak_at=str(document["peak_at"]),
            unknown={str(name): int(value) for name, value in document["unknown"].items()},
        )


def snapshot(profile: Profile, model: str, target: str) -> Snapshot:
    """Reduce a profile to what a check needs, after its rewrite."""
    asked = profile.rewrite
    words = asked.words() if asked else {}
    return Snapshot(
        model=model,
        target=target,
        rewrite=" ".join(f"{name}={_word(word)}" for name, word in words.items()),
        inputs=tuple(spec.word for spec in profile.inputs),
        convention=profile.convention.name,
        structure=_digest(profile),
        metrics=metrics.measured(profile.whole_after),
        layers=_layers(profile),
        peak_at=profile.peak[1].path or ROOT,
        unknown=profile.unknown,
    )


def _word(word: object) -> str:
    return "; ".join(word) if isinstance(word, tuple) else str(word)


def _layers(profile: Profile) -> tuple[LayerCost, ...]:
    """One for each path: what runs twice is added up."""
    costs: dict[str, Cost] = {}
    for row in profile.rows:
        path = row.path or ROOT
        costs[path] = costs.get(path, Cost()) + row.after
    return tuple(LayerCost(path, cost) for path, cost in costs.items())


def _digest(profile: Profile) -> str:
    """A digest that is the same for the same layers in the same order, and no others."""
    lines = (
        repr(
            (
                *(row.path, row.op, row.group, str(row.kind or ""), str(row.becomes or "")),
                *(row.M, row.N, row.divisor),
                *(row.out_shape, row.site and astuple(row.site), row.after.params),
            )
        )
        for row in profile.rows
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:DIGEST]
